"""A case is opened by the flag MEM, or by an instructor; the team is shown nothing by that."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.scoring import memorised
from grader.words.message import said
from leaderboard.cases import entries, telling
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.models import (
    Case,
    CaseCause,
    CaseState,
    Evaluation,
    Step,
    Submission,
    User,
)


def open_flagged(session: Session, submission: Submission, evaluation: Evaluation) -> None:
    """Open a case about a submission that is flagged MEM, in the publishing transaction.

    Once a submission: a rejudge does not ask again what instructors have decided.
    """
    if memorised.FLAG not in evaluation.flags or _of(session, submission).first() is not None:
        return
    case = _new(submission, CaseCause.MEM, evaluation)
    session.add(case)
    session.flush()
    entry = entries.add(session, case, Step.OPENED, "", actor=None, evaluation=evaluation.number)
    telling.tell_instructors(session, case, entry, mail=False)


def open_by_hand(
    session: Session, submission: Submission, grounds: str, *, actor: User | None
) -> Case:
    """Open a case about any submission of a team; `grounds` are what an instructor has seen.

    Opens its own write transaction.

    Raises:
        BadRequest: no grounds are given, or it is a reference's.
        NotAllowedNow: a case about it is not decided yet, or it is voided.
    """
    text = entries.checked(grounds)
    if submission.team.is_baseline:
        raise BadRequest(said("case.reference"))
    with writing(session):
        session.refresh(submission, with_for_update={"key_share": True})
        if any(case.state is not CaseState.CLOSED for case in _of(session, submission)):
            raise NotAllowedNow(said("case.undecided", submission=submission.public_id))
        case = _new(submission, CaseCause.STAFF, None)
        session.add(case)
        session.flush()
        entries.add(session, case, Step.OPENED, text, actor=actor)
    return case


def _of(session: Session, submission: Submission) -> sa.ScalarResult[Case]:
    return session.scalars(sa.select(Case).where(Case.submission_id == submission.id))


def _new(submission: Submission, cause: CaseCause, evaluation: Evaluation | None) -> Case:
    return Case(
        course_id=submission.assignment.course_id,
        submission_id=submission.id,
        cause=cause,
        evaluation_id=evaluation.id if evaluation else None,
        state=CaseState.OPEN,
        opened_at=utcnow(),
    )
