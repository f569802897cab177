"""How the text of a setting is read. Each reader raises ValueError with what is wrong."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from leaderboard.models.kinds import Lane

NO_MAIL = "none"  # said on purpose: `doctor --production` asks for either


def text(value: str) -> str:
    """Any text."""
    return value


def integer(low: int, high: int) -> Callable[[str], int]:
    """A whole number within bounds, both included."""

    def parse(value: str) -> int:
        if not value.strip().isascii() or not value.strip().isdigit():
            raise ValueError("must be a whole number")
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"must be from {low} to {high}")
        return number

    return parse


def optional_integer(low: int, high: int) -> Callable[[str], int | None]:
    """A whole number within bounds, both included; None for nothing."""
    parse = integer(low, high)
    return lambda value: parse(value) if value else None


def seconds(low: float, high: float) -> Callable[[str], float]:
    """A length of time within bounds, both included."""

    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            raise ValueError("must be a number of seconds") from None
        if not low <= number <= high:
            raise ValueError(f"must be from {low:g} to {high:g} seconds")
        return number

    return parse


def choice(*choices: str) -> Callable[[str], str]:
    """One of some words."""

    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"must be one of: {', '.join(choices)}")
        return value

    return parse


def optional_path(value: str) -> Path | None:
    """A path; None for nothing."""
    return Path(value).expanduser().absolute() if value else None


def command(value: str) -> tuple[str, ...]:
    """A command line, split as a shell would."""
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise ValueError(f"is no command line: {error}") from None


def database_url(value: str) -> str:
    """An SQLite or PostgreSQL URL; psycopg is the driver of the latter."""
    if value and urlsplit(value).scheme.split("+")[0] not in {"sqlite", "postgresql"}:
        raise ValueError("must start with sqlite:/// or postgresql://")
    if value.startswith("postgresql://"):
        value = "postgresql+psycopg://" + value.removeprefix("postgresql://")
    if value:
        _check_parts(value)
    return value


def _check_parts(url: str) -> None:
    """A password with an `@` as it is would move the host's beginning."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        parts = None
    if parts is None or not parts.database or "@" in (parts.host or ""):
        raise ValueError(
            "must name a database, postgresql://USER:PASSWORD@HOST/NAME or sqlite:///FILE; "
            "in a password % and @ are written as %25 and %40"
        )


def blobs_url(value: str) -> str:
    """The URL of a folder, or of a bucket of an object store."""
    parts = urlsplit(value)
    if value and parts.scheme not in {"file", "s3"}:
        raise ValueError("must start with file:/// (a folder) or s3:// (an object store)")
    if parts.scheme == "s3":
        if not parts.netloc or parts.password is not None:
            raise ValueError("must name a bucket, s3://BUCKET/PREFIX, and hold no key")
        unknown = set(parse_qs(parts.query, keep_blank_values=True)) - {"endpoint", "region"}
        if unknown:
            raise ValueError(f"knows endpoint and region only, not {', '.join(sorted(unknown))}")
    return value


def public_url(value: str) -> str:
    """An address without a slash at its end."""
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.netloc):
        raise ValueError("must start with http:// or https:// and name a host")
    return value.rstrip("/")


def smtp_url(value: str) -> str:
    """The address of a mail server, or the word that there is none."""
    parts = urlsplit(value)
    if value not in ("", NO_MAIL) and (parts.scheme not in {"smtp", "smtps"} or not parts.hostname):
        raise ValueError("must start with smtp:// or smtps:// and name a host")
    return value


def cron(value: str) -> str:
    """A cron expression of five fields, or nothing."""
    from croniter import croniter

    if value and not croniter.is_valid(value):
        raise ValueError("must be a cron expression of five fields, such as '0 3 * * *'")
    return value


def lanes(value: str) -> tuple[Lane, ...]:
    """Queues, separated by commas; none for the default."""
    try:
        return tuple(Lane(word.strip()) for word in value.split(",") if word.strip())
    except ValueError:
        raise ValueError(f"must be some of: {', '.join(Lane)}") from None
