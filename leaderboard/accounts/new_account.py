"""How an account comes into being."""

from __future__ import annotations

import secrets

from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import former_addresses, mailboxes, names
from leaderboard.db import utcnow
from leaderboard.errors import AccountExists
from leaderboard.models import User

NO_PASSWORD = ""  # matches none: the account is entered by single sign-on or a link


def no_address() -> str:
    """What stands for the address of an account that has none."""
    return f"{secrets.token_hex(12)}@none.invalid"


def add_user(
    session: Session,
    *,
    email: str,
    name: str,
    password_hash: str = NO_PASSWORD,
    is_admin: bool = False,
    is_verified: bool = True,
) -> User:
    """A new account within the caller's write transaction; `email` is as `email_address` gives it.

    Raises:
        AccountExists: the e-mail address is in use.
    """
    if mailboxes.user_of_person(session, email) is not None:
        raise AccountExists(said("account.exists", address=repr(email)))
    former_addresses.take(session, email)
    user = User(
        email=email,
        name=names.tidy(name, instead=email.partition("@")[0], longest=names.LONGEST_OF_PERSON),
        password_hash=password_hash,
        is_admin=is_admin,
        created_at=utcnow(),
        email_verified_at=utcnow() if is_verified else None,
    )
    session.add(user)
    session.flush()
    audit.record(session, action="user.create", subject=f"user:{user.id}")
    return user
