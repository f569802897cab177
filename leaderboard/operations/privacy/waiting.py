"""Erasures that are asked for, and happen once nothing is in the way any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import accounts
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.models import Enrolment, Role, User
from leaderboard.operations.privacy.erasing import erase
from leaderboard.operations.privacy.obstacles import Obstacle, obstacles

if TYPE_CHECKING:
    from leaderboard.state import State


def ask(session: Session, state: State, user: User, *, actor: User | None) -> Sequence[Obstacle]:
    """Erase a person now, or as soon as nothing is in the way any more: what is, is replied.

    Opens its own write transactions. Repeatable.
    """
    waits_for = obstacles(session, user, utcnow())
    if not waits_for:
        erase(session, state, user)
        return ()
    with writing(session):
        if user.erasure_asked_at is None:
            user.erasure_asked_at = utcnow()
            audit.record(session, action="user.ask_erasure", subject=f"user:{user.id}", actor=actor)
    return waits_for


def ask_oneself(
    session: Session, state: State, user: User, *, confirmation: str, address: str
) -> Sequence[Obstacle]:
    """The same for a student, who confirms it by the password, or by the address of an account that
    has none. `address`: where on the network they are.

    Raises:
        NotAllowedNow: they are of the teaching team.
        SignInRefused, TooManyTries: as `accounts.check_password`.
        BadRequest: it is not confirmed.
    """
    roles = session.scalars(sa.select(Enrolment.role).where(Enrolment.user_id == user.id))
    if user.is_admin or any(role is not Role.STUDENT for role in roles):
        raise NotAllowedNow(said("erasure.staff"))
    if not confirmation or (not user.password_hash and confirmation.strip().lower() != user.email):
        raise BadRequest(said("erasure.not_confirmed"))
    if user.password_hash:
        accounts.check_password(
            session, email=user.email, password=confirmation, address=address, now=utcnow()
        )
    return ask(session, state, user, actor=user)


def withdraw(session: Session, user: User, *, actor: User | None) -> None:
    """Take back that a person is to be erased. Opens its own write transaction. Repeatable."""
    with writing(session):
        if user.erasure_asked_at is not None and user.erased_at is None:
            user.erasure_asked_at = None
            audit.record(
                session, action="user.withdraw_erasure", subject=f"user:{user.id}", actor=actor
            )


def erase_due(session: Session, state: State) -> int:
    """Erase everybody whose erasure waits for nothing any more; how many those are.

    Opens its own write transactions.
    """
    waiting = session.scalars(
        sa.select(User).where(User.erasure_asked_at.is_not(None), User.erased_at.is_(None))
    ).all()
    ready = [user for user in waiting if not obstacles(session, user, utcnow())]
    for user in ready:
        erase(session, state, user)
    return len(ready)
