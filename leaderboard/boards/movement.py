"""How far teams have moved on the public boards since the course's day began.

Ranks are counted when a board is read and kept nowhere, but for one number a team: the rank that it
had in the morning, which a worker notes once a day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from leaderboard.boards.standings import IS_RANKED
from leaderboard.db import writing
from leaderboard.models import (
    Assignment,
    Split,
    Standing,
    Track,
)
from leaderboard.rules.schedule import course_day


def keep_ranks(session: Session, now: datetime) -> int:
    """Note today's ranks of every assignment that has none of today's yet; of how many.

    Opens a write transaction for each; two workers at once do the same twice.
    """
    due = [each for each in _open_assignments(session) if each.ranks_kept_on != _today(each, now)]
    for assignment in due:
        with writing(session):
            # first, as whoever keeps rows holds the assignment before them (placing.hold_rules)
            assignment.ranks_kept_on = _today(assignment, now)
            session.flush()
            session.execute(_ranks_into_rows(assignment))
    return len(due)


def _open_assignments(session: Session) -> list[Assignment]:
    query = sa.select(Assignment).where(Assignment.released_at.is_(None))
    return list(session.scalars(query.options(joinedload(Assignment.course))))


def _today(assignment: Assignment, now: datetime) -> str:
    return course_day(now, ZoneInfo(assignment.course.time_zone))


def _ranks_into_rows(assignment: Assignment) -> sa.Update:
    place = sa.func.rank().over(partition_by=Standing.track, order_by=Standing.rank_key)
    numbered = (
        sa.select(Standing.id, place.label("place"))
        .where(
            Standing.assignment_id == assignment.id,
            Standing.split == Split.PUBLIC,
            *IS_RANKED,
        )
        .subquery()
    )
    return (
        sa.update(Standing)
        .where(Standing.id == numbered.c.id)
        .values(rank_before=numbered.c.place)
        .execution_options(synchronize_session=False)
    )


@dataclass(frozen=True, kw_only=True)
class Movement:
    """A team's rank on the public board, and how many places the private one moved it up."""

    public_rank: int | None
    change: int | None


def movements(
    session: Session, assignment: Assignment, track: Track, private_ranks: Mapping[int, int]
) -> dict[int, Movement]:
    """Compare private ranks with public ones of the same track. The caller has made sure that the
    reader may know.

    Args:
        private_ranks: private rank by team id.
    """
    public = _public_ranks(session, assignment, track, list(private_ranks))
    return {
        team: Movement(
            public_rank=public.get(team), change=public[team] - rank if team in public else None
        )
        for team, rank in private_ranks.items()
    }


def _public_ranks(
    session: Session, assignment: Assignment, track: Track, teams: Sequence[int]
) -> dict[int, int]:
    ranked = (
        sa.select(Standing.team_id, sa.func.rank().over(order_by=Standing.rank_key).label("rank"))
        .where(
            Standing.assignment_id == assignment.id,
            Standing.split == Split.PUBLIC,
            Standing.track == track,
            *IS_RANKED,
        )
        .subquery()
    )
    query = sa.select(ranked.c.team_id, ranked.c.rank).where(ranked.c.team_id.in_(teams))
    return dict(session.execute(query).all())
