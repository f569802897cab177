"""Withdrawing a submission that waits or runs, by its team or by staff.

The database decides every race: one conditional UPDATE withdraws it or finds that its result was
published first; a worker whose submission was withdrawn finds its claim gone, ends the run and
publishes nothing. A run of ours that was ended so is nobody's failure.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.db import changed_rows, writing
from leaderboard.errors import NotAllowedNow
from leaderboard.models import Cause, Kind, Submission, SubmissionStatus, User
from leaderboard.queue import live_logs
from leaderboard.rules import lateness, quotas

_UNDER_WAY = (SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)


def may_cancel(submission: Submission, *, is_staff: bool) -> bool:
    """Whether it can be withdrawn now: its team may withdraw what it handed in until it has a
    result, staff also what is judged again."""
    if submission.status not in _UNDER_WAY:
        return False
    return is_staff or (
        submission.evaluation_cause is Cause.HAND_IN and submission.current_evaluation_id is None
    )


def cancel(session: Session, submission: Submission, *, actor: User | None, is_staff: bool) -> None:
    """Withdraw a submission. Nothing happens to one that was withdrawn before.

    It becomes `cancelled`, without a verdict; where a result stands already (it is being judged
    again), that result stays. The quota is given back unless the code had begun to run on hidden
    images; a CSV's always is, since a score that was not published is seen by nobody. Opens its
    own write transaction.

    Raises:
        NotAllowedNow: its result was there first, or only staff may end it.
    """
    with writing(session):
        found = session.get_one(Submission, submission.id, with_for_update=True)
        if found.status is SubmissionStatus.CANCELLED:
            return
        if found.status not in _UNDER_WAY:
            raise NotAllowedNow(said("submission.finished"))
        if not may_cancel(found, is_staff=is_staff):
            raise NotAllowedNow(said("submission.rejudged"))
        phase, has_result = found.phase, found.current_evaluation_id is not None
        _withdraw(session, found)
        is_refunded = found.counted and not has_result and not _has_cost(found.kind, phase)
        if is_refunded:
            quotas.refund(session, found, quotas.CANCELLED)
        lateness.settle(session, found.assignment, found.team)
        audit.record(
            session,
            action="submission.cancel",
            subject=found.public_id,
            course=found.assignment.course,
            actor=actor,
            details={
                "evaluation": found.evaluation_number,
                "phase": phase,
                "refunded": is_refunded,
            },
        )


def _withdraw(session: Session, submission: Submission) -> None:
    """The one conditional UPDATE.

    Raises:
        NotAllowedNow: it does not hold any more.
    """
    current = submission.current_evaluation
    withdrawn = changed_rows(
        session,
        sa.update(Submission)
        .where(
            Submission.id == submission.id,
            Submission.evaluation_number == submission.evaluation_number,
            Submission.phase == submission.phase,
            Submission.status.in_(_UNDER_WAY),
        )
        .values(
            status=SubmissionStatus.FINISHED if current else SubmissionStatus.CANCELLED,
            evaluation_cause=current.cause if current else submission.evaluation_cause,
            phase="",
            claimed_by=None,
            revision=Submission.revision + 1,
        ),
    )
    if not withdrawn:
        raise NotAllowedNow(said("submission.finished"))
    live_logs.clear(session, submission.id)
    session.refresh(submission)


def _has_cost(kind: Kind, phase: str) -> bool:
    return kind is Kind.CODE and phase in quotas.CHARGED_PHASES
