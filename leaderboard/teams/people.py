"""A course's people as staff look after them: lists, invitations to many, rules for teams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import accounts, courses, names
from leaderboard.db import writing
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.models import Course, Enrolment, Role, Team, TeamMember, User
from leaderboard.teams import invitations, numbers
from leaderboard.teams.class_list import LONGEST_SECTION

_MOST_AT_ONCE = 500
_LARGEST_TEAM = 50


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody in a course, with their team there."""

    user: User
    role: Role
    section: str
    number: str
    team: Team | None
    sees: tuple[str, ...] = ()  # the sections that an assistant is confined to
    ends_at: datetime | None = None  # their rights


def of(session: Session, course: Course, sections: Sequence[str] = ()) -> tuple[Person, ...]:
    """Everybody in a course, or the students of some sections; staff first, then by name."""
    rows = session.execute(
        sa.select(Enrolment, User, Team)
        .join(User, User.id == Enrolment.user_id)
        .outerjoin(
            TeamMember,
            sa.and_(TeamMember.user_id == User.id, TeamMember.course_id == course.id),
        )
        .outerjoin(Team, Team.id == TeamMember.team_id)
        .where(Enrolment.course_id == course.id)
    )
    found = [
        Person(
            user=user,
            role=enrolment.role,
            section=enrolment.section,
            number=enrolment.number or "",
            team=team,
            sees=tuple(enrolment.sees or ()),
            ends_at=enrolment.ends_at,
        )
        for enrolment, user, team in rows
        if not sections or (enrolment.section in sections and not enrolment.role.is_staff)
    ]
    return tuple(
        sorted(found, key=lambda each: (not each.role.is_staff, each.user.name.casefold()))
    )


def one(session: Session, course: Course, user_id: int) -> Person | None:
    """Somebody in a course."""
    return next((each for each in of(session, course) if each.user.id == user_id), None)


def correct(
    session: Session,
    course: Course,
    person: Person,
    *,
    name: str,
    number: str,
    section: str,
    actor: User | None,
) -> None:
    """Give somebody in a course another name, student number or section.

    The name is theirs in every course; a team that is theirs alone and has the old one gets the new
    one. Opens its own write transaction.

    Raises:
        BadRequest: the name or number is unfit, or the number somebody else's.
        NotAllowedNow: the name is that of somebody with a role beside a student's.
    """
    user = person.user
    wanted = {
        "name": names.clean(name, longest=names.LONGEST_OF_PERSON),
        "number": numbers.clean(number),
        "section": section.strip()[:LONGEST_SECTION],
    }
    if wanted["name"] != user.name:
        _check_student_only(session, user)
    taken = {user.address or user.name: (wanted["number"], user.id)} if wanted["number"] else {}
    for problem in numbers.conflicts(session, course, taken):
        raise BadRequest(problem)
    before = {"name": user.name, "number": person.number, "section": person.section}
    with writing(session):
        _set_name(session, user, wanted["name"])
        numbers.assign(session, course, {user.id: wanted["number"] or None})
        enrolled = sa.select(Enrolment).filter_by(course_id=course.id, user_id=user.id)
        session.scalars(enrolled).one().section = wanted["section"]
        audit.record(
            session,
            action="user.correct",
            subject=f"user:{user.id}",
            course=course,
            actor=actor,
            # what, and not how: the chain holds nobody's name
            details={"changed": [each for each in wanted if wanted[each] != before[each]]},
        )


def rename(session: Session, user: User, name: str, *, actor: User | None) -> None:
    """Give anybody another name, as `correct` does. Opens its own write transaction.

    Raises:
        BadRequest: it is unfit.
    """
    cleaned = names.clean(name, longest=names.LONGEST_OF_PERSON)
    with writing(session):
        _set_name(session, user, cleaned)
        audit.record(session, action="user.rename", subject=f"user:{user.id}", actor=actor)


def _check_student_only(session: Session, user: User) -> None:
    roles = session.scalars(sa.select(Enrolment.role).where(Enrolment.user_id == user.id))
    if user.is_admin or any(role is not Role.STUDENT for role in roles):
        raise NotAllowedNow(said("account.name_of_staff", address=user.address or user.name))


def _set_name(session: Session, user: User, name: str) -> None:
    own = sa.select(Team).join(TeamMember).where(TeamMember.user_id == user.id)
    for team in session.scalars(own.where(Team.name == user.name)).all():
        if len(team.members) == 1 and name != user.name:
            team.name = courses.free_name(session, team.course, name)
    user.name = name


def student(session: Session, course: Course, user_id: int) -> User | None:
    """A student of the course."""
    return session.scalars(
        sa.select(User)
        .join(Enrolment, Enrolment.user_id == User.id)
        .where(
            Enrolment.course_id == course.id,
            Enrolment.role == Role.STUDENT,
            User.id == user_id,
        )
    ).first()


def invite(
    session: Session, course: Course, addresses: Sequence[str], *, role: Role, actor: User | None
) -> None:
    """Mail an invitation to each address; without any, make a link for whoever gets it.

    Raises:
        BadRequest: something is no address, and is named; before anything is sent.
    """
    if len(addresses) > _MOST_AT_ONCE:
        raise BadRequest(said("invitation.too_many", most=_MOST_AT_ONCE))
    checked = dict.fromkeys(accounts.email_address(each) for each in addresses)
    for email in checked or (None,):
        invitations.invite(session, course, role=role, email=email, actor=actor)


def set_team_rules(
    session: Session,
    course: Course,
    *,
    size: int,
    until: datetime | None,
    links_enrol: bool,
    actor: User | None,
) -> None:
    """Keep how large teams may be (0: any), until when students change them, and whether a team's
    link lets in who is not in the course yet.

    Teams that are larger already stay. Opens its own write transaction.

    Raises:
        BadRequest: a rule is none.
    """
    if not 0 <= size <= _LARGEST_TEAM:
        raise BadRequest(said("team.size", most=_LARGEST_TEAM))
    with writing(session):
        course.team_size, course.teams_until = size or None, until
        course.team_links_enrol = links_enrol
        audit.record(
            session,
            action="course.team_rules",
            subject=f"course:{course.id}",
            course=course,
            actor=actor,
            details={
                "size": size,
                "until": until.isoformat() if until else None,
                "links_enrol": links_enrol,
            },
        )
