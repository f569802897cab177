"""Courses, enrolments and teams."""

from __future__ import annotations

import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo, available_timezones

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard import audit
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotFound
from leaderboard.models import (
    Assignment,
    Course,
    Enrolment,
    Role,
    Submission,
    Team,
    TeamMember,
    User,
)

DEFAULT_TEAM_SIZE = 4
_CODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def create_course(
    session: Session,
    *,
    code: str,
    title: str,
    term: str = "",
    time_zone: str = "UTC",
    late_days: int = 0,
    team_size: int | None = DEFAULT_TEAM_SIZE,
    actor: User | None = None,
) -> Course:
    """A new course. Opens its own write transaction.

    Raises: BadRequest for a code that is taken or unfit for a URL, or an unknown time zone.
    """
    if not _CODE.fullmatch(code):
        raise BadRequest("A course code is made of a-z, 0-9, '.', '_' and '-'.")
    if time_zone not in available_timezones():
        raise BadRequest(f"{time_zone!r} is no time zone; an example is Asia/Shanghai.")
    with writing(session):
        if session.scalars(sa.select(Course).where(Course.code == code)).first():
            raise BadRequest(f"There is a course {code!r} already.")
        course = Course(
            code=code,
            title=title,
            term=term,
            time_zone=time_zone,
            late_days=late_days,
            team_size=team_size,
            created_at=utcnow(),
        )
        session.add(course)
        session.flush()
        audit.record(
            session,
            action="course.create",
            subject=f"course:{course.id}",
            course=course,
            actor=actor,
        )
    return course


def course_by_code(session: Session, code: str) -> Course:
    """Raises: NotFound."""
    course = session.scalars(sa.select(Course).where(Course.code == code)).first()
    if course is None:
        raise NotFound(f"There is no course {code!r}.")
    return course


def user_by_email(session: Session, email: str) -> User:
    """Raises: NotFound."""
    user = session.scalars(sa.select(User).where(User.email == email.strip().lower())).first()
    if user is None:
        raise NotFound(f"There is no account {email!r}.")
    return user


def enrol(
    session: Session,
    course: Course,
    user: User,
    role: Role,
    *,
    section: str = "",
    team_name: str = "",
    actor: User | None = None,
) -> Enrolment:
    """Enrol a person or change their role. Students and baselines get a team of their own.

    Repeating it changes nothing. Opens its own write transaction.
    """
    with writing(session):
        enrolment = session.scalars(
            sa.select(Enrolment).filter_by(course_id=course.id, user_id=user.id)
        ).first()
        if enrolment is None:
            enrolment = Enrolment(course_id=course.id, user_id=user.id, role=role, section=section)
            session.add(enrolment)
        enrolment.role = role
        enrolment.section = section or enrolment.section
        if role in (Role.STUDENT, Role.BASELINE):
            give_team(session, course, user, team_name, is_baseline=role is Role.BASELINE)
        audit.record(
            session,
            action="course.enrol",
            subject=f"user:{user.id}",
            course=course,
            actor=actor,
            details={"role": role.value},
        )
    return enrolment


def team_of(session: Session, course: Course, user: User) -> Team | None:
    """The user's team in a course."""
    return session.scalars(
        sa.select(Team)
        .join(TeamMember, TeamMember.team_id == Team.id)
        .where(TeamMember.course_id == course.id, TeamMember.user_id == user.id)
    ).first()


def assignments(session: Session, course: Course) -> Sequence[Assignment]:
    """The course's assignments, by title."""
    return session.scalars(
        sa.select(Assignment).where(Assignment.course_id == course.id).order_by(Assignment.title)
    ).all()


def submissions_of_team(
    session: Session,
    assignment: Assignment,
    team: Team,
    *,
    before_id: int | None = None,
    limit: int = 200,
) -> Sequence[Submission]:
    """A team's submissions to an assignment, newest first; `before_id` continues a page."""
    query = sa.select(Submission).where(
        Submission.assignment_id == assignment.id, Submission.team_id == team.id
    )
    if before_id is not None:
        query = query.where(Submission.id < before_id)
    return session.scalars(query.order_by(Submission.id.desc()).limit(limit)).all()


def submissions_of_assignment(
    session: Session, assignment: Assignment, *, before_id: int | None = None, limit: int = 100
) -> Sequence[Submission]:
    """Everybody's submissions, newest first; `before_id` continues a page. Staff only."""
    query = sa.select(Submission).where(Submission.assignment_id == assignment.id)
    if before_id is not None:
        query = query.where(Submission.id < before_id)
    return session.scalars(query.order_by(Submission.id.desc()).limit(limit)).all()


def zone_of(course: Course) -> ZoneInfo:
    """The time zone that the course's days are counted in."""
    return ZoneInfo(course.time_zone)


def give_team(
    session: Session, course: Course, user: User, wanted: str, *, is_baseline: bool
) -> Team:
    """The user's team, made if they have none, within the caller's write transaction."""
    team = team_of(session, course, user)
    if team is None:
        team = Team(
            course_id=course.id,
            name=_free_name(session, course, wanted or user.name),
            is_baseline=is_baseline,
            created_at=utcnow(),
        )
        session.add(team)
        session.flush()
        session.add(TeamMember(team_id=team.id, user_id=user.id, course_id=course.id))
        session.flush()
    team.is_baseline = is_baseline
    return team


def _free_name(session: Session, course: Course, wanted: str) -> str:
    """The wanted team name, or the first of `name 2`, `name 3`… that nobody has."""
    wanted = wanted.strip()[:90] or "Team"
    taken = set(
        session.scalars(
            sa.select(Team.name).where(
                Team.course_id == course.id, Team.name.startswith(wanted, autoescape=True)
            )
        )
    )
    candidate, number = wanted, 1
    while candidate in taken:
        number += 1
        candidate = f"{wanted} {number}"
    return candidate
