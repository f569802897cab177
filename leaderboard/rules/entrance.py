"""Whether a team can hand something in at this moment, and if not, why. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from leaderboard.models import Assignment, Team
from leaderboard.rules import quotas, schedule
from leaderboard.rules.quotas import Quota
from leaderboard.rules.schedule import Phase, Terms


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """What the pages of an assignment say on top; `quota` is None for those who have no team."""

    phase: Phase
    terms: Terms
    quota: Quota | None

    @property
    def is_used_up(self) -> bool:
        """Whether it is open, and the team has none of today's submissions left."""
        return self.phase in _TAKEN and self.quota is not None and self.quota.remaining == 0

    @property
    def is_open(self) -> bool:
        """Whether the reader's team can hand something in now."""
        return self.phase in _TAKEN and self.quota is not None and self.quota.remaining != 0


_TAKEN = (Phase.OPEN, Phase.LATE)


def of(session: Session, assignment: Assignment, team: Team | None, now: datetime) -> Entrance:
    """The entrance of an assignment for a team, or, without one, for most."""
    return Entrance(
        phase=schedule.phase(assignment, team, now),
        terms=schedule.terms(assignment, team),
        quota=quotas.quota(session, assignment, team, now) if team else None,
    )
