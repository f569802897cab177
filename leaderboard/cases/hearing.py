"""The team is given notice and may reply; an unfounded case is closed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard.cases import entries, telling
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.models import Case, CaseState, Step, User

SHORTEST_TIME: Final = timedelta(days=1)  # to reply
USUAL_TIME: Final = timedelta(days=7)
LONGEST_TIME: Final = timedelta(days=90)
MOST_REPLIES: Final = 20


def give_notice(
    session: Session, case: Case, text: str, *, reply_until: datetime, actor: User | None
) -> None:
    """Tell the team what is asked and why, and until when it may reply before it is decided.

    Opens its own write transaction.

    Raises:
        BadRequest: no text, or too little or too much time to reply.
        NotAllowedNow: notice was given before, or the case is decided.
    """
    text = entries.checked(text)
    if not SHORTEST_TIME <= reply_until - utcnow() + timedelta(minutes=1) <= LONGEST_TIME:
        raise BadRequest(said("case.reply_time", least=SHORTEST_TIME.days, most=LONGEST_TIME.days))
    with writing(session):
        hold(session, case)
        if case.state is not CaseState.OPEN:
            raise NotAllowedNow(said("case.not_open"))
        case.state, case.reply_until = CaseState.NOTICED, reply_until
        case.submission.revision += 1
        entry = entries.add(
            session, case, Step.NOTICE, text, actor=actor, reply_until=reply_until.isoformat()
        )
        telling.tell_team(session, case, entry)


def reply(session: Session, case: Case, text: str, *, actor: User) -> None:
    """Keep what the team says to it, and tell the instructors.

    One that comes after the date is taken too, as long as nothing is decided. Opens its own write
    transaction.

    Raises:
        BadRequest: no text.
        NotAllowedNow: the case is decided, or the team has replied very often.
    """
    text = entries.checked(text)
    with writing(session):
        hold(session, case)
        if case.state is not CaseState.NOTICED:
            raise NotAllowedNow(said("case.decided"))
        if sum(each.step is Step.REPLY for each in case.entries) >= MOST_REPLIES:
            raise NotAllowedNow(said("case.many_replies", most=MOST_REPLIES))
        entry = entries.add(session, case, Step.REPLY, text, actor=actor)
        telling.tell_instructors(session, case, entry)


def close(session: Session, case: Case, reason: str, *, actor: User | None) -> None:
    """End a case that is unfounded: the submission stands. A team that was told of it is told.

    Opens its own write transaction.

    Raises:
        BadRequest: no reason.
        NotAllowedNow: the case is decided.
    """
    reason = entries.checked(reason)
    with writing(session):
        hold(session, case)
        if case.state not in (CaseState.OPEN, CaseState.NOTICED):
            raise NotAllowedNow(said("case.decided"))
        was_told = case.state is CaseState.NOTICED
        case.state = CaseState.CLOSED
        entry = entries.add(session, case, Step.CLOSED, reason, actor=actor)
        if was_told:
            case.submission.revision += 1
            telling.tell_team(session, case, entry)


def may_be_voided(case: Case, now: datetime) -> bool:
    """Whether the team was given notice, and has replied or let the date pass."""
    if case.state is not CaseState.NOTICED or case.reply_until is None:
        return False
    has_replied = any(each.step is Step.REPLY for each in case.entries)
    return has_replied or now >= case.reply_until


def hold(session: Session, case: Case) -> None:
    """Read a case as it is now, and keep others from changing it until the transaction ends."""
    session.flush()
    session.refresh(case, with_for_update=True)
