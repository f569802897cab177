"""Links that prove something: signed, so that nothing secret is kept anywhere.

An invitation's link is the signature of its id. A password link also carries a fingerprint of the
present password, so that it works once and dies with every change; so does the link to a new
address, with one of address, password and when the address was proved.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard.accounts import signing
from leaderboard.errors import LinkInvalid, NotFound
from leaderboard.models import Invitation, User

RESET_LASTS: Final = timedelta(hours=1)
WELCOME_LASTS: Final = timedelta(days=14)
SIGN_UP_LASTS: Final = timedelta(days=2)
ADDRESS_LASTS: Final = timedelta(days=1)
_WRONG = said("account.link_too_old")


@dataclass(frozen=True, kw_only=True)
class SignUp:
    """Somebody who read the mail sent to `email`, and the invitation they came with."""

    invitation: Invitation
    email: str


class Links:
    """Signs and reads links with the server's secret."""

    def __init__(self, secret_key: str) -> None:
        self._invitation = URLSafeSerializer(secret_key, salt="invitation")
        self._password = signing.timed(secret_key, salt="password")
        self._sign_up = signing.timed(secret_key, salt="sign-up")
        self._address = signing.timed(secret_key, salt="address")
        self._calendar = URLSafeSerializer(secret_key, salt="calendar")

    def of_invitation(self, invitation: Invitation) -> str:
        return _text(self._invitation.dumps(invitation.id))

    def invitation(self, session: Session, secret: str) -> Invitation:
        """The invitation that a link names; it may be expired or revoked.

        Raises:
            LinkInvalid: it is no link of ours.
        """
        try:
            found = session.get(Invitation, self._invitation.loads(secret))
        except BadData:
            found = None
        if found is None:
            raise LinkInvalid(_WRONG)
        return found

    def of_password(self, user: User, lasts: timedelta, *, by_code: bool = False) -> str:
        """A link to a new password for the user, for as long as `lasts`.

        `by_code`: for whoever knew the user's code, and no longer than that code works.
        """
        fingerprint = _code_print(user) if by_code else _fingerprint(user)
        facts = [user.id, fingerprint, int(lasts.total_seconds())]
        return _text(self._password.dumps(facts))

    def password(self, session: Session, secret: str) -> User:
        """Whose password may be set.

        Raises:
            LinkInvalid: it is too old, used, or no link.
        """
        user_id, fingerprint, seconds = _read(self._password, secret, WELCOME_LASTS, 3)
        _read(self._password, secret, timedelta(seconds=seconds), 3)
        user = session.get(User, user_id)
        if user is None or fingerprint not in (_fingerprint(user), _code_print(user)):
            raise LinkInvalid(_WRONG)
        return user

    def of_sign_up(self, invitation_id: int, email: str) -> str:
        return _text(self._sign_up.dumps([invitation_id, email]))

    def sign_up(self, session: Session, secret: str) -> SignUp:
        """Who confirmed their address, and for which invitation.

        Raises:
            LinkInvalid: it is too old, or no link.
        """
        invitation_id, email = _read(self._sign_up, secret, SIGN_UP_LASTS, 2)
        invitation = session.get(Invitation, invitation_id)
        if invitation is None:
            raise LinkInvalid(_WRONG)
        return SignUp(invitation=invitation, email=email)

    def of_calendar(self, user: User) -> str:
        """A link to the user's dates; another password ends it."""
        return _text(self._calendar.dumps([user.id, _fingerprint(user)]))

    def calendar(self, session: Session, secret: str) -> User:
        """Whose dates a link shows.

        Raises:
            NotFound: it is no link of ours, or none any more.
        """
        try:
            user_id, fingerprint = self._calendar.loads(secret)
        except (BadData, ValueError, TypeError):
            raise NotFound from None
        user = session.get(User, user_id)
        if user is None or user.erased_at is not None or fingerprint != _fingerprint(user):
            raise NotFound
        return user

    def of_address(self, user: User, email: str) -> str:
        """A link by which the user proves to read the mail of `email`."""
        return _text(self._address.dumps([user.id, _standing(user), email]))

    def address(self, user: User, secret: str) -> str:
        """The address that this user may have.

        Raises:
            NotFound: it is another user's link.
            LinkInvalid: it is too old, used, or no link.
        """
        user_id, standing, email = _read(self._address, secret, ADDRESS_LASTS, 3)
        if user_id != user.id:
            raise NotFound
        if standing != _standing(user):
            raise LinkInvalid(_WRONG)
        return str(email)


def _read(
    serializer: URLSafeTimedSerializer, secret: str, lasts: timedelta, length: int
) -> list[Any]:
    try:
        facts = serializer.loads(secret, max_age=int(lasts.total_seconds()))
    except BadData:
        raise LinkInvalid(_WRONG) from None
    assert isinstance(facts, list)
    assert len(facts) == length
    return facts


def _fingerprint(user: User) -> str:
    return hashlib.sha256(f"{user.email}\n{user.password_hash}".encode()).hexdigest()[:20]


def _code_print(user: User) -> str:
    told = f"{_fingerprint(user)}\n{user.code_sha256}"
    return hashlib.sha256(told.encode()).hexdigest()[:20]


def _standing(user: User) -> str:
    """Unlike any of before: an address may go and come back, the time of its proof does not."""
    return hashlib.sha256(f"{_fingerprint(user)}\n{user.email_verified_at}".encode()).hexdigest()[
        :20
    ]


def _text(signed: str | bytes) -> str:
    return signed.decode() if isinstance(signed, bytes) else signed
