"""Accounts, passwords, signed-in browsers and API tokens. No Flask here.

Passwords are kept as argon2id, secrets of sessions and tokens as SHA-256 (they are 256 random
bits, so a slow hash would add nothing).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy.orm import Session, contains_eager

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import new_account, throttle
from leaderboard.accounts.scopes import granted
from leaderboard.accounts.scopes import of as scopes_of
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotFound, SignInRefused
from leaderboard.models import ApiToken, LoginSession, User, leads_to_a_mailbox

MIN_PASSWORD_LENGTH = 8
_TOKEN_PREFIX = "gw_"  # noqa: S105 - lets secret scanners recognise a leaked token
_TOUCH_AFTER = timedelta(minutes=5)
# RFC 5322's dot-atom, letters of any script: neither quotes nor comments, lists or groups, which a
# mail's header would read as another address, or as several
_WORD = r"""[^\s@()<>\[\]:;,\\".]+"""
_EMAIL = re.compile(rf"{_WORD}(?:\.{_WORD})*@{_WORD}(?:\.{_WORD})*")
# OWASP's second argon2id setting: 19 MiB, two passes; about 25 ms here
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# verified against where there is no such account, so that time does not tell
_NOBODY = _hasher.hash(secrets.token_hex(8))


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """A new browser session; `secret` goes into the cookie and is kept nowhere else."""

    user: User
    secret: str


@dataclass(frozen=True, kw_only=True)
class IssuedToken:
    """A new API token; `secret` is shown once and kept nowhere."""

    token: ApiToken
    secret: str


def create_user(
    session: Session,
    *,
    email: str,
    name: str,
    password: str | None,
    is_admin: bool = False,
    is_verified: bool = True,
) -> User:
    """A new account. Opens its own write transaction.

    Args:
        password: None for an account that is entered by single sign-on or a mailed link.
        is_verified: Staff vouch for the address, or its owner has shown to read mail sent to it.

    Raises:
        BadRequest: the e-mail address is in use or malformed, or the password is too short.
    """
    email = email_address(email)
    password_hash = new_account.NO_PASSWORD if password is None else hash_password(password)
    with writing(session):
        return new_account.add_user(
            session,
            email=email,
            name=name,
            password_hash=password_hash,
            is_admin=is_admin,
            is_verified=is_verified,
        )


def user_of_email(session: Session, email: str) -> User | None:
    """The account of an address, if there is one."""
    return session.scalars(sa.select(User).where(User.email == email.strip().lower())).first()


def email_address(text: str) -> str:
    """The address as accounts keep it.

    Raises:
        BadRequest: it is none.
    """
    email = text.strip().lower()
    is_one = _EMAIL.fullmatch(email) and len(email) <= 254 and email.isprintable()
    if not is_one or not leads_to_a_mailbox(email):
        raise BadRequest(said("account.no_address", address=repr(email)))
    return email


def hash_password(password: str) -> str:
    """Its argon2id hash: slow on purpose, so never under the write lock.

    Raises:
        BadRequest: the password is too short.
    """
    if len(password) < MIN_PASSWORD_LENGTH:
        raise BadRequest(said("account.short_password", least=MIN_PASSWORD_LENGTH))
    return _hasher.hash(password)


def set_password(
    session: Session, user: User, password: str, *, proves_address: bool = False
) -> None:
    """Give a new password; every session and API token of the user ends. Opens its own write
    transaction.

    `proves_address`: it was chosen by a link that was mailed to the account's address.
    """
    password_hash = hash_password(password)
    with writing(session):
        user.password_hash = password_hash
        user.code_sha256 = user.code_expires_at = None
        if proves_address and user.email_verified_at is None:
            user.email_verified_at = utcnow()
        end_sessions(session, user, utcnow())
        _end_tokens(session, user, utcnow())
        audit.record(session, action="user.password", subject=f"user:{user.id}")


def change_password(
    session: Session, user: User, *, old: str, new: str, address: str, now: datetime
) -> None:
    """The same for the user themself, who proves it with the old password.

    An account without one (single sign-on) gets its first by mail.

    Raises:
        SignInRefused, TooManyTries: as `check_password`.
        BadRequest: the new one is too short.
    """
    check_password(session, email=user.email, password=old, address=address, now=now)
    set_password(session, user, new)


def check_password(
    session: Session, *, email: str, password: str, address: str, now: datetime
) -> User:
    """The user of these credentials; failures are throttled by account, by address on the network,
    and by both together.

    Opens its own write transactions: each try is counted before it is made, and a good one given
    back.

    Raises:
        SignInRefused: the same for a wrong password and an unknown account.
        TooManyTries: the account or the address has failed too often.
    """
    email = email.strip().lower()
    taken = throttle.take_sign_in(session, email, address, now)
    user = session.scalars(sa.select(User).where(User.email == email)).first()
    # an account without a password takes as long as any other
    password_hash = (user.password_hash if user else "") or _NOBODY
    if _matches(password_hash, password) and user is not None and user.password_hash:
        with writing(session):
            throttle.give_back(session, taken)
        return user
    raise SignInRefused(said("account.wrong_password"))


def sign_in(
    session: Session,
    *,
    email: str,
    password: str,
    address: str,
    user_agent: str,
    now: datetime,
    lifetime: timedelta,
) -> SignedIn:
    """A new session for whoever knows the password. Opens its own write transaction.

    Raises:
        SignInRefused, TooManyTries: as `check_password`; the second with `retry_after`.
    """
    user = check_password(session, email=email, password=password, address=address, now=now)
    if _hasher.check_needs_rehash(user.password_hash):
        rehashed = _hasher.hash(password)
        with writing(session):
            user.password_hash = rehashed
    return begin(session, user, user_agent=user_agent, now=now, lifetime=lifetime)


def begin(
    session: Session, user: User, *, user_agent: str, now: datetime, lifetime: timedelta
) -> SignedIn:
    """A new session for a user who has proved who they are. Opens its own write transaction."""
    secret = secrets.token_urlsafe(32)
    with writing(session):
        session.execute(sa.delete(LoginSession).where(LoginSession.expires_at < now))
        session.add(
            LoginSession(
                user_id=user.id,
                secret_sha256=_sha256(secret),
                user_agent=user_agent[:200],
                created_at=now,
                expires_at=now + lifetime,
                last_seen_at=now,
            )
        )
    return SignedIn(user=user, secret=secret)


def session_of(session: Session, secret: str, now: datetime) -> LoginSession | None:
    """The live session of this cookie's secret; notes its use now and then (a short write)."""
    found = session.scalars(
        sa.select(LoginSession).where(
            LoginSession.secret_sha256 == _sha256(secret),
            LoginSession.revoked_at.is_(None),
            LoginSession.expires_at > now,
        )
    ).first()
    if found and (found.last_seen_at is None or now - found.last_seen_at > _TOUCH_AFTER):
        with writing(session):
            found.last_seen_at = now
    return found


def user_of_session(session: Session, secret: str, now: datetime) -> User | None:
    """Who is signed in with this cookie's secret, if it is valid."""
    found = session_of(session, secret, now)
    return found.user if found else None


def sign_out(session: Session, secret: str, now: datetime) -> None:
    """End a browser session. Opens its own write transaction."""
    with writing(session):
        session.execute(
            sa.update(LoginSession)
            .where(LoginSession.secret_sha256 == _sha256(secret))
            .values(revoked_at=now)
        )


def revoke_session(session: Session, user: User, session_id: int, now: datetime) -> None:
    """End one of the user's browser sessions. Opens its own write transaction.

    Raises:
        NotFound: the user has no such session.
    """
    with writing(session):
        found = session.get(LoginSession, session_id)
        if found is None or found.user_id != user.id:
            raise NotFound
        found.revoked_at = found.revoked_at or now
        audit.record(session, action="session.revoke", subject=f"session:{session_id}", actor=user)


def sign_out_everywhere(session: Session, user: User, now: datetime) -> None:
    """End every browser session and API token of the user. Opens its own write transaction."""
    with writing(session):
        end_sessions(session, user, now)
        _end_tokens(session, user, now)
        audit.record(session, action="session.revoke_all", subject=f"user:{user.id}", actor=user)


def login_sessions(session: Session, user: User, now: datetime) -> tuple[LoginSession, ...]:
    """The user's live browser sessions, newest first."""
    return tuple(
        session.scalars(
            sa.select(LoginSession)
            .where(
                LoginSession.user_id == user.id,
                LoginSession.revoked_at.is_(None),
                LoginSession.expires_at > now,
            )
            .order_by(LoginSession.id.desc())
        )
    )


def issue_token(
    session: Session,
    user: User,
    *,
    name: str,
    scopes: tuple[str, ...] = ("read", "submit"),
    now: datetime,
    lifetime: timedelta,
) -> IssuedToken:
    """A new API token. Opens its own write transaction.

    Raises:
        BadRequest: a scope is unknown, or for an assignment out of the user's reach.
    """
    held, assignment = granted(session, user, scopes)
    secret = _TOKEN_PREFIX + secrets.token_urlsafe(32)
    with writing(session):
        token = ApiToken(
            user_id=user.id,
            name=name.strip()[:100] or "token",
            token_sha256=_sha256(secret),
            prefix=secret[:10],
            scopes=held,
            assignment=assignment,
            created_at=now,
            expires_at=now + lifetime,
        )
        session.add(token)
        session.flush()
        audit.record(
            session,
            action="token.issue",
            subject=f"token:{token.id}",
            actor=user,
            details={"scopes": list(scopes_of(token))},
        )
    return IssuedToken(token=token, secret=secret)


_BY_SECRET = (
    sa.select(ApiToken)
    .join(ApiToken.user)
    .options(contains_eager(ApiToken.user))
    .where(
        ApiToken.token_sha256 == sa.bindparam("sha256"),
        ApiToken.revoked_at.is_(None),
        ApiToken.expires_at > sa.bindparam("now", type_=ApiToken.expires_at.type),
    )
)


def token_of(session: Session, secret: str, now: datetime) -> ApiToken | None:
    """The live token with this secret, its user loaded. Reads only."""
    return session.scalars(_BY_SECRET, {"sha256": _sha256(secret), "now": now}).first()


def wants_note(token: ApiToken, now: datetime) -> bool:
    """Whether the last use that is on record of a token is long enough ago to record another."""
    return token.last_used_at is None or now - token.last_used_at > _TOUCH_AFTER


def note_uses(session: Session, uses: Mapping[int, datetime]) -> None:
    """Record when tokens, by id, were used, within the caller's write transaction."""
    session.connection().execute(
        sa.update(ApiToken)
        .where(ApiToken.id == sa.bindparam("token"))
        .values(last_used_at=sa.bindparam("at")),
        [{"token": token_id, "at": at} for token_id, at in uses.items()],
    )


def tokens(session: Session, user: User, now: datetime) -> tuple[ApiToken, ...]:
    """The user's tokens that are neither revoked nor expired, newest first."""
    return tuple(
        session.scalars(
            sa.select(ApiToken)
            .where(
                ApiToken.user_id == user.id,
                ApiToken.revoked_at.is_(None),
                ApiToken.expires_at > now,
            )
            .order_by(ApiToken.id.desc())
        )
    )


def revoke_token(session: Session, user: User, token_id: int, now: datetime) -> None:
    """Revoke one of the user's tokens. Opens its own write transaction.

    Raises:
        NotFound: the user has no such token.
    """
    with writing(session):
        token = session.get(ApiToken, token_id)
        if token is None or token.user_id != user.id:
            raise NotFound
        token.revoked_at = token.revoked_at or now
        audit.record(session, action="token.revoke", subject=f"token:{token_id}", actor=user)


def _end_tokens(session: Session, user: User, now: datetime) -> None:
    session.execute(
        sa.update(ApiToken)
        .where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def end_sessions(session: Session, user: User, now: datetime) -> None:
    """End every browser session of the user, within the caller's write transaction."""
    session.execute(
        sa.update(LoginSession)
        .where(LoginSession.user_id == user.id, LoginSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
