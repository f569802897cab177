"""The daily limit: a ledger of charges and refunds by the course's calendar day.

A hand-in is charged when it is accepted, so that parallel uploads cannot pass the limit, and
refunded when nothing hidden was run for it or the failure was ours.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard.db import UtcDateTime, utcnow
from leaderboard.errors import NotAllowedNow, QuotaExceeded
from leaderboard.models import (
    Assignment,
    FormerMember,
    QuotaEntry,
    Submission,
    Team,
    TeamMember,
    Upload,
    User,
)
from leaderboard.rules import schedule
from leaderboard.rules.schedule import course_day, midnight_before, next_midnight, zone_of

# rejected uploads and failed sample runs cost nothing, but are not without end: for a person, who
# takes them along into another team
FREE_PER_DAY = 200
# a day's free and counted hand-ins of a person, generously; so that a look costs the same in May
_NEWEST = 3 * FREE_PER_DAY
# from here on a code run has seen hidden images
CHARGED_PHASES = ("hidden", "scoring")
# reasons in the ledger (quota_ledger.py tells them apart)
HANDED_IN = "handed in"
CANCELLED = "cancelled"
OUR_FAILURE = "IE: a failure of the server"

# The statements are made once: putting one together takes longer than asking it.
_OF_DAY = (
    QuotaEntry.assignment_id == sa.bindparam("assignment"),
    QuotaEntry.day == sa.bindparam("day"),
)
# What was charged to a team's day, less what was refunded
_OWN = (
    sa.select(sa.func.coalesce(sa.func.sum(QuotaEntry.amount), 0))
    .where(QuotaEntry.team_id == sa.bindparam("team"), *_OF_DAY)
    .scalar_subquery()
)
_PRESENT = sa.select(TeamMember.user_id).where(TeamMember.team_id == sa.bindparam("team"))
_NEVER = sa.null().cast(UtcDateTime)


def _by_member(of_these: sa.ColumnElement[bool]) -> sa.Subquery:
    """What each present member of some teams took part in, in whichever team that was."""
    # from when to when they were in which team of the course
    stays = sa.union_all(
        sa.select(
            TeamMember.team_id.label("present_in"),
            TeamMember.user_id,
            TeamMember.team_id,
            TeamMember.joined_at,
            _NEVER.label("left_at"),
        ).where(of_these),
        sa.select(
            TeamMember.team_id,
            FormerMember.user_id,
            FormerMember.team_id,
            FormerMember.joined_at,
            FormerMember.left_at,
        )
        .join(FormerMember, FormerMember.user_id == TeamMember.user_id)
        .where(of_these),
    ).subquery()
    return (
        sa.select(stays.c.present_in, sa.func.sum(QuotaEntry.amount).label("used"))
        .select_from(stays)
        .join(QuotaEntry, QuotaEntry.team_id == stays.c.team_id)
        .join(Submission, Submission.id == QuotaEntry.submission_id)
        .where(
            *_OF_DAY,
            sa.or_(stays.c.joined_at.is_(None), Submission.accepted_at >= stays.c.joined_at),
            sa.or_(stays.c.left_at.is_(None), Submission.accepted_at < stays.c.left_at),
        )
        .group_by(stays.c.present_in, stays.c.user_id)
        .subquery()
    )


_BY_MEMBER = _by_member(TeamMember.team_id == sa.bindparam("team"))
# What counts: the most that any present member took part in. Whoever leaves, joins or is moved
# keeps what they used, and a new team is no way to a new limit
_USED = sa.case(
    (
        _PRESENT.exists(),
        sa.select(sa.func.coalesce(sa.func.max(_BY_MEMBER.c.used), 0)).scalar_subquery(),
    ),
    else_=_OWN,
)
# the same for several teams: of those that have members, and of those that have none any more
_THESE: sa.BindParameter[Any] = sa.bindparam("teams", expanding=True)
_BY_MEMBERS = _by_member(TeamMember.team_id.in_(_THESE))
_USED_BY_TEAM = sa.union_all(
    sa.select(_BY_MEMBERS.c.present_in, sa.func.max(_BY_MEMBERS.c.used)).group_by(
        _BY_MEMBERS.c.present_in
    ),
    sa.select(QuotaEntry.team_id, sa.func.sum(QuotaEntry.amount))
    .where(
        QuotaEntry.team_id.in_(_THESE),
        ~sa.select(TeamMember.user_id).where(TeamMember.team_id == QuotaEntry.team_id).exists(),
        *_OF_DAY,
    )
    .group_by(QuotaEntry.team_id),
)
_NEWEST_OF_PERSON = (
    sa.select(Submission.counted, Submission.upload_started_at)
    .where(
        Submission.assignment_id == sa.bindparam("assignment"),
        Submission.user_id == sa.bindparam("person"),
    )
    .order_by(Submission.id.desc())
    .limit(_NEWEST)
    .subquery()
)
# how many hand-ins of the day cost nothing; looked for among the person's newest
_FREE = (
    sa.select(sa.func.count())
    .select_from(_NEWEST_OF_PERSON)
    .where(
        _NEWEST_OF_PERSON.c.counted.is_(False),
        _NEWEST_OF_PERSON.c.upload_started_at >= sa.bindparam("begin", type_=UtcDateTime),
        _NEWEST_OF_PERSON.c.upload_started_at < sa.bindparam("end", type_=UtcDateTime),
    )
    .scalar_subquery()
)
# committed to, and not here yet: each takes one of the day it was committed on, and goes with
# whoever committed
_COMMITTED = (
    sa.select(sa.func.count())
    .select_from(Upload)
    .where(
        Upload.assignment_id == sa.bindparam("assignment"),
        sa.or_(Upload.team_id == sa.bindparam("team"), Upload.user_id.in_(_PRESENT)),
        Upload.closed_at.is_(None),
        Upload.expires_at > sa.bindparam("now", type_=UtcDateTime),
        Upload.committed_at >= sa.bindparam("begin", type_=UtcDateTime),
        Upload.committed_at < sa.bindparam("end", type_=UtcDateTime),
    )
    .scalar_subquery()
)
_ADD = sa.insert(QuotaEntry.__table__)
_TAKEN = _USED + _COMMITTED
_USED_ALONE = sa.select(_TAKEN)
_COMING = sa.select(_COMMITTED)
# the columns of `Spent`, for statements that ask for more (submissions/deciding.py)
USED_AND_FREE = (_TAKEN, _FREE)
_USED_AND_FREE = sa.select(*USED_AND_FREE)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What was used of a day: what a team was charged, and what of a person cost nothing."""

    used: int
    free: int


@dataclass(frozen=True, kw_only=True)
class Quota:
    """The daily limit of a team; `limit` and `remaining` are None where there is none."""

    limit: int | None
    used: int
    remaining: int | None
    resets_at: datetime | None  # aware, UTC: the next midnight in the course's time zone


def quota(session: Session, assignment: Assignment, team: Team, now: datetime) -> Quota:
    """How much of today's limit a team has used. Reads only."""
    day = asked(assignment, team, now)
    return _left(assignment, team, int(session.scalar(_USED_ALONE, day) or 0), now)


def of_teams(
    session: Session, assignment: Assignment, teams: Collection[Team], now: datetime
) -> dict[int, Quota]:
    """The same for several teams, by their number, in one query."""
    if len(teams) == 1:
        [team] = teams
        return {team.id: quota(session, assignment, team, now)}
    asked = {
        "assignment": assignment.id,
        "day": course_day(now, zone_of(assignment.course)),
        "teams": [team.id for team in teams],
    }
    used = {number: int(amount) for number, amount in session.execute(_USED_BY_TEAM, asked)}
    return {team.id: _left(assignment, team, used.get(team.id, 0), now) for team in teams}


def coming(session: Session, assignment: Assignment, team: Team, now: datetime) -> int:
    """How much of what is used today is for uploads that have not arrived. Reads only."""
    return int(session.scalar(_COMING, asked(assignment, team, now)) or 0)


def left_today(
    assignment: Assignment, team: Team, at: datetime, spent: Spent, *, charged: bool
) -> Quota | None:
    """The same after a hand-in of the moment `at`, before which so much was spent; None where
    that was another day."""
    zone, now = zone_of(assignment.course), utcnow()
    if course_day(now, zone) != course_day(at, zone):
        return None
    return _left(assignment, team, spent.used + charged, now)


def _left(assignment: Assignment, team: Team, used: int, now: datetime) -> Quota:
    limit = limit_of(assignment, team)
    if limit is None:
        return Quota(limit=None, used=used, remaining=None, resets_at=None)
    return Quota(
        limit=limit,
        used=used,
        remaining=max(0, limit - used),
        resets_at=next_midnight(now, zone_of(assignment.course)),
    )


def limit_of(assignment: Assignment, team: Team) -> int | None:
    """Hand-ins a day; None where there is no limit (0 in the settings, and for baselines)."""
    return schedule.terms(assignment, team).daily_limit


def asked(assignment: Assignment, team: Team, at: datetime) -> dict[str, Any]:
    """What USED_AND_FREE is asked with, for the day of a moment, beside `person`, their id."""
    zone = zone_of(assignment.course)
    return {
        **_whose(assignment, team),
        "day": course_day(at, zone),
        "begin": midnight_before(at, zone),
        "end": next_midnight(at, zone),
        "now": utcnow(),
    }


def spent(
    session: Session, assignment: Assignment, team: Team, person: User, at: datetime
) -> Spent:
    """What was used of the day of a moment. Reads only."""
    about = {**asked(assignment, team, at), "person": person.id}
    used, free = session.execute(_USED_AND_FREE, about).one()
    return Spent(used=int(used), free=free)


def check(assignment: Assignment, team: Team, at: datetime, spent: Spent, *, is_free: bool) -> None:
    """Refuse one hand-in too many, by what the accepting transaction found spent.

    Raises:
        QuotaExceeded: the team has none left.
    """
    if team.is_baseline:
        return
    zone = zone_of(assignment.course)
    resets_at = next_midnight(at, zone)
    wait = max(1, int((resets_at - utcnow()).total_seconds()) + 1)
    if spent.free >= FREE_PER_DAY:
        raise QuotaExceeded(
            said("quota.failed_uploads", count=FREE_PER_DAY),
            retry_after=wait,
        )
    limit = limit_of(assignment, team)
    if not is_free and limit is not None and spent.used >= limit:
        resets = f"{resets_at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
        raise QuotaExceeded(said("quota.used_up", limit=limit, resets=resets), retry_after=wait)


def check_joint(session: Session, assignment: Assignment, source: Team, target: Team) -> None:
    """Refuse to make one team of two.

    Raises:
        NotAllowedNow: on some day the two together handed in more than one team may.
    """
    limit = limit_of(assignment, target)
    if limit is None:
        return
    used = sa.func.sum(QuotaEntry.amount)
    days = session.execute(
        sa.select(QuotaEntry.day, used)
        .where(
            QuotaEntry.assignment_id == assignment.id,
            QuotaEntry.team_id.in_((source.id, target.id)),
        )
        .group_by(QuotaEntry.day)
        .having(used > limit)
        .order_by(QuotaEntry.day)
    ).first()
    if days is not None:
        raise NotAllowedNow(
            said(
                "team.joint_quota",
                count=days[1],
                day=days[0],
                assignment=assignment.title,
                limit=limit,
            )
        )


def charge(session: Session, assignment: Assignment, submission: Submission) -> None:
    """Charge an accepted hand-in to the day its upload started."""
    day = course_day(submission.upload_started_at, zone_of(assignment.course))
    session.connection().execute(_ADD, _entry(submission, day, 1, HANDED_IN))
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
