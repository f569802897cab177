"""How often somebody may try: sliding windows in the database, shared by all web processes.

For what is worth guarding across processes (signing in, resets, sign-up). Plain floods of requests
are counted in memory (floods.py), since a write for each of them would be the flood.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard.db import writing
from leaderboard.errors import TooManyRequests, TooManyTries
from leaderboard.models import Attempt
from leaderboard.models.keeping import lifetime_of

LONGEST_WINDOW = lifetime_of(Attempt)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """At most `limit` attempts within `window` under one key."""

    name: str
    limit: int
    window: timedelta


_QUARTER = timedelta(minutes=15)
_HOUR = LONGEST_WINDOW
# of one account from one place: whoever guesses elsewhere locks nobody out
SIGN_IN_PAIR = Rule(name="account and address", limit=10, window=_QUARTER)
SIGN_IN_ACCOUNT = Rule(name="account", limit=200, window=_QUARTER)  # from everywhere
SIGN_IN_ADDRESS = Rule(name="address", limit=100, window=_QUARTER)  # a class behind one address
RESET_ACCOUNT = Rule(name="reset", limit=5, window=_HOUR)
RESET_ADDRESS = Rule(name="reset address", limit=60, window=_HOUR)
WRONG_CODE_ADDRESS = Rule(name="code address", limit=30, window=_HOUR)
SIGN_UP_EMAIL = Rule(name="sign-up", limit=5, window=_HOUR)
SIGN_UP_ADDRESS = Rule(name="sign-up address", limit=300, window=_HOUR)
NEW_ADDRESS_ACCOUNT = Rule(name="new address", limit=5, window=_HOUR)
ADDRESS_CODE = Rule(name="address code", limit=10, window=_HOUR)
TEAM_MAIL = Rule(name="team mail", limit=20, window=_HOUR)


@dataclass(frozen=True, kw_only=True)
class Key:
    """Whom a rule is held against: an account, an address on the network, a mailbox."""

    rule: Rule
    who: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(f"{self.rule.name}:{self.who}".encode()).hexdigest()


def source(address: str) -> str:
    """Where on the network somebody is: one IPv6 network of a household has 2^64 addresses.

    >>> source("2001:db8::17"), source("10.0.0.9"), source("")
    ('2001:db8::', '10.0.0.9', '')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False).network_address)


def take(session: Session, keys: Iterable[Key], now: datetime) -> tuple[int, ...]:
    """Count an attempt before it is made, within the caller's write transaction; which rows say so.

    Of many at once no more go on than one after another would: on PostgreSQL those of a key wait
    for each other, SQLite has one writer anyway.

    Raises:
        TooManyRequests: whoever it is has tried too often.
    """
    ordered = sorted(keys, key=lambda key: key.sha256)  # or two would wait for each other for ever
    if session.get_bind().dialect.name != "sqlite":
        for key in ordered:
            number = int.from_bytes(bytes.fromhex(key.sha256)[:8], signed=True)
            session.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))
    _check(session, ordered, now)
    forget(session, now)
    made = [Attempt(key_sha256=key.sha256, at=now) for key in ordered]
    session.add_all(made)
    session.flush()
    return tuple(each.id for each in made)


def take_sign_in(session: Session, who: str, address: str, now: datetime) -> tuple[int, ...]:
    """Count a try at somebody's password or code: by account, by address on the network, and by
    both together. Opens its own write transaction.

    Raises:
        TooManyTries: the account or the address has failed too often.
    """
    place = source(address)
    keys = [Key(rule=SIGN_IN_ACCOUNT, who=who), Key(rule=SIGN_IN_PAIR, who=f"{who} {place}")]
    if place:
        keys.append(Key(rule=SIGN_IN_ADDRESS, who=place))
    try:
        with writing(session):
            return take(session, keys, now)
    except TooManyRequests as error:
        raise TooManyTries(
            said("account.too_many_failures"), retry_after=error.retry_after
        ) from None


def give_back(session: Session, taken: Sequence[int]) -> None:
    """Count an attempt no longer: it was a good one. Within the caller's write transaction."""
    session.execute(sa.delete(Attempt).where(Attempt.id.in_(taken)))


def _check(session: Session, keys: Iterable[Key], now: datetime) -> None:
    """Refuse whoever has tried too often. Reads only.

    Raises:
        TooManyRequests: with the seconds until the oldest attempt is out of the window.
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
                said("account.too_many_tries"),
                retry_after=wait,
            )


def forget(session: Session, now: datetime) -> None:
    """Drop what no rule looks at any more."""
    session.execute(sa.delete(Attempt).where(Attempt.at < now - LONGEST_WINDOW))
