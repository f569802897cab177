"""The daily limit: a ledger of charges and refunds by the course's calendar day.

A hand-in is charged when it is accepted, so that parallel uploads cannot pass the limit, and
refunded when nothing hidden was run for it or the failure was ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard import catalog
from leaderboard.courses import zone_of
from leaderboard.db import utcnow
from leaderboard.errors import QuotaExceeded
from leaderboard.models import Assignment, QuotaEntry, Submission, Team

# rejected uploads and failed sample runs cost nothing, but are not without end
FREE_PER_DAY = 200
# a day's free and counted hand-ins of a team, generously; so that a look costs the same in May
_NEWEST = 3 * FREE_PER_DAY


@dataclass(frozen=True, kw_only=True)
class Quota:
    """The daily limit of a team; `limit` and `remaining` are None where there is none."""

    limit: int | None
    used: int
    remaining: int | None
    resets_at: datetime | None  # aware, UTC: the next midnight in the course's time zone


def quota(session: Session, assignment: Assignment, team: Team, now: datetime) -> Quota:
    """How much of today's limit a team has used. Reads only."""
    zone = zone_of(assignment.course)
    used = int(session.scalar(sa.select(_used(assignment, team, course_day(now, zone)))) or 0)
    limit = limit_of(assignment, team)
    if limit is None:
        return Quota(limit=None, used=used, remaining=None, resets_at=None)
    return Quota(
        limit=limit,
        used=used,
        remaining=max(0, limit - used),
        resets_at=next_midnight(now, zone),
    )


def limit_of(assignment: Assignment, team: Team) -> int | None:
    """Hand-ins a day; None where there is no limit (0 in the settings, and for baselines)."""
    limit = catalog.rules(assignment).submission.daily_limit
    return None if limit == 0 or team.is_baseline else limit


def check(
    session: Session, assignment: Assignment, team: Team, at: datetime, *, is_free: bool
) -> None:
    """Refuse one hand-in too many, within the accepting transaction. Raises: QuotaExceeded."""
    if team.is_baseline:
        return
    zone = zone_of(assignment.course)
    resets_at = next_midnight(at, zone)
    wait = max(1, int((resets_at - utcnow()).total_seconds()) + 1)
    used, free = session.execute(
        sa.select(
            _used(assignment, team, course_day(at, zone)), _free_today(assignment, team, at, zone)
        )
    ).one()
    if free >= FREE_PER_DAY:
        raise QuotaExceeded(
            f"{FREE_PER_DAY} uploads of your team failed today; that is enough. "
            "`grader check` finds the same problems on your own machine.",
            retry_after=wait,
        )
    limit = limit_of(assignment, team)
    if not is_free and limit is not None and used >= limit:
        raise QuotaExceeded(
            f"Your team has used its {limit} submissions of today. "
            f"The next ones open at {resets_at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key}).",
            retry_after=wait,
        )


def charge(session: Session, assignment: Assignment, submission: Submission) -> None:
    """Charge an accepted hand-in to the day its upload started."""
    day = course_day(submission.upload_started_at, zone_of(assignment.course))
    session.add(_entry(submission, day, 1, "handed in"))
    submission.counted = True


def refund(session: Session, submission: Submission, reason: str) -> None:
    """Give a charged hand-in back, once. Within the caller's write transaction."""
    if not submission.counted:
        return
    day = session.scalars(
        sa.select(QuotaEntry.day).where(
            QuotaEntry.submission_id == submission.id, QuotaEntry.amount == 1
        )
    ).one()
    session.add(_entry(submission, day, -1, reason))
    submission.counted = False


def course_day(moment: datetime, zone: ZoneInfo) -> str:
    """The calendar day of a moment, YYYY-MM-DD."""
    return moment.astimezone(zone).date().isoformat()


def next_midnight(moment: datetime, zone: ZoneInfo) -> datetime:
    """The start of the next calendar day, in UTC; days of 23 or 25 hours are counted right."""
    tomorrow = moment.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).astimezone(UTC)


def _midnight_before(moment: datetime, zone: ZoneInfo) -> datetime:
    today = moment.astimezone(zone).date()
    return datetime.combine(today, time(), zone).astimezone(UTC)


def _used(assignment: Assignment, team: Team, day: str) -> sa.ScalarSelect[int]:
    """What was charged to a day, less what was refunded."""
    return (
        sa.select(sa.func.coalesce(sa.func.sum(QuotaEntry.amount), 0))
        .where(
            QuotaEntry.team_id == team.id,
            QuotaEntry.assignment_id == assignment.id,
            QuotaEntry.day == day,
        )
        .scalar_subquery()
    )


def _free_today(
    assignment: Assignment, team: Team, at: datetime, zone: ZoneInfo
) -> sa.ScalarSelect[int]:
    """How many hand-ins of the day cost nothing; looked for among the team's newest."""
    newest = (
        sa.select(Submission.counted, Submission.upload_started_at)
        .where(Submission.assignment_id == assignment.id, Submission.team_id == team.id)
        .order_by(Submission.id.desc())
        .limit(_NEWEST)
        .subquery()
    )
    return (
        sa.select(sa.func.count())
        .select_from(newest)
        .where(
            newest.c.counted.is_(False),
            newest.c.upload_started_at >= _midnight_before(at, zone),
            newest.c.upload_started_at < next_midnight(at, zone),
        )
        .scalar_subquery()
    )


def _entry(submission: Submission, day: str, amount: int, reason: str) -> QuotaEntry:
    return QuotaEntry(
        assignment_id=submission.assignment_id,
        team_id=submission.team_id,
        submission_id=submission.id,
        day=day,
        amount=amount,
        reason=reason,
        at=utcnow(),
    )
