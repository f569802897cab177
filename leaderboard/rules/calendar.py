"""The due dates of a person's assignments as a calendar that phones subscribe to (RFC 5545)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from leaderboard.models import Assignment, Team
from leaderboard.rules import schedule

_LONGEST_LINE: Final = 74  # octets without the space that continues one


def feed(entries: Iterable[tuple[Assignment, Team | None]], *, base_url: str, now: datetime) -> str:
    """Write a calendar of the dates that hold for each team; the extended ones are its own.

    An assignment keeps its event under one id, so that a moved date moves the event.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//gradewright//due dates//EN",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
    ]
    for assignment, team in entries:
        held = schedule.terms(assignment, team)
        for what, at in (("due", held.due), ("closes", held.closes)):
            if at is not None:
                lines += _event(assignment, what, at, base_url, now)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _event(
    assignment: Assignment, what: str, at: datetime, base_url: str, now: datetime
) -> list[str]:
    course = assignment.course
    moment = _moment(at)
    return [
        "BEGIN:VEVENT",
        f"UID:assignment-{assignment.id}-{what}@gradewright",
        f"DTSTAMP:{_moment(now)}",
        f"DTSTART:{moment}",
        f"DTEND:{moment}",
        f"SUMMARY:{_text(f'{course.code}: {assignment.title} ({what})')}",
        f"URL:{base_url}/c/{course.code}/a/{assignment.slug}/",
        "END:VEVENT",
    ]


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    r"""
    >>> _text("a,b;c\nd")
    'a\\,b\\;c d'
    """
    for sign in ("\\", ";", ","):
        value = value.replace(sign, f"\\{sign}")
    return " ".join(value.split())


def _folded(line: str) -> Iterable[str]:
    """A line in parts of at most 75 octets, none of which cuts a character.

    >>> [len(part.encode()) <= 75 for part in _folded("深度学习" * 20)]
    [True, True, True, True]
    """
    part = ""
    for sign in line:
        if len((part + sign).encode()) > _LONGEST_LINE:
            yield part
            part = " "
        part += sign
    yield part
