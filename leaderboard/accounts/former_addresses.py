"""Addresses that accounts had before, so that a class list that still has one finds its person.

A former address opens nothing: nobody signs in, is sent mail or is found by single sign-on by it,
since it may be another person's mailbox by now. Once it is another account's, it is forgotten.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.models import FormerAddress, User


def leave(session: Session, user: User, now: datetime) -> None:
    """Remember the address that the user is about to change, within the caller's transaction.

    One that was never confirmed is anybody's claim: a class list must not lead to who made it.
    """
    if user.email_verified_at is None or not user.address:
        return
    take(session, user.email)
    session.add(FormerAddress(user_id=user.id, email=user.email, left_at=now))


def take(session: Session, email: str) -> None:
    """Forget whose the address was: an account has it now. Within the caller's transaction."""
    session.execute(sa.delete(FormerAddress).where(FormerAddress.email == email))


def of(session: Session, user: User) -> tuple[FormerAddress, ...]:
    """What is remembered of a user, oldest first."""
    return tuple(
        session.scalars(
            sa.select(FormerAddress).filter_by(user_id=user.id).order_by(FormerAddress.id)
        )
    )


def holder(session: Session, email: str) -> User | None:
    """Who had the address last, if nobody has it now and they are remembered."""
    return session.scalars(
        sa.select(User)
        .join(FormerAddress, FormerAddress.user_id == User.id)
        .where(FormerAddress.email == email)
    ).first()
