"""Whom a provider of single sign-on means."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import accounts
from leaderboard.db import utcnow, writing
from leaderboard.errors import SignInRefused
from leaderboard.models import Identity, User


def user_of_identity(
    session: Session, *, issuer: str, subject: str, email: str, is_verified: bool, name: str
) -> User:
    """Who a provider of single sign-on says this is; an account is made for a new person.

    An identity seen for the first time finds an account by its address only where both the
    provider and we know that the address is its owner's: else whoever claims an address first,
    here or there, would own the other's account. Opens its own write transactions.

    Raises:
        SignInRefused: either does not know that the address is its owner's.
    """
    known = session.scalars(sa.select(Identity).filter_by(issuer=issuer, subject=subject)).first()
    if known is not None:
        return known.user
    if not is_verified or not email:
        raise SignInRefused(said("sign_on.no_address"))
    email = accounts.email_address(email)
    user = session.scalars(sa.select(User).where(User.email == email)).first()
    if user is None:
        user = accounts.create_user(session, email=email, name=name, password=None)
    elif user.email_verified_at is None:
        raise SignInRefused(said("sign_on.unconfirmed"))
    with writing(session):
        session.add(Identity(user_id=user.id, issuer=issuer, subject=subject, created_at=utcnow()))
        audit.record(session, action="user.identity", subject=f"user:{user.id}")
    return user
