"""The browsers a person is signed in with, named so that they recognise them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from leaderboard.accounts import accounts
from leaderboard.models import User

# the first that fits: browsers name their ancestors too
_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, kw_only=True)
class Device:
    """A live session; `name` is empty where its browser says nothing that we know."""

    id: int
    name: str
    since: datetime
    last_seen_at: datetime


def of(session: Session, user: User, now: datetime) -> tuple[Device, ...]:
    """The user's live browser sessions, newest first."""
    return tuple(
        Device(
            id=each.id,
            name=name_of(each.user_agent),
            since=each.created_at,
            last_seen_at=each.last_seen_at or each.created_at,
        )
        for each in accounts.login_sessions(session, user, now)
    )


def name_of(user_agent: str) -> str:
    """Browser and system, as far as a User-Agent header tells.

    >>> name_of("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36")
    'Chrome, Linux'
    """
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if not browser:
        # a program: its name and version, as such headers begin
        browser = "".join(re.findall(r"^[\w.-]{1,40}/[\w.]{1,20}", user_agent))
    return ", ".join(part for part in (browser, system) if part)
