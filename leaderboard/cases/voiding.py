"""A submission counts no more, by an instructor's decision; or counts again, by another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

import grader
from grader.words.message import said
from leaderboard.boards import placing
from leaderboard.cases import entries, hearing, telling
from leaderboard.db import utcnow, writing
from leaderboard.errors import NotAllowedNow
from leaderboard.models import (
    Case,
    CaseState,
    Cause,
    Evaluation,
    Step,
    Submission,
    SubmissionStatus,
    User,
)
from leaderboard.rules import catalog

if TYPE_CHECKING:
    from leaderboard.state import State


def void(session: Session, state: State, case: Case, reason: str, *, actor: User | None) -> None:
    """Take a submission off boards, picks and grades once its team was heard. It stays visible.

    What it took of the daily limit it has taken. Opens its own write transaction.

    Raises:
        BadRequest: no reason.
        NotAllowedNow: the team was given no notice, may still reply, or the case is decided.
    """
    reason = entries.checked(reason)
    with writing(session):
        hearing.hold(session, case)
        _check_heard(case)
        _decide(session, state, case, CaseState.VOIDED)
        entry = entries.add(session, case, Step.VOIDED, reason, actor=actor)
        telling.tell_team(session, case, entry)


def restore(session: Session, state: State, case: Case, reason: str, *, actor: User | None) -> None:
    """Let a voided submission count again, and close its case. Opens its own write transaction.

    Raises:
        BadRequest: no reason.
        NotAllowedNow: it is not voided.
    """
    reason = entries.checked(reason)
    with writing(session):
        hearing.hold(session, case)
        if case.state is not CaseState.VOIDED:
            raise NotAllowedNow(said("case.not_voided"))
        _decide(session, state, case, CaseState.CLOSED)
        entry = entries.add(session, case, Step.RESTORED, reason, actor=actor)
        telling.tell_team(session, case, entry)


def _check_heard(case: Case) -> None:
    if case.state is CaseState.OPEN:
        raise NotAllowedNow(said("case.no_notice"))
    if case.state is not CaseState.NOTICED:
        raise NotAllowedNow(said("case.decided"))
    if not hearing.may_be_voided(case, utcnow()):
        assert case.reply_until is not None
        until = f"{case.reply_until:%Y-%m-%d %H:%M} UTC"
        raise NotAllowedNow(said("case.not_heard", until=until))


def _decide(session: Session, state: State, case: Case, to: CaseState) -> None:
    submission = case.submission
    session.refresh(submission, with_for_update={"key_share": True})
    case.state = to
    submission.voided_at = utcnow() if to is CaseState.VOIDED else None
    submission.revision += 1
    session.flush()
    placing.refresh(session, submission.assignment, submission.team)
    if catalog.rules(submission.assignment).scoring.public_board == "ladder":
        _climb_anew(session, state, submission)


def _climb_anew(session: Session, state: State, submission: Submission) -> None:
    """Have the team's later hand-ins scored again: the Ladder's steps rest on the earlier ones."""
    later = session.scalars(
        sa.select(Submission)
        .join(Evaluation, Evaluation.id == Submission.current_evaluation_id)
        .where(
            Submission.assignment_id == submission.assignment_id,
            Submission.team_id == submission.team_id,
            Submission.id > submission.id,
            Submission.status == SubmissionStatus.FINISHED,
            Evaluation.verdict == grader.Verdict.OK.value,
            Evaluation.predictions_sha256.is_not(None),
        )
        .order_by(Submission.id)
    )
    for each in later.all():
        each.evaluation_number += 1
        each.failed_attempts = 0
        state.queue.enqueue(session, each, Cause.RESCORE)
