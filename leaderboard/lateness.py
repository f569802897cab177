"""Days late, and the late days that pay for them. Decided once, in the accepting transaction.

A team has a course's late days for all its assignments together. An assignment costs as many as its
latest counted hand-in was late, not their sum; what is refunded (nothing hidden was run for it, or
the failure was ours) costs none.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard import catalog
from leaderboard.courses import zone_of
from leaderboard.models import Assignment, Submission, Team


def days_late(due: datetime | None, started_at: datetime, zone: ZoneInfo) -> int:
    """How many days after `due` an upload began: each begun day counts, the named second does not.

    A day ends when the clocks of the course show the time of `due` again, be it 23 or 25 hours
    later.

    >>> berlin = ZoneInfo("Europe/Berlin")
    >>> due = datetime(2026, 10, 24, 23, 59, 59, tzinfo=berlin)  # clocks go back in the next night
    >>> days_late(due, datetime(2026, 10, 25, 23, 59, 59, tzinfo=berlin), berlin)
    1
    >>> days_late(due, datetime(2026, 10, 26, 0, 0, 0, tzinfo=berlin), berlin)
    2
    """
    if due is None:
        return 0
    moment, due = started_at.replace(microsecond=0).astimezone(zone), due.astimezone(zone)
    if moment.timestamp() <= due.timestamp():
        return 0
    days = max(0, (moment.date() - due.date()).days)
    # moments, not readings of a clock: an hour that comes twice has both its halves
    end = due + timedelta(days=days)
    return days + (moment.timestamp() > end.timestamp())


def charge(session: Session, assignment: Assignment, submission: Submission, team: Team) -> None:
    """Set how late a hand-in is and what of it late days pay, in the accepting transaction."""
    if team.is_baseline:
        return
    schedule = catalog.rules(assignment).schedule
    zone = zone_of(assignment.course)
    late = days_late(schedule.due, submission.upload_started_at, zone)
    if late:
        submission.days_late = late
        submission.late_days_spent = min(late, left(session, assignment, team, elsewhere_only=True))


def left(
    session: Session, assignment: Assignment, team: Team, *, elsewhere_only: bool = False
) -> int:
    """How many of the course's late days a team has; `elsewhere_only`: before this assignment."""
    spent = (
        sa.select(sa.func.max(Submission.late_days_spent).label("days"))
        .join(Assignment, Assignment.id == Submission.assignment_id)
        .where(
            Submission.team_id == team.id,
            Submission.counted.is_(True),
            Assignment.course_id == assignment.course_id,
        )
        .group_by(Submission.assignment_id)
    )
    if elsewhere_only:
        spent = spent.where(Submission.assignment_id != assignment.id)
    total = session.scalar(sa.select(sa.func.coalesce(sa.func.sum(spent.subquery().c.days), 0)))
    return max(0, assignment.course.late_days - int(total or 0))


def penalty_days(submission: Submission) -> int:
    """The days that `late_penalty_per_day` is for: those that no late day paid."""
    return submission.days_late - submission.late_days_spent
