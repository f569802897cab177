"""Courses, enrolments and teams."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from zoneinfo import available_timezones

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import names
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.models import (
    Assignment,
    Course,
    Enrolment,
    FormerSlug,
    Role,
    Submission,
    Team,
    TeamMember,
    User,
)

DEFAULT_TEAM_SIZE = 4
NEUTRAL = "Team"  # of teams that tell nobody's name; the next ones are numbered
_HELD_TEAM = (
    sa.select(Team.id).where(Team.id == sa.bindparam("team")).with_for_update(key_share=True)
)
_CODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())  # reads a folder of hundreds of files each time


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

    Raises:
        BadRequest: the code is taken or unfit for a URL, or the time zone is unknown.
    """
    if not _CODE.fullmatch(code):
        raise BadRequest(said("course.code"))
    if time_zone not in _zones():
        raise BadRequest(said("course.zone", zone=repr(time_zone)))
    with writing(session):
        if session.scalars(sa.select(Course).where(Course.code == code)).first():
            raise BadRequest(said("course.exists", course=repr(code)))
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
    """The course that has this code.

    Raises:
        NotFound: there is none.
    """
    course = session.scalars(sa.select(Course).where(Course.code == code)).first()
    if course is None:
        raise NotFound(said("course.none", course=repr(code)))
    return course


def user_by_email(session: Session, email: str) -> User:
    """The account of this address, or of this student number, or COURSE/NUMBER.

    Raises:
        NotFound: there is none, or the number is two people's.
    """
    found = users_of_login(session, email)
    if len(found) != 1:
        raise NotFound(said("account.none", address=repr(email)))
    return found[0]


def users_of_login(session: Session, typed: str) -> Sequence[User]:
    """Who signs in by this: an address, or a student number, which two courses may give to two,
    or COURSE/NUMBER.

    Without regard to case.
    """
    login = typed.strip().lower()
    if "@" in login:
        return session.scalars(sa.select(User).where(User.email == login)).all()
    code, _, number = login.partition("/")
    lower = sa.func.lower(Enrolment.number)
    theirs = (
        sa.select(Enrolment.user_id)
        .join(Course, Course.id == Enrolment.course_id)
        .where(sa.or_(lower == login, sa.and_(Course.code == code, lower == number)))
    )
    return session.scalars(sa.select(User).where(User.id.in_(theirs)).order_by(User.id)).all()


def address_of_login(session: Session, typed: str) -> str:
    """The address of whose login it is; what was typed, where that is nobody's or two people's."""
    found = users_of_login(session, typed)
    return found[0].email if len(found) == 1 else typed


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

    Raises:
        NotAllowedNow: they would become an auditor or cease to be one, and have handed in or work
            with others already.
    """
    with writing(session):
        return enrol_within(
            session, course, user, role, section=section, team_name=team_name, actor=actor
        )


def enrol_within(
    session: Session,
    course: Course,
    user: User,
    role: Role,
    *,
    section: str = "",
    team_name: str = "",
    actor: User | None = None,
) -> Enrolment:
    """The same within the caller's write transaction.

    Raises:
        NotAllowedNow: they would become an auditor or cease to be one, and have handed in or work
            with others already.
    """
    enrolment = session.scalars(
        sa.select(Enrolment).filter_by(course_id=course.id, user_id=user.id)
    ).first()
    if enrolment is None:
        enrolment = Enrolment(course_id=course.id, user_id=user.id, role=role, section=section)
        session.add(enrolment)
    if role.is_staff and enrolment.role is not role:
        user.code_sha256 = user.code_expires_at = None  # it was printed for a student
    enrolment.role = role
    enrolment.section = section or enrolment.section
    if role in (Role.STUDENT, Role.AUDITOR, Role.BASELINE):
        _give_team_of(session, course, user, team_name, role)
    audit.record(
        session,
        action="course.enrol",
        subject=f"user:{user.id}",
        course=course,
        actor=actor,
        details={"role": role.value},
    )
    return enrolment


def _give_team_of(session: Session, course: Course, user: User, wanted: str, role: Role) -> None:
    team = team_of(session, course, user)
    is_auditing = role is Role.AUDITOR
    if team is not None and team.is_auditing is not is_auditing:
        others = sa.select(TeamMember.id).where(
            TeamMember.team_id == team.id, TeamMember.user_id != user.id
        )
        work = sa.select(Submission.id).where(Submission.team_id == team.id)
        # ranks and grades of what is there would have to be made or to go
        if session.scalar(sa.select(others.exists() | work.exists())):
            raise NotAllowedNow(said("course.auditor_late", name=user.name))
    team = give_team(session, course, user, wanted, is_baseline=role is Role.BASELINE)
    team.is_auditing = is_auditing


def team_of(session: Session, course: Course, user: User) -> Team | None:
    """The user's team in a course."""
    return session.scalars(
        sa.select(Team)
        .join(TeamMember, TeamMember.team_id == Team.id)
        .where(TeamMember.course_id == course.id, TeamMember.user_id == user.id)
    ).first()


def hands_in(session: Session, user: User, team: Team) -> bool:
    """Whether a person hands in for a team: its member, and no staff of the course."""
    grading = sa.select(Enrolment.id).where(
        Enrolment.course_id == team.course_id,
        Enrolment.user_id == user.id,
        Enrolment.role.in_([role for role in Role if role.is_staff]),
    )
    member = sa.select(TeamMember.id).filter_by(team_id=team.id, user_id=user.id)
    return session.scalar(sa.select(member.exists() & ~grading.exists())) or False


def hold_team(session: Session, team_id: int) -> None:
    """Have whatever decides by a team's state wait for this transaction, or it for them.

    SQLite has one writer anyway.
    """
    if session.get_bind().dialect.name != "sqlite":
        session.connection().execute(_HELD_TEAM, {"team": team_id})


def assignments(session: Session, course: Course) -> Sequence[Assignment]:
    """The course's assignments, by title."""
    return session.scalars(
        sa.select(Assignment).where(Assignment.course_id == course.id).order_by(Assignment.title)
    ).all()


def assignment_of(session: Session, course: Course, slug: str) -> Assignment:
    """The course's assignment that is called this, or that was before it was renamed.

    Raises:
        NotFound: there is none.
    """
    found = called(session, course, slug)
    if found is None:
        raise NotFound(said("assignment.not_of_course", course=course.code, assignment=repr(slug)))
    return found


def called(session: Session, course: Course, slug: str) -> Assignment | None:
    """The same; None if there is none."""
    named = sa.select(Assignment).filter_by(course_id=course.id, slug=slug)
    return session.scalars(named).first() or formerly(session, course, slug)


def formerly(session: Session, course: Course, slug: str) -> Assignment | None:
    """The assignment that had this slug before it was renamed, unless another has it now."""
    return session.scalars(
        sa.select(Assignment)
        .join(FormerSlug, FormerSlug.assignment_id == Assignment.id)
        .where(FormerSlug.course_id == course.id, FormerSlug.slug == slug)
    ).first()


def give_team(
    session: Session, course: Course, user: User, wanted: str, *, is_baseline: bool
) -> Team:
    """The user's team, made if they have none, within the caller's write transaction."""
    team = team_of(session, course, user)
    if team is None:
        team = Team(
            course_id=course.id,
            name=free_name(session, course, wanted or user.name),
            is_baseline=is_baseline,
            created_at=utcnow(),
        )
        session.add(team)
        session.flush()
        session.add(
            TeamMember(
                team_id=team.id, user_id=user.id, course_id=course.id, joined_at=team.created_at
            )
        )
        session.flush()
    team.is_baseline = is_baseline
    return team


def free_name(session: Session, course: Course, wanted: str) -> str:
    """The wanted team name, or one like it that looks like no other team's."""
    others = session.execute(
        sa.select(Team.name, Team.pseudonym).where(Team.course_id == course.id)
    )
    taken = (name for pair in others for name in pair if name)
    return names.free(names.tidy(wanted, instead=NEUTRAL), taken)
