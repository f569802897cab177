"""Where a team's submissions of a day went: the ledger of quotas.py, a line a charge or refund."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard import quotas
from leaderboard.courses import zone_of
from leaderboard.models import (
    Assignment,
    Kind,
    QuotaEntry,
    Submission,
    SubmissionStatus,
    Team,
)

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


@dataclass(frozen=True, kw_only=True)
class LedgerLine:
    """One charge (amount 1) or refund (-1)."""

    at: datetime  # aware, UTC
    amount: int
    why: Why
    submission_id: str  # its public id
    name: str  # the message it came with, or its file name

    def as_dict(self) -> dict[str, Any]:
        """Give its JSON form."""
        return {
            "at": self.at.isoformat(),
            "amount": self.amount,
            "why": self.why.value,
            "submission": self.submission_id,
            "name": self.name,
        }


def of_day(
    session: Session, assignment: Assignment, team: Team, now: datetime
) -> tuple[LedgerLine, ...]:
    """The lines of the course's calendar day, oldest first; their amounts sum up to what is used.

    Reads only.
    """
    rows = session.execute(
        sa.select(QuotaEntry, Submission)
        .join(Submission, Submission.id == QuotaEntry.submission_id)
        .where(
            QuotaEntry.team_id == team.id,
            QuotaEntry.assignment_id == assignment.id,
            QuotaEntry.day == quotas.course_day(now, zone_of(assignment.course)),
        )
        .order_by(QuotaEntry.at, QuotaEntry.id)
        .limit(_NEWEST)
    )
    return tuple(
        LedgerLine(
            at=entry.at,
            amount=entry.amount,
            why=_why(entry, submission),
            submission_id=submission.public_id,
            name=submission.message or submission.filename,
        )
        for entry, submission in rows
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
