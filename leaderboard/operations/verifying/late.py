"""How late each hand-in was, and what late days paid of it, against the dates of today."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.models import Submission, Team
from leaderboard.operations.verifying.difference import Difference
from leaderboard.rules import lateness
from leaderboard.state import State


def look(session: Session, state: State) -> Iterator[Difference | None]:
    """One step a hand-in; the penalty of a grade is for the days that no late day paid."""
    handed_in = sa.select(Submission.team_id)
    teams = session.scalars(sa.select(Team).where(Team.id.in_(handed_in)).order_by(Team.id)).all()
    for team in teams:
        for public_id, is_right in lateness.checked(session, team.course, team):
            reason = "how late it was does not follow from its dates and its team's late days"
            yield None if is_right else Difference(subject=public_id, reason=reason)
