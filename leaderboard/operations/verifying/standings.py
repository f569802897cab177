"""Every row of every board, against what follows from the scores by the rules of today."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.boards import placing
from leaderboard.models import Assignment
from leaderboard.operations.verifying.difference import Difference
from leaderboard.state import State


def look(session: Session, state: State) -> Iterator[Difference | None]:
    """One step a team and assignment."""
    for assignment in session.scalars(sa.select(Assignment).order_by(Assignment.id)).all():
        for team_id, reason in placing.differing(session, assignment):
            subject = f"standing:{assignment.id}.{team_id}"
            yield Difference(subject=subject, reason=reason) if reason else None
