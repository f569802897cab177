"""What is voided, against the steps of its case: nobody's submission counts no more unheard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.cases.entries import hash_of
from leaderboard.models import AuditEvent, Case, CaseEntry, CaseState, Step, Submission, User
from leaderboard.operations.verifying.difference import Difference
from leaderboard.state import State

_LAST_STEPS = {
    CaseState.OPEN: {Step.OPENED},
    CaseState.NOTICED: {Step.NOTICE, Step.REPLY},
    CaseState.VOIDED: {Step.VOIDED},
    CaseState.CLOSED: {Step.CLOSED, Step.RESTORED},
}

_ERASED = sa.select(User.id).where(User.erased_at.is_not(None))


def look(session: Session, state: State) -> Iterator[Difference | None]:
    """One step a case; submissions that are voided by no case, and the other way round, follow."""
    authors, erased = _authors(session), set(session.scalars(_ERASED))
    voiding: set[int] = set()
    for case in session.scalars(sa.select(Case).order_by(Case.id)):
        if case.state is CaseState.VOIDED:
            voiding.add(case.submission_id)
        reason = _fault(case) or _word_fault(case, authors, erased)
        yield Difference(subject=f"case:{case.id}", reason=reason) if reason else None
    suspects = session.execute(
        sa.select(Submission.id, Submission.public_id, Submission.voided_at)
        .where(sa.or_(Submission.voided_at.is_not(None), Submission.id.in_(voiding)))
        .order_by(Submission.id)
    )
    for row in suspects:
        if row.voided_at is None:
            yield Difference(subject=row.public_id, reason="counts, and its case voids it")
        elif row.id not in voiding:
            yield Difference(subject=row.public_id, reason="is voided, and no case says so")


def _fault(case: Case) -> str:
    steps = case.entries
    if not steps or steps[-1].step not in _LAST_STEPS[case.state]:
        return f"is {case.state.value}, which its steps do not say"
    if any(not _was_heard(case, entry) for entry in steps if entry.step is Step.VOIDED):
        return "its submission was voided before the team was heard"
    return ""


def _authors(session: Session) -> dict[int, int | None]:
    """Whose each step was, by the audit log."""
    events = session.execute(
        sa.select(AuditEvent.details, AuditEvent.actor_user_id).where(
            AuditEvent.action.in_([f"case.{step.value}" for step in Step])
        )
    )
    return {details["entry"]: actor for details, actor in events if "entry" in details}


def _word_fault(case: Case, authors: Mapping[int, int | None], erased: Set[int]) -> str:
    """What is wrong with who said what. Words go with whoever is erased, and with nobody else."""
    team = case.submission.team
    is_gone = {case.submission.user_id, *(each.user_id for each in team.members)} & erased
    for entry in case.entries:
        author = authors.get(entry.id)
        if entry.user_id != author and not (entry.user_id is None and author in erased):
            return "one of its steps is put down to somebody else"
        is_forgotten = not entry.text and (is_gone or author in erased)
        if entry.text_sha256 != hash_of(entry.text) and not is_forgotten:
            return "what was written in it was changed"
    return ""


def _was_heard(case: Case, voided: CaseEntry) -> bool:
    before = {entry.step for entry in case.entries if entry.id < voided.id}
    has_passed = case.reply_until is not None and voided.at >= case.reply_until
    return Step.NOTICE in before and (Step.REPLY in before or has_passed)
