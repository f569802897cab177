"""Codes that staff print or hand out, by which people without a password choose one.

No mail server is needed. A code is for one account, works until its owner has chosen a password or
it is too old, and a newer one ends it. Only its hash is kept. Who knows a code has the account, so
instructors get them for students only: of their own courses, or who never were in their account.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import courses, throttle
from leaderboard.db import writing
from leaderboard.errors import NotAllowedNow, SignInRefused
from leaderboard.models import Course, Enrolment, Identity, Role, User
from leaderboard.teams import proofs

LASTS: Final = timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class Slip:
    """What one person is handed: `login` is their student number, else their address."""

    user: User
    login: str
    code: str


def without_password(session: Session, course: Course) -> tuple[User, ...]:
    """The students of a course who have a proved address and no password yet, by name."""
    found = session.scalars(
        sa.select(User)
        .join(Enrolment, Enrolment.user_id == User.id)
        .where(
            Enrolment.course_id == course.id,
            Enrolment.role == Role.STUDENT,
            User.password_hash == "",
        )
    )
    return tuple(
        sorted(filter(proofs.is_proved, found), key=lambda user: (user.name.casefold(), user.id))
    )


def issue(
    session: Session,
    secret_key: str,
    course: Course,
    users: Sequence[User],
    *,
    actor: User | None,
    now: datetime,
) -> tuple[Slip, ...]:
    """A new code for each; those they had work no longer. Opens its own write transaction.

    `actor` None: the operator, who may for anybody.

    Raises:
        NotAllowedNow: one is more than a student of courses that the actor instructs.
    """
    for user in users:
        if actor is not None:
            _check_own_student(session, user, actor)
    logins = _logins(session, course)
    slips = tuple(
        Slip(user=user, login=logins.get(user.id) or user.address, code=proofs.spelled(_random()))
        for user in users
    )
    with writing(session):
        for slip in slips:
            slip.user.code_sha256 = _sha256(secret_key, slip.user, slip.code)
            slip.user.code_expires_at = now + LASTS
            audit.record(
                session,
                action="user.code",
                subject=f"user:{slip.user.id}",
                course=course,
                actor=actor,
            )
    return slips


def redeem(
    session: Session, secret_key: str, *, login: str, code: str, address: str, now: datetime
) -> User:
    """Whose code it is: they may choose a password. Tries are counted as those of passwords are.

    Opens its own write transactions.

    Raises:
        SignInRefused: the same for a wrong code, one too old and an unknown account.
        TooManyTries: the account or the address on the network has failed too often.
    """
    taken = throttle.take_sign_in(session, login.strip().lower(), address, now)
    for user in courses.users_of_login(session, login):
        if _is_live(user, now) and hmac.compare_digest(
            user.code_sha256 or "", _sha256(secret_key, user, code)
        ):
            with writing(session):
                throttle.give_back(session, taken)
            return user
    raise SignInRefused(said("account.wrong_sign_in_code"))


def _check_own_student(session: Session, user: User, actor: User) -> None:
    """Refuse codes to accounts that hold more than what the actor may see.

    Raises:
        NotAllowedNow: they have a role beside that of a student, or a course of somebody else's.
    """
    theirs = session.execute(
        sa.select(Enrolment.role, Enrolment.course_id).where(Enrolment.user_id == user.id)
    ).all()
    own = set(
        session.scalars(
            sa.select(Enrolment.course_id).where(
                Enrolment.user_id == actor.id, Enrolment.role == Role.INSTRUCTOR
            )
        )
    )
    is_student = all(role is Role.STUDENT for role, _ in theirs) and not user.is_admin
    is_own = actor.is_admin or all(course_id in own for _, course_id in theirs)
    if not (
        is_student and (is_own or _was_never_entered(session, user)) and proofs.is_proved(user)
    ):
        raise NotAllowedNow(said("account.no_code_for", address=user.address or user.name))


def _was_never_entered(session: Session, user: User) -> bool:
    by_sign_on = session.scalars(sa.select(Identity.id).where(Identity.user_id == user.id)).first()
    return not user.password_hash and by_sign_on is None


def _is_live(user: User, now: datetime) -> bool:
    return user.code_expires_at is not None and now < user.code_expires_at


def _logins(session: Session, course: Course) -> dict[int, str | None]:
    """Each person's number, with the course before it where another person has it elsewhere."""
    rows = session.execute(
        sa.select(Enrolment.user_id, Enrolment.number).where(
            Enrolment.course_id == course.id, Enrolment.number.is_not(None)
        )
    ).all()
    other = sa.orm.aliased(Enrolment)
    shared = set(
        session.scalars(
            sa.select(Enrolment.user_id)
            .join(other, sa.func.lower(other.number) == sa.func.lower(Enrolment.number))
            .where(Enrolment.course_id == course.id, other.user_id != Enrolment.user_id)
        )
    )
    return {
        user_id: f"{course.code}/{number}" if user_id in shared else number
        for user_id, number in rows
    }


def _random() -> int:
    return secrets.randbits(128)


def _sha256(secret_key: str, user: User, code: str) -> str:
    """With the server's secret, since a code alone is short enough to be tried out."""
    told = f"sign-in code\n{user.id}\n{proofs.plain(code)}"
    return hmac.new(secret_key.encode(), told.encode(), hashlib.sha256).hexdigest()
