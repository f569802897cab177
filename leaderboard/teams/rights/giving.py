"""What a person is in a course, of which sections and until when, as instructors decide."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import courses
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.models import Course, Enrolment, Role, User
from leaderboard.teams import proofs
from leaderboard.teams.class_list import LONGEST_SECTION

ROLES: Final = (Role.STUDENT, Role.AUDITOR, Role.ASSISTANT, Role.EXAMINER, Role.INSTRUCTOR)
LONGEST: Final = timedelta(days=366)  # of an external examiner's rights
_MOST_SECTIONS: Final = 50


def give(
    session: Session,
    course: Course,
    user: User,
    role: Role,
    *,
    sections: Sequence[str] = (),
    until: datetime | None = None,
    actor: User | None,
) -> Enrolment:
    """Make somebody who is in a course what they are to be there.

    Args:
        sections: what an assistant is confined to; none: they see everybody.
        until: when their place in the course ends; None: never. An examiner's needs a date.

    Opens its own write transaction.

    Raises:
        NotFound: they are not in the course.
        BadRequest: sections for somebody else than an assistant, too many or too long ones; a date
            that is over, or none or a late one for an examiner.
        NotAllowedNow: nobody would be left who may change this, the address is not proved, or they
            have handed in and would become an auditor, or no longer be one.
    """
    sees = _checked(sections, role)
    _check_end(role, until)
    if role.is_staff:
        proofs.check_proved(user)
    with writing(session):
        found = session.scalars(
            sa.select(Enrolment)
            .filter_by(course_id=course.id, user_id=user.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).first()
        if found is None:
            raise NotFound
        if found.role is Role.INSTRUCTOR and (role is not Role.INSTRUCTOR or until is not None):
            _check_others(session, course, user)
        courses.enrol_within(session, course, user, role, actor=actor)
        found.sees, found.ends_at = list(sees) or None, until
        audit.record(
            session,
            action="course.rights",
            subject=f"user:{user.id}",
            course=course,
            actor=actor,
            details={
                "role": role.value,
                "sections": len(sees),
                "until": until.isoformat() if until else None,
            },
        )
    return found


def split(text: str) -> tuple[str, ...]:
    """Sections as they are typed, separated by semicolons.

    >>> split(" A; B;A ;")
    ('A', 'B')
    """
    return tuple(dict.fromkeys(each.strip() for each in text.split(";") if each.strip()))


def _checked(sections: Sequence[str], role: Role) -> tuple[str, ...]:
    if sections and role is not Role.ASSISTANT:
        raise BadRequest(said("rights.sections_of_assistant"))
    if len(sections) > _MOST_SECTIONS or any(len(each) > LONGEST_SECTION for each in sections):
        raise BadRequest(said("rights.sections", most=_MOST_SECTIONS, longest=LONGEST_SECTION))
    return tuple(sections)


def _check_end(role: Role, until: datetime | None) -> None:
    now = utcnow()
    if until is not None and until <= now:
        raise BadRequest(said("rights.over"))
    if role is Role.EXAMINER and (until is None or until > now + LONGEST):
        raise BadRequest(said("rights.examiner_end", days=LONGEST.days))


def _check_others(session: Session, course: Course, user: User) -> None:
    others = sa.select(Enrolment.id).where(
        Enrolment.course_id == course.id,
        Enrolment.role == Role.INSTRUCTOR,
        Enrolment.user_id != user.id,
        Enrolment.ends_at.is_(None),
    )
    if session.scalars(others).first() is None:
        raise NotAllowedNow(said("rights.last_instructor"))
