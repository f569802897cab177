"""The daily limit: a ledger of charges and refunds by the course's calendar day.

A hand-in is charged when it is accepted, so that parallel uploads cannot pass the limit, and
refunded when nothing hidden was run for it or the failure was ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard import catalog
from leaderboard.courses import zone_of
from leaderboard.db import UtcDateTime, utcnow
from leaderboard.errors import QuotaExceeded
from leaderboard.models import Assignment, QuotaEntry, Submission, Team

# rejected uploads and failed sample runs cost nothing, but are not without end
FREE_PER_DAY = 200
# a day's free and counted hand-ins of a team, generously; so that a look costs the same in May
_NEWEST = 3 * FREE_PER_DAY
# from here on a code run has seen hidden images
CHARGED_PHASES = ("hidden", "scoring")
# reasons in the ledger (quota_ledger.py tells them apart)
HANDED_IN = "handed in"
CANCELLED = "cancelled"
OUR_FAILURE = "IE: a failure of the server"

# The statements are made once: putting one together takes longer than asking it.
# What was charged to a day, less what was refunded
_USED = (
    sa.select(sa.func.coalesce(sa.func.sum(QuotaEntry.amount), 0))
    .where(
        QuotaEntry.team_id == sa.bindparam("team"),
        QuotaEntry.assignment_id == sa.bindparam("assignment"),
        QuotaEntry.day == sa.bindparam("day"),
    )
    .scalar_subquery()
)
_NEWEST_OF_TEAM = (
    sa.select(Submission.counted, Submission.upload_started_at)
    .where(
        Submission.assignment_id == sa.bindparam("assignment"),
        Submission.team_id == sa.bindparam("team"),
    )
    .order_by(Submission.id.desc())
    .limit(_NEWEST)
    .subquery()
)
# how many hand-ins of the day cost nothing; looked for among the team's newest
_FREE = (
    sa.select(sa.func.count())
    .select_from(_NEWEST_OF_TEAM)
    .where(
        _NEWEST_OF_TEAM.c.counted.is_(False),
        _NEWEST_OF_TEAM.c.upload_started_at >= sa.bindparam("begin", type_=UtcDateTime),
        _NEWEST_OF_TEAM.c.upload_started_at < sa.bindparam("end", type_=UtcDateTime),
    )
    .scalar_subquery()
)
_ADD = sa.insert(sa.inspect(QuotaEntry).local_table)
_USED_ALONE = sa.select(_USED)
_USED_AND_FREE = sa.select(_USED, _FREE)


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
    day = {**_whose(assignment, team), "day": course_day(now, zone)}
    used = int(session.scalar(_USED_ALONE, day) or 0)
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
    day = {
        **_whose(assignment, team),
        "day": course_day(at, zone),
        "begin": _midnight_before(at, zone),
        "end": resets_at,
    }
    used, free = session.execute(_USED_AND_FREE, day).one()
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
    session.execute(_ADD, _entry(submission, day, 1, HANDED_IN))
    if not submission.counted:  # a change to the same value would cost a flush
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
    session.execute(_ADD, _entry(submission, day, -1, reason))
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


def _whose(assignment: Assignment, team: Team) -> dict[str, int]:
    return {"assignment": assignment.id, "team": team.id}


def _entry(submission: Submission, day: str, amount: int, reason: str) -> dict[str, Any]:
    return {
        "assignment_id": submission.assignment_id,
        "team_id": submission.team_id,
        "submission_id": submission.id,
        "day": day,
        "amount": amount,
        "reason": reason,
        "at": utcnow(),
    }
