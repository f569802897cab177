"""Taking a person out of a course."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard import audit
from leaderboard.accounts import courses
from leaderboard.db import writing
from leaderboard.errors import NotFound
from leaderboard.models import Course, Enrolment, User
from leaderboard.teams import membership


def unenrol(session: Session, course: Course, user: User, *, actor: User | None) -> None:
    """Take a person out of a course and their team; what the team handed in stays with it.

    Opens its own write transaction.

    Raises:
        NotFound: they are not in the course.
    """
    with writing(session):
        enrolment = session.scalars(
            sa.select(Enrolment).filter_by(course_id=course.id, user_id=user.id)
        ).first()
        if enrolment is None:
            raise NotFound
        present = courses.team_of(session, course, user)
        if present is not None:
            membership.take_out(session, present, user, actor=actor)
        session.delete(enrolment)
        audit.record(
            session,
            action="course.unenrol",
            subject=f"user:{user.id}",
            course=course,
            actor=actor,
        )
