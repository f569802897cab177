"""One question a submission about its grade: asked in a window after publication, then answered.

The thread has an owner, a date until which it is to be answered, and an outcome. A grade itself is
changed as any other is (marks.py, a rescore), and published anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts.rights import sections as rights
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.grades import publishing, telling
from leaderboard.models import (
    Course,
    Enrolment,
    Outcome,
    Regrade,
    RegradeMessage,
    Role,
    SavedReply,
    Submission,
    User,
)

WINDOW: Final = timedelta(days=14)  # to ask, after a grade was published or changed
ANSWERED_WITHIN: Final = timedelta(days=7)
LONGEST: Final = 10_000  # characters of a message
MOST_MESSAGES: Final = 100
_LONGEST_TITLE: Final = 100
_SOON: Final = timedelta(days=1)
_NO_ID: Final = 1 << 31  # beyond what a database numbers rows with


def asked_until(session: Session, submission: Submission, user: User) -> datetime | None:
    """Until when a person may ask about the grade that a submission got them; None: it got none."""
    grade = publishing.of_person(session, submission.assignment, user)
    if grade is None or grade.submission_id != submission.id:
        return None
    return grade.published_at + WINDOW


def ask(session: Session, submission: Submission, text: str, *, actor: User) -> Regrade:
    """Ask about a grade; the instructors are told. Opens its own write transaction.

    Raises:
        BadRequest: no text, or too much.
        NotAllowedNow: the grade is not published, the window is over, or it is asked already.
    """
    text = _checked(text)
    with writing(session):
        until = asked_until(session, submission, actor)
        if until is None:
            raise NotAllowedNow(said("regrade.no_grade"))
        if utcnow() > until:
            raise NotAllowedNow(said("regrade.over", until=f"{until:%Y-%m-%d %H:%M}"))
        publishing.hold(session, submission.assignment)
        if of_submission(session, submission) is not None:
            raise NotAllowedNow(said("regrade.asked"))
        made = Regrade(
            course_id=submission.assignment.course_id,
            submission_id=submission.id,
            due_at=utcnow() + ANSWERED_WITHIN,
            opened_at=utcnow(),
        )
        session.add(made)
        session.flush()
        _write(session, made, text, actor=actor, is_staff=False)
        _record(session, "ask", made, actor)
    return made


def reply(
    session: Session, regrade: Regrade, text: str, *, actor: User | None, is_staff: bool
) -> None:
    """Go on with a thread; the other side is told. Opens its own write transaction.

    Raises:
        BadRequest: no text, or too much.
        NotAllowedNow: it is closed, or very long already.
    """
    text = _checked(text)
    with writing(session):
        _hold_open(session, regrade)
        _write(session, regrade, text, actor=actor, is_staff=is_staff)
        _record(session, "reply", regrade, actor)


def settle(
    session: Session, regrade: Regrade, outcome: Outcome, text: str, *, actor: User | None
) -> None:
    """Close a thread with its outcome and a last word. Opens its own write transaction.

    Raises:
        BadRequest: no text, or too much.
        NotAllowedNow: it is closed.
    """
    text = _checked(text)
    with writing(session):
        _hold_open(session, regrade)
        regrade.outcome, regrade.closed_at = outcome, utcnow()
        session.flush()
        _write(session, regrade, text, actor=actor, is_staff=True)
        _record(session, "settle", regrade, actor)


def assign(
    session: Session,
    regrade: Regrade,
    *,
    owner: User | None,
    due_at: datetime,
    actor: User | None,
) -> None:
    """Say who answers, and until when. Opens its own write transaction.

    Raises:
        BadRequest: the owner is not of the teaching team.
        NotAllowedNow: it is closed.
    """
    with writing(session):
        _hold_open(session, regrade)
        team = {each.id for each in teaching_team(session, regrade.course)}
        if owner is not None and owner.id not in team:
            raise BadRequest(said("regrade.no_staff"))
        regrade.owner_id, regrade.due_at = owner.id if owner else None, due_at
        session.flush()
        session.expire(regrade, ["owner"])
        _record(session, "assign", regrade, actor)


def of_course(session: Session, course: Course, sections: Sequence[str] = ()) -> Sequence[Regrade]:
    """A course's threads, or those of some sections' teams: the open ones first, by the date of the
    answer."""
    about = joinedload(Regrade.submission)
    theirs = [Regrade.submission.has(Submission.team_id.in_(rights.teams(course.id, sections)))]
    return session.scalars(
        sa.select(Regrade)
        .where(Regrade.course_id == course.id, *(theirs if sections else ()))
        .options(
            about.joinedload(Submission.assignment),
            about.joinedload(Submission.team),
            joinedload(Regrade.owner),
        )
        .order_by(Regrade.closed_at.is_not(None), Regrade.due_at, Regrade.id)
    ).all()


def count_due(session: Session, course: Course, now: datetime) -> int:
    """How many open threads are to be answered within a day, or should have been."""
    query = sa.select(sa.func.count()).select_from(Regrade)
    is_due = (Regrade.closed_at.is_(None), Regrade.due_at <= now + _SOON)
    return session.scalar(query.where(Regrade.course_id == course.id, *is_due)) or 0


def of_submission(session: Session, submission: Submission) -> Regrade | None:
    """The thread about a submission."""
    return session.scalars(sa.select(Regrade).where(Regrade.submission_id == submission.id)).first()


def one(session: Session, course: Course, regrade_id: int) -> Regrade:
    """One of a course's threads.

    Raises:
        NotFound: the course has no such thread.
    """
    found = session.get(Regrade, regrade_id) if regrade_id < _NO_ID else None
    if found is None or found.course_id != course.id:
        raise NotFound(said("regrade.none", regrade=regrade_id))
    return found


def teaching_team(session: Session, course: Course) -> Sequence[User]:
    """Who may answer."""
    return session.scalars(
        sa.select(User)
        .join(Enrolment, Enrolment.user_id == User.id)
        .where(
            Enrolment.course_id == course.id,
            Enrolment.role.in_((Role.ASSISTANT, Role.INSTRUCTOR)),
        )
        .order_by(User.name)
    ).all()


def saved_replies(session: Session, course: Course) -> Sequence[SavedReply]:
    """The course's, by title."""
    return session.scalars(
        sa.select(SavedReply).where(SavedReply.course_id == course.id).order_by(SavedReply.title)
    ).all()


def save_reply(
    session: Session, course: Course, title: str, text: str, *, actor: User | None
) -> SavedReply:
    """Keep a reply; one of the same title is replaced. Opens its own write transaction.

    Raises:
        BadRequest: no title or text, or too much of one.
    """
    title, text = title.strip(), _checked(text)
    if not title or len(title) > _LONGEST_TITLE:
        raise BadRequest(said("regrade.title", most=_LONGEST_TITLE))
    with writing(session):
        known = [each for each in saved_replies(session, course) if each.title == title]
        made = known[0] if known else SavedReply(course_id=course.id, title=title, text=text)
        made.text = text
        session.add(made)
        session.flush()
        _note(session, "save", course, made.id, actor)
    return made


def forget_reply(session: Session, course: Course, reply_id: int, *, actor: User | None) -> None:
    """Keep a reply no longer. Opens its own write transaction. Repeatable."""
    with writing(session):
        found = session.get(SavedReply, reply_id) if reply_id < _NO_ID else None
        if found is not None and found.course_id == course.id:
            session.delete(found)
            session.flush()
            _note(session, "forget", course, reply_id, actor)


def _checked(text: str) -> str:
    text = "\n".join(line.rstrip() for line in text.splitlines()).strip()
    if not text:
        raise BadRequest(said("case.no_text"))
    if len(text) > LONGEST:
        raise BadRequest(said("case.long_text", most=LONGEST))
    return text


def _hold_open(session: Session, regrade: Regrade) -> None:
    session.flush()
    session.refresh(regrade, with_for_update=True)
    if regrade.closed_at is not None:
        raise NotAllowedNow(said("regrade.closed"))
    if len(regrade.messages) >= MOST_MESSAGES:
        raise NotAllowedNow(said("regrade.long", most=MOST_MESSAGES))


def _write(
    session: Session, regrade: Regrade, text: str, *, actor: User | None, is_staff: bool
) -> None:
    made = RegradeMessage(
        regrade_id=regrade.id,
        user_id=actor.id if actor else None,
        is_staff=is_staff,
        text=text,
        at=utcnow(),
    )
    session.add(made)
    session.flush()
    session.expire(regrade, ["messages"])
    telling.tell_regrade(session, regrade, number=made.id, to_team=is_staff)


def _record(session: Session, step: str, regrade: Regrade, actor: User | None) -> None:
    audit.record(
        session,
        action=f"regrade.{step}",
        subject=f"regrade:{regrade.id}",
        course=regrade.course,
        actor=actor,
        details={
            "submission": regrade.submission.public_id,
            "outcome": regrade.outcome.value if regrade.outcome else None,
        },
    )


def _note(session: Session, step: str, course: Course, reply_id: int, actor: User | None) -> None:
    details: dict[str, Any] = {"reply": reply_id}
    audit.record(
        session,
        action=f"regrade.{step}",
        subject=f"course:{course.id}",
        course=course,
        actor=actor,
        details=details,
    )
