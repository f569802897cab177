"""Accounts, passwords, signed-in browsers and API tokens. No Flask here.

Passwords are kept as argon2id, secrets of sessions and tokens as SHA-256 (they are 256 random
bits, so a slow hash would add nothing).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy.orm import Session

from leaderboard import audit
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotFound, SignInRefused, TooManyTries
from leaderboard.models import ApiToken, LoginSession, SignInFailure, User

SCOPES = ("read", "submit", "staff")
MIN_PASSWORD_LENGTH = 8
_TOKEN_PREFIX = "gw_"  # noqa: S105 - lets secret scanners recognise a leaked token
_TRIES_PER_ACCOUNT = 10
_TRIES_PER_ADDRESS = 100  # a whole class may sit behind one address
_WINDOW = timedelta(minutes=15)
_TOUCH_AFTER = timedelta(minutes=5)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
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
    session: Session, *, email: str, name: str, password: str, is_admin: bool = False
) -> User:
    """A new account. Opens its own write transaction.

    Raises: BadRequest for an e-mail address in use or malformed, or a password that is too short.
    """
    email = email.strip().lower()
    if not _EMAIL.fullmatch(email) or len(email) > 254:
        raise BadRequest(f"{email!r} is no e-mail address.")
    if len(password) < MIN_PASSWORD_LENGTH:
        raise BadRequest(f"A password has at least {MIN_PASSWORD_LENGTH} characters.")
    password_hash = _hasher.hash(password)  # slow on purpose: before the write lock
    with writing(session):
        if session.scalars(sa.select(User.id).where(User.email == email)).first():
            raise BadRequest(f"There is an account {email!r} already.")
        user = User(
            email=email,
            name=name.strip()[:200] or email.partition("@")[0],
            password_hash=password_hash,
            is_admin=is_admin,
            created_at=utcnow(),
        )
        session.add(user)
        session.flush()
        audit.record(session, action="user.create", subject=f"user:{user.id}")
    return user


def set_password(session: Session, user: User, password: str) -> None:
    """Give a new password and end every session of the user. Opens its own write transaction."""
    if len(password) < MIN_PASSWORD_LENGTH:
        raise BadRequest(f"A password has at least {MIN_PASSWORD_LENGTH} characters.")
    password_hash = _hasher.hash(password)
    with writing(session):
        user.password_hash = password_hash
        session.execute(
            sa.update(LoginSession)
            .where(LoginSession.user_id == user.id, LoginSession.revoked_at.is_(None))
            .values(revoked_at=utcnow())
        )
        audit.record(session, action="user.password", subject=f"user:{user.id}")


def check_password(
    session: Session, *, email: str, password: str, address: str, now: datetime
) -> User:
    """The user of these credentials; failures are throttled by account and by address.

    Opens its own write transaction to note a failure.
    Raises: SignInRefused, the same for a wrong password and an unknown account; TooManyTries.
    """
    email = email.strip().lower()
    keys = {_sha256(f"account:{email}"): _TRIES_PER_ACCOUNT}
    if address:
        keys[_sha256(f"address:{address}")] = _TRIES_PER_ADDRESS
    _refuse_if_throttled(session, keys, now)
    user = session.scalars(sa.select(User).where(User.email == email)).first()
    if _matches(user.password_hash if user else _NOBODY, password) and user is not None:
        return user
    with writing(session):
        session.execute(sa.delete(SignInFailure).where(SignInFailure.at < now - _WINDOW))
        session.add_all(SignInFailure(key_sha256=key, at=now) for key in keys)
    raise SignInRefused("The e-mail address or the password is wrong.")


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

    Raises: SignInRefused (wrong), TooManyTries (with retry_after).
    """
    user = check_password(session, email=email, password=password, address=address, now=now)
    rehashed = _hasher.hash(password) if _hasher.check_needs_rehash(user.password_hash) else ""
    secret = secrets.token_urlsafe(32)
    with writing(session):
        if rehashed:
            user.password_hash = rehashed
        session.execute(sa.delete(LoginSession).where(LoginSession.expires_at < now))
        session.add(
            LoginSession(
                user_id=user.id,
                secret_sha256=_sha256(secret),
                user_agent=user_agent[:200],
                created_at=now,
                expires_at=now + lifetime,
            )
        )
    return SignedIn(user=user, secret=secret)


def user_of_session(session: Session, secret: str, now: datetime) -> User | None:
    """Who is signed in with this cookie's secret, if it is valid. Reads only."""
    found = session.scalars(
        sa.select(LoginSession).where(
            LoginSession.secret_sha256 == _sha256(secret),
            LoginSession.revoked_at.is_(None),
            LoginSession.expires_at > now,
        )
    ).first()
    return found.user if found else None


def sign_out(session: Session, secret: str, now: datetime) -> None:
    """End a browser session. Opens its own write transaction."""
    with writing(session):
        session.execute(
            sa.update(LoginSession)
            .where(LoginSession.secret_sha256 == _sha256(secret))
            .values(revoked_at=now)
        )


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
    """A new API token. Opens its own write transaction. Raises: BadRequest for unknown scopes."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise BadRequest(f"Scopes are some of: {', '.join(SCOPES)}.")
    secret = _TOKEN_PREFIX + secrets.token_urlsafe(32)
    with writing(session):
        token = ApiToken(
            user_id=user.id,
            name=name.strip()[:100] or "token",
            token_sha256=_sha256(secret),
            prefix=secret[:10],
            scopes=sorted(set(scopes)),
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
            details={"scopes": token.scopes},
        )
    return IssuedToken(token=token, secret=secret)


def token_of(session: Session, secret: str, now: datetime) -> ApiToken | None:
    """The live token with this secret; notes its use now and then (a short write)."""
    token = session.scalars(
        sa.select(ApiToken).where(
            ApiToken.token_sha256 == _sha256(secret),
            ApiToken.revoked_at.is_(None),
            ApiToken.expires_at > now,
        )
    ).first()
    if token is None:
        return None
    if token.last_used_at is None or now - token.last_used_at > _TOUCH_AFTER:
        with writing(session):
            token.last_used_at = now
    return token


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
    """Revoke one of the user's tokens. Opens its own write transaction. Raises: NotFound."""
    with writing(session):
        token = session.get(ApiToken, token_id)
        if token is None or token.user_id != user.id:
            raise NotFound
        token.revoked_at = token.revoked_at or now
        audit.record(session, action="token.revoke", subject=f"token:{token_id}", actor=user)


def _refuse_if_throttled(session: Session, keys: dict[str, int], now: datetime) -> None:
    for key, limit in keys.items():
        since = now - _WINDOW
        failures = session.scalars(
            sa.select(SignInFailure.at)
            .where(SignInFailure.key_sha256 == key, SignInFailure.at > since)
            .order_by(SignInFailure.at.desc())
            .limit(limit)
        ).all()
        if len(failures) >= limit:
            wait = max(1, int((failures[-1] - since).total_seconds()) + 1)
            raise TooManyTries(
                "Too many failed sign-ins. Please wait a few minutes.", retry_after=wait
            )


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
