"""What the value of a key in assignment.toml must be.

A check gives the value back, converted, or raises WrongValue saying what is expected.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from grader.words.message import Message, said

Check = Callable[[object], object]


class WrongValue(ValueError):
    """A key has another value than it may have.

    `problem` continues a sentence that the key's name begins; `expected` is what was asked for,
    where the whole value is wrong and not a part of it.
    """

    def __init__(self, problem: Message, expected: Message | None = None) -> None:
        self.problem, self.expected = problem, expected
        super().__init__(problem)


def must_be(expected: Message, hint: Message | Literal[""] = "") -> WrongValue:
    """Make the error of a value that is not what was expected."""
    return WrongValue(said("setting.must_be", expected=expected, hint=hint), expected)


def text(pattern: str, expected: Message) -> Check:
    """Accept a string that matches `pattern` as a whole."""

    def check(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise must_be(expected)
        return value

    return check


def one_of(*choices: str) -> Check:
    """Accept one of the given words."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in choices:
            return value
        near = difflib.get_close_matches(str(value), choices, n=1)
        raise must_be(said("setting.one_of", choices=", ".join(choices)), did_you_mean(near))

    return check


def some_of(*choices: str, may_be_empty: bool = True) -> Check:
    """Accept a list without repetition of the given words."""
    each = one_of(*choices)

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise must_be(said("setting.list_of", choices=", ".join(choices)))
        words = tuple(str(each(item)) for item in value)
        if not words and not may_be_empty:
            raise WrongValue(said("setting.no_word"))
        if len(set(words)) != len(words):
            raise WrongValue(said("setting.word_twice"))
        return words

    return check


def flag(value: object) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise must_be(said("setting.flag"))
    return value


def integer(low: int, high: int) -> Check:
    """Accept a whole number within bounds, both included."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise must_be(said("setting.integer", low=low, high=high))
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
            raise must_be(said("setting.number", low=f"{low:g}", high=f"{high:g}"))
        return float(value)

    return check


def moment(value: object) -> datetime:
    """Accept a date and time with an offset from UTC."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise must_be(said("setting.moment"))
    return value


def time_zone(value: object) -> str:
    """Accept the name of a time zone of the IANA database."""
    try:
        ZoneInfo(value if isinstance(value, str) else "")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise must_be(said("setting.time_zone")) from error
    return str(value)


def class_names(value: object) -> tuple[str, ...]:
    """Accept two or more different names; a name of digits must be its own index."""
    if not isinstance(value, list) or not 2 <= len(value) <= 100_000:
        raise must_be(said("setting.class_names"))
    for index, name in enumerate(value):
        if not isinstance(name, str) or not name or name != name.strip() or not name.isprintable():
            raise WrongValue(said("setting.class_spaces", index=index, name=repr(name)))
        if name.isdigit() and name != str(index):
            raise WrongValue(said("setting.class_digits", index=index, name=repr(name)))
    if len(set(value)) != len(value):
        repeated = next(name for index, name in enumerate(value) if name in value[:index])
        raise WrongValue(said("setting.class_twice", name=repr(repeated)))
    return tuple(value)


def points_by_name(what: Message, example: str) -> Check:
    """Accept a table of name → points of the grade."""

    def check(value: object) -> Mapping[str, float]:
        if not isinstance(value, dict):
            raise must_be(said("setting.points", what=what, example=example))
        grade = number(0, 1000)
        return {name: float(str(grade(points))) for name, points in value.items()}

    return check


def minutes_by_name(value: object) -> Mapping[str, float]:
    """Accept a table of name → minutes."""
    if not isinstance(value, dict):
        raise must_be(said("setting.minutes"))
    minutes = number(0, 1_000_000)
    return {name: float(str(minutes(each))) for name, each in value.items()}


def did_you_mean(near: Sequence[str]) -> Message | Literal[""]:
    """Word the nearest valid name, if there is one."""
    return said("setting.did_you_mean", name=repr(near[0])) if near else ""
