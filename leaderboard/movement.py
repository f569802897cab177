"""How far teams have moved on the public boards since the course's day began.

Ranks are counted when a board is read and kept nowhere, but for one number a team: the rank that it
had in the morning, which a worker notes once a day.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from leaderboard.db import writing
from leaderboard.models import Assignment, Split, Standing
from leaderboard.quotas import course_day
from leaderboard.standings import BEST_FIRST


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
    place = sa.func.row_number().over(partition_by=Standing.track, order_by=BEST_FIRST)
    numbered = (
        sa.select(Standing.id, place.label("place"))
        .where(
            Standing.assignment_id == assignment.id,
            Standing.split == Split.PUBLIC,
            Standing.is_baseline.is_(False),
        )
        .subquery()
    )
    return (
        sa.update(Standing)
        .where(Standing.id == numbered.c.id)
        .values(rank_before=numbered.c.place)
        .execution_options(synchronize_session=False)
    )
