"""Addresses that nobody has proved: anybody's claim, until staff or a mail confirm it.

Whoever makes an account without a mailed link may have typed another person's address. Such an
account gets no role from a class list. It is proved by a mailed link; where the server sends no
mail, by a code that staff hand to the person, or by staff who know that it is theirs.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import throttle
from leaderboard.accounts.throttle import Key
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.models import User

_ALPHABET: Final = "23456789abcdefghjkmnpqrstvwxyz"  # nothing to confuse when read off a slip
_LENGTH: Final = 10  # 49 bits; wrong ones are counted


def is_proved(user: User) -> bool:
    """Whether the address of an account is known to be its owner's."""
    return user.email_verified_at is not None


def check_proved(user: User) -> None:
    """Refuse a role to whoever may not be the person.

    Raises:
        NotAllowedNow: nobody has proved the address.
    """
    if not is_proved(user):
        raise NotAllowedNow(said("account.not_proved", address=user.email))


def code_of(secret_key: str, user: User) -> str:
    """The code by which the owner proves the address: of this account and address only."""
    told = f"address code\n{user.id}\n{user.email}\n{user.created_at.timestamp()}"
    digest = hmac.digest(secret_key.encode(), told.encode(), hashlib.sha256)
    return spelled(int.from_bytes(digest, "big"))


def spelled(number: int) -> str:
    """A code to read off a slip, of a number of 64 bits or more."""
    letters = []
    for _ in range(_LENGTH):
        number, place = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[place])
    return "".join(letters[:5]) + "-" + "".join(letters[5:])


def prove(session: Session, secret_key: str, user: User, typed: str, now: datetime) -> None:
    """Prove a user's address by the code that staff gave them. Opens its own write transaction.

    Raises:
        BadRequest: it is another code.
        TooManyRequests: wrong ones were tried too often.
    """
    keys = [Key(rule=throttle.ADDRESS_CODE, who=str(user.id))]
    with writing(session):
        taken = throttle.take(session, keys, now)
    wanted = code_of(secret_key, user).replace("-", "")
    if not hmac.compare_digest(plain(typed).encode(), wanted.encode()):
        raise BadRequest(said("account.wrong_code"))
    with writing(session):
        throttle.give_back(session, taken)
    confirm(session, user, actor=user)


def confirm(session: Session, user: User, *, actor: User | None) -> None:
    """Take an address as proved, for whoever vouches for it. Opens its own write transaction.

    Repeatable.
    """
    with writing(session):
        if user.email_verified_at is None:
            user.email_verified_at = utcnow()
            audit.record(session, action="user.confirm", subject=f"user:{user.id}", actor=actor)


def plain(typed: str) -> str:
    """A code as typed, without regard to case, blanks and hyphens.

    >>> plain(" ABCDE-fghjk ")
    'abcdefghjk'
    """
    return "".join(each for each in typed.lower() if each.isalnum())
