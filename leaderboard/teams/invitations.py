"""Ways into a course and into a team: links, links sent by mail, and the course's code."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import accounts, courses
from leaderboard.db import utcnow, writing
from leaderboard.errors import LinkInvalid, NotFound
from leaderboard.messages import mail
from leaderboard.models import Course, Enrolment, Invitation, Letter, Role, Team, User

LASTS: Final = timedelta(days=30)
TEAM_LASTS: Final = timedelta(days=7)
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"  # nothing to confuse when read off a wall
_CODE_LENGTH: Final = 8  # 39 bits; wrong ones are counted
_BY_CODE: Final = timedelta(hours=2)


def invite(
    session: Session,
    course: Course,
    *,
    role: Role = Role.STUDENT,
    section: str = "",
    team: Team | None = None,
    email: str | None = None,
    actor: User | None,
    lasts: timedelta = LASTS,
) -> Invitation:
    """A new way in; with `email`, for that mailbox alone, and mailed there.

    Opens its own write transaction.

    Raises:
        BadRequest: it is no address.
    """
    address = accounts.email_address(email) if email else None
    now = utcnow()
    with writing(session):
        invitation = Invitation(
            course_id=course.id,
            team_id=team.id if team else None,
            role=role,
            section=section,
            email=address,
            created_by=actor.id if actor else None,
            created_at=now,
            expires_at=now + lasts,
        )
        session.add(invitation)
        session.flush()
        if address:
            mail.post(
                session,
                Letter.INVITATION,
                dedupe_key=f"invitation:{invitation.id}",
                address=address,
                locale=actor.locale if actor else "",
                details={"invitation": invitation.id},
            )
        audit.record(
            session,
            action="invitation.make",
            subject=f"invitation:{invitation.id}",
            course=course,
            actor=actor,
            details={"role": role.value, "team": team.id if team else None},
        )
    return invitation


def check(invitation: Invitation, now: datetime) -> None:
    """Refuse an invitation that is too old, revoked or used.

    Raises:
        LinkInvalid: it is.
    """
    is_over = invitation.revoked_at is not None or invitation.expires_at <= now
    is_used = invitation.email is not None and invitation.uses > 0
    if is_over or is_used:
        raise LinkInvalid(said("invitation.invalid"))


def check_person(invitation: Invitation, user: User) -> None:
    """Refuse an invitation that was mailed to somebody else.

    Raises:
        LinkInvalid: it was.
    """
    if invitation.email not in (None, user.email):
        raise LinkInvalid(said("invitation.for_another"))


def accept(session: Session, invitation: Invitation, user: User) -> Enrolment:
    """Enrol a user by an invitation that was checked; who is in the course keeps their role.

    Opens its own write transaction.

    Raises:
        LinkInvalid: it is another person's invitation.
    """
    check_person(invitation, user)
    course = invitation.course
    enrolment = enrolment_of(session, course, user)
    if enrolment is None:
        # the page said that others see the team's name, and not theirs
        enrolment = courses.enrol(
            session,
            course,
            user,
            invitation.role,
            section=invitation.section,
            team_name=courses.NEUTRAL,
            actor=user,
        )
    if invitation.team_id is None:
        with writing(session):
            invitation.uses += 1
    return enrolment


def enrolment_of(session: Session, course: Course, user: User) -> Enrolment | None:
    """A user's place in a course."""
    return session.scalars(
        sa.select(Enrolment).filter_by(course_id=course.id, user_id=user.id)
    ).first()


def live(session: Session, course: Course, now: datetime) -> Sequence[Invitation]:
    """The course's invitations that still let somebody in, newest first, without those to teams."""
    return session.scalars(
        sa.select(Invitation)
        .where(
            Invitation.course_id == course.id,
            Invitation.team_id.is_(None),
            Invitation.revoked_at.is_(None),
            Invitation.expires_at > now,
            sa.or_(Invitation.email.is_(None), Invitation.uses == 0),
        )
        .order_by(Invitation.id.desc())
    ).all()


def of_team(session: Session, team: Team, now: datetime) -> Sequence[Invitation]:
    """The same for a team."""
    return session.scalars(
        sa.select(Invitation)
        .where(
            Invitation.team_id == team.id,
            Invitation.revoked_at.is_(None),
            Invitation.expires_at > now,
            sa.or_(Invitation.email.is_(None), Invitation.uses == 0),
        )
        .order_by(Invitation.id.desc())
    ).all()


def revoke(session: Session, invitation: Invitation, *, actor: User) -> None:
    """End an invitation. Opens its own write transaction."""
    with writing(session):
        invitation.revoked_at = invitation.revoked_at or utcnow()
        audit.record(
            session,
            action="invitation.revoke",
            subject=f"invitation:{invitation.id}",
            course=invitation.course,
            actor=actor,
        )


def renew_code(session: Session, course: Course, *, actor: User | None) -> str:
    """Give the course a new code; the old one stops working. Opens its own transaction."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
    _set_code(session, course, code, actor)
    return code


def end_code(session: Session, course: Course, *, actor: User | None) -> None:
    """Nobody joins by code any more. Opens its own write transaction."""
    _set_code(session, course, None, actor)


def by_code(session: Session, code: str, now: datetime) -> Invitation:
    """A short-lived invitation to the course that has this code.

    May open a write transaction.

    Raises:
        NotFound: no course has the code.
    """
    wanted = "".join(code.lower().split()).replace("-", "")
    course = session.scalars(sa.select(Course).where(Course.join_code == wanted)).first()
    if course is None or not wanted:
        raise NotFound(said("invitation.no_course"))
    present = session.scalars(
        sa.select(Invitation).where(
            Invitation.course_id == course.id,
            Invitation.created_by.is_(None),
            Invitation.team_id.is_(None),
            Invitation.email.is_(None),
            Invitation.role == Role.STUDENT,
            Invitation.revoked_at.is_(None),
            Invitation.expires_at > now + _BY_CODE / 2,
        )
    ).first()
    return present or invite(session, course, actor=None, lasts=_BY_CODE)


def _set_code(session: Session, course: Course, code: str | None, actor: User | None) -> None:
    with writing(session):
        course.join_code = code
        audit.record(
            session,
            action="course.code",
            subject=f"course:{course.id}",
            course=course,
            actor=actor,
            details={"open": code is not None},
        )
