"""What the value of a key in assignment.toml must be.

A check gives the value back, converted, or raises ValueError saying what is expected.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Check = Callable[[object], object]


def text(pattern: str = r"[^\x00-\x1f\x7f]*", expected: str = "text on one line") -> Check:
    """Accept a string that matches `pattern` as a whole."""

    def check(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(f"must be {expected}")
        return value

    return check


def one_of(*choices: str) -> Check:
    """Accept one of the given words."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in choices:
            return value
        near = difflib.get_close_matches(str(value), choices, n=1)
        raise ValueError(f"must be one of {', '.join(choices)}" + did_you_mean(near))

    return check


def some_of(*choices: str, at_least: int = 0) -> Check:
    """Accept a list without repetition of the given words."""
    each = one_of(*choices)

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError(f"must be a list of {', '.join(choices)}")
        words = tuple(str(each(item)) for item in value)
        if len(set(words)) != len(words) or len(words) < at_least:
            raise ValueError(
                f"must hold {'at least one word and ' if at_least else ''}no word twice"
            )
        return words

    return check


def flag(value: object) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def integer(low: int, high: int) -> Check:
    """Accept a whole number within bounds, both included."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return check


def number(low: float, high: float) -> Check:
    """Accept a number within bounds, both included."""

    def check(value: object) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return float(value)

    return check


def moment(value: object) -> datetime:
    """Accept a date and time with an offset from UTC."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("must be a time with an offset, such as 2026-09-01T00:00:00+08:00")
    return value


def time_zone(value: object) -> str:
    """Accept the name of a time zone of the IANA database."""
    try:
        ZoneInfo(value if isinstance(value, str) else "")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("must be a time zone's name, such as Asia/Shanghai") from error
    return str(value)


def class_names(value: object) -> tuple[str, ...]:
    """Accept two or more different names; a name of digits must be its own index."""
    if not isinstance(value, list) or not 2 <= len(value) <= 100_000:
        raise ValueError("must be a list of at least two class names")
    for index, name in enumerate(value):
        if not isinstance(name, str) or not name or name != name.strip() or not name.isprintable():
            raise ValueError(f"entry {index} must be a name without spaces around it: {name!r}")
        if name.isdigit() and name != str(index):
            raise ValueError(
                f"entry {index} is called {name!r}: a name of digits must equal its index"
            )
    if len(set(value)) != len(value):
        repeated = next(name for index, name in enumerate(value) if name in value[:index])
        raise ValueError(f"holds {repeated!r} twice")
    return tuple(value)


def points_by_name(what: str, example: str) -> Check:
    """Accept a table of name → points of the grade."""

    def check(value: object) -> Mapping[str, float]:
        if not isinstance(value, dict):
            raise ValueError(f"must be a table of {what} = grade, such as {{ {example} = 60 }}")
        grade = number(0, 1000)
        return {name: float(str(grade(points))) for name, points in value.items()}

    return check


def did_you_mean(near: Sequence[str]) -> str:
    """Word the nearest valid name, if there is one."""
    return f"; did you mean {near[0]!r}?" if near else ""
