"""A course's people as staff look after them: lists, invitations to many, rules for teams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard import audit, invitations
from leaderboard.auth import service
from leaderboard.db import writing
from leaderboard.errors import BadRequest
from leaderboard.models import Course, Enrolment, Role, Team, TeamMember, User

_MOST_AT_ONCE = 500
_LARGEST_TEAM = 50


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody in a course, with their team there."""

    user: User
    role: Role
    section: str
    team: Team | None


def of(session: Session, course: Course) -> tuple[Person, ...]:
    """Everybody in a course, staff first, then by name."""
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
        Person(user=user, role=enrolment.role, section=enrolment.section, team=team)
        for enrolment, user, team in rows
    ]
    return tuple(
        sorted(found, key=lambda each: (not each.role.is_staff, each.user.name.casefold()))
    )


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

    Raises: BadRequest, before anything is sent, naming what is no address.
    """
    if len(addresses) > _MOST_AT_ONCE:
        raise BadRequest(f"At most {_MOST_AT_ONCE} invitations at once.")
    checked = dict.fromkeys(service.email_address(each) for each in addresses)
    for email in checked or (None,):
        invitations.invite(session, course, role=role, email=email, actor=actor)


def set_team_rules(
    session: Session, course: Course, *, size: int, until: datetime | None, actor: User
) -> None:
    """Keep how large teams may be (0: any) and until when students change them.

    Teams that are larger already stay. Opens its own write transaction. Raises: BadRequest.
    """
    if not 0 <= size <= _LARGEST_TEAM:
        raise BadRequest(f"A team has 1 to {_LARGEST_TEAM} members; 0 is no limit.")
    with writing(session):
        course.team_size, course.teams_until = size or None, until
        audit.record(
            session,
            action="course.team_rules",
            subject=f"course:{course.id}",
            course=course,
            actor=actor,
            details={"size": size, "until": until.isoformat() if until else None},
        )
