"""Where a team's submissions of a day went: the ledger of quotas.py, a line a charge or refund."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.models import (
    Assignment,
    Kind,
    QuotaEntry,
    Submission,
    SubmissionStatus,
    Team,
)
from leaderboard.rules import quotas, schedule
from leaderboard.rules.schedule import zone_of

_NEWEST: Final = 2 * quotas.FREE_PER_DAY
_UNDER_WAY: Final = (SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)


class Why(enum.StrEnum):
    """Why a line is in the ledger."""

    RESERVED = "reserved"  # handed in; may still be given back
    CHARGED = "charged"  # ran on hidden images, or was scored
    TAKEN_BACK = "taken_back"  # was reserved; a later line gives it back
    CANCELLED = "cancelled"  # given back: withdrawn in time
    FAILED_EARLY = "failed_early"  # given back: failed before it ran on hidden images
    OUR_FAILURE = "our_failure"  # given back: the server failed
    BROUGHT = "brought"  # a member handed it in with another team
    LEFT = "left"  # who handed it in is no longer in the team
    COMING = "coming"  # uploads that were begun and have not arrived


@dataclass(frozen=True, kw_only=True)
class LedgerLine:
    """One charge (amount 1) or refund (-1), or what people brought along (any number) or took."""

    at: datetime  # aware, UTC
    amount: int
    why: Why
    submission: str  # its public id; "" for what people brought along
    name: str  # the message it came with, or its file name


def of_day(
    session: Session,
    assignment: Assignment,
    team: Team,
    now: datetime,
    *,
    used: int | None = None,
) -> tuple[LedgerLine, ...]:
    """The lines of the course's calendar day, oldest first; their amounts sum up to what is used.

    Reads only. `used` is what the quota says of that, for whoever asked already.
    """
    lines = tuple(_lines(session, assignment, team, now))
    if used is None:
        used = quotas.quota(session, assignment, team, now).used
    rest = used - sum(line.amount for line in lines)
    return (*lines, *_numbers(session, assignment, team, now, rest)) if rest else lines


def _numbers(
    session: Session, assignment: Assignment, team: Team, now: datetime, rest: int
) -> Iterator[LedgerLine]:
    """What counts beside the team's own: who hands in with whom elsewhere is nobody's business
    here, so that the numbers are told, and no more."""
    coming = quotas.coming(session, assignment, team, now)
    moved = rest - coming
    day = schedule.midnight_before(now, zone_of(assignment.course))
    why = Why.BROUGHT if moved > 0 else Why.LEFT
    for amount, reason in ((moved, why), (coming, Why.COMING)):
        if amount:
            yield LedgerLine(at=day, amount=amount, why=reason, submission="", name="")


def _lines(
    session: Session, assignment: Assignment, team: Team, now: datetime
) -> Iterator[LedgerLine]:
    rows = session.execute(
        sa.select(QuotaEntry, Submission)
        .join(Submission, Submission.id == QuotaEntry.submission_id)
        .where(
            QuotaEntry.team_id == team.id,
            QuotaEntry.assignment_id == assignment.id,
            QuotaEntry.day == schedule.course_day(now, zone_of(assignment.course)),
        )
        .order_by(QuotaEntry.at, QuotaEntry.id)
        .limit(_NEWEST)
    )
    for entry, submission in rows:
        yield LedgerLine(
            at=entry.at,
            amount=entry.amount,
            why=_why(entry, submission),
            submission=submission.public_id,
            name=submission.message or submission.filename,
        )


def _why(entry: QuotaEntry, submission: Submission) -> Why:
    if entry.amount < 0:
        known = {quotas.CANCELLED: Why.CANCELLED, quotas.OUR_FAILURE: Why.OUR_FAILURE}
        return known.get(entry.reason, Why.FAILED_EARLY)
    if not submission.counted:
        return Why.TAKEN_BACK
    can_be_given_back = submission.status in _UNDER_WAY and not (
        submission.kind is Kind.CODE and submission.phase in quotas.CHARGED_PHASES
    )
    has_result = submission.current_evaluation_id is not None
    return Why.RESERVED if can_be_given_back and not has_result else Why.CHARGED
