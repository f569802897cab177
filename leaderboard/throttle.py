"""How often somebody may try: sliding windows in the database, shared by all web processes.

For what is worth guarding across processes (signing in, resets, sign-up). Plain floods of requests
are counted in memory (floods.py), since a write for each of them would be the flood.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.errors import TooManyRequests
from leaderboard.models import Attempt

LONGEST_WINDOW = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """At most `limit` attempts within `window` under one key."""

    name: str
    limit: int
    window: timedelta


_QUARTER = timedelta(minutes=15)
_HOUR = LONGEST_WINDOW
SIGN_IN_ACCOUNT = Rule(name="account", limit=10, window=_QUARTER)
SIGN_IN_ADDRESS = Rule(name="address", limit=100, window=_QUARTER)  # a class behind one address
RESET_ACCOUNT = Rule(name="reset", limit=5, window=_HOUR)
RESET_ADDRESS = Rule(name="reset address", limit=60, window=_HOUR)
WRONG_CODE_ADDRESS = Rule(name="code address", limit=30, window=_HOUR)
SIGN_UP_EMAIL = Rule(name="sign-up", limit=5, window=_HOUR)
SIGN_UP_ADDRESS = Rule(name="sign-up address", limit=300, window=_HOUR)
NEW_ADDRESS_ACCOUNT = Rule(name="new address", limit=5, window=_HOUR)
TEAM_MAIL = Rule(name="team mail", limit=20, window=_HOUR)


@dataclass(frozen=True, kw_only=True)
class Key:
    """Whom a rule is held against: an account, an address on the network, a mailbox."""

    rule: Rule
    who: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(f"{self.rule.name}:{self.who}".encode()).hexdigest()


def check(session: Session, keys: Iterable[Key], now: datetime) -> None:
    """Refuse whoever has tried too often. Reads only.

    Raises: TooManyRequests, with the seconds until the oldest attempt is out of the window.
    """
    for key in keys:
        since = now - key.rule.window
        attempts = session.scalars(
            sa.select(Attempt.at)
            .where(Attempt.key_sha256 == key.sha256, Attempt.at > since)
            .order_by(Attempt.at.desc())
            .limit(key.rule.limit)
        ).all()
        if len(attempts) >= key.rule.limit:
            wait = max(1, int((attempts[-1] - since).total_seconds()) + 1)
            raise TooManyRequests(
                "Too many tries. Please wait a few minutes.",
                retry_after=wait,
            )


def note(session: Session, keys: Iterable[Key], now: datetime) -> None:
    """Count an attempt, within the caller's write transaction."""
    forget(session, now)
    session.add_all(Attempt(key_sha256=key.sha256, at=now) for key in keys)


def forget(session: Session, now: datetime) -> None:
    """Drop what no rule looks at any more."""
    session.execute(sa.delete(Attempt).where(Attempt.at < now - LONGEST_WINDOW))
