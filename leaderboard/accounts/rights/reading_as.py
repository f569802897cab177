"""An instructor reads the pages of one student of the course as that student does, and no more.

Kept in the browser's signed cookie beside who has signed in, so that it ends with that session. It
opens nothing to write, nothing of other courses, and nothing of the student's account.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from flask import request
from flask import session as cookie
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts.rights.routes import AUDIENCE, Audience
from leaderboard.db import utcnow, writing
from leaderboard.errors import Forbidden, NotFound
from leaderboard.models import Course, Enrolment, Role, User

LASTS: Final = timedelta(hours=1)
_KEY: Final = "reads_as"  # of the signed cookie's dictionary
_READ: Final = (Role.STUDENT, Role.AUDITOR)
# of the reader themself; the home page shows the one course
_OWN: Final = frozenset(
    {"reading.stop", "auth.sign_out", "auth.choose_language", "auth.choose_theme"}
)
_CLOSED: Final = frozenset({Audience.SIGNED_IN, Audience.OWN})
_OPEN: Final = frozenset({"student.home"})


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Who is read as, in which course, and by whom."""

    student: User
    reader: User
    course_id: int


def begin(session: Session, course: Course, student: User, *, reader: User) -> None:
    """Read as a student of the course from now on. Opens its own write transaction.

    Raises:
        NotFound: they are no student of it.
    """
    if not _is_student(session, course.id, student.id):
        raise NotFound
    with writing(session):
        audit.record(
            session,
            action="course.read_as",
            subject=f"user:{student.id}",
            course=course,
            actor=reader,
        )
    cookie[_KEY] = [course.id, student.id, reader.id, int((utcnow() + LASTS).timestamp())]


def end() -> None:
    """Be oneself again."""
    cookie.pop(_KEY, None)


def of(session: Session, reader: User) -> Reading | None:
    """Whom somebody reads as in this browser, while they may; None for nobody."""
    if not is_begun():
        return None
    course_id, student_id, reader_id, until = cookie[_KEY]
    student = session.get(User, student_id)
    is_held = (
        reader_id == reader.id
        and utcnow().timestamp() < until
        and student is not None
        and _is_student(session, course_id, student_id)
        and (reader.is_admin or _teaches(session, course_id, reader.id))
    )
    if not is_held or student is None:
        end()
        return None
    return Reading(student=student, reader=reader, course_id=course_id)


def is_begun() -> bool:
    """Whether this browser reads as somebody, as far as its cookie tells."""
    return _KEY in cookie


def is_of_the_reader() -> bool:
    """Whether this request is about the reader, whoever they read as."""
    return request.endpoint in _OWN


def check() -> None:
    """Refuse what is more than reading the course's pages, of whoever reads as somebody else.

    Raises:
        Forbidden: it changes something, or is of the student's account.
    """
    endpoint = request.endpoint or ""
    if is_of_the_reader() or endpoint == "static":
        return
    is_open = endpoint in _OPEN or AUDIENCE.get(endpoint) not in _CLOSED
    if request.method not in ("GET", "HEAD", "OPTIONS") or not is_open:
        raise Forbidden(said("access.reads_as"))


def _is_student(session: Session, course_id: int, user_id: int) -> bool:
    return _has_role(session, course_id, user_id, _READ)


def _teaches(session: Session, course_id: int, user_id: int) -> bool:
    return _has_role(session, course_id, user_id, (Role.INSTRUCTOR,))


def _has_role(session: Session, course_id: int, user_id: int, roles: tuple[Role, ...]) -> bool:
    held = sa.select(Enrolment.id).where(
        Enrolment.course_id == course_id,
        Enrolment.user_id == user_id,
        Enrolment.role.in_(roles),
        sa.or_(Enrolment.ends_at.is_(None), Enrolment.ends_at > utcnow()),
    )
    return session.scalars(held).first() is not None
