"""Collects the problems of a file: each kind once, with its count and its first place.

The words stand in the catalogue, under `csv.` and the kind; a message can hold only what the file
itself says, what the public pack says, and numbers of lines and bytes: nothing here has ever seen
an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from grader.errors import Problem
from grader.words.catalogue import is_known, names_in
from grader.words.message import Message, said

MOST_MESSAGES: Final = 20
_SHOWN_CHARACTERS: Final = 40


@dataclass
class _Entry:
    count: int
    line: int | None
    column: str | None
    value: str
    expected: str
    hint: Message | Literal[""]


class Tally:
    """The problems found so far."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __contains__(self, kind: str) -> bool:
        return kind in self._entries

    def add(
        self,
        kind: str,
        line: int | None,
        column: str | None = None,
        *,
        value: str = "",
        expected: str = "",
        hint: Message | Literal[""] = "",
        count: int = 1,
    ) -> None:
        """Count one problem (or `count` of a kind, the first of which is described)."""
        entry = self._entries.get(kind)
        if entry is None:
            self._entries[kind] = _Entry(count, line, column, value, expected, hint)
        else:
            entry.count += count

    def first_value(self, kind: str) -> str:
        """Give what stands at the first place of a kind."""
        return self._entries[kind].value

    def hint(self, kind: str, hint: Message) -> None:
        """Say what the cause of a kind of problem is known to be."""
        self._entries[kind].hint = hint

    def problems(self) -> list[Problem]:
        """Word them in the order of their first lines, 20 at most."""
        worded = [self._worded(kind, entry) for kind, entry in self._entries.items()]
        worded.sort(key=lambda problem: (problem.line is not None, problem.line or 0))
        return worded[:MOST_MESSAGES]

    @staticmethod
    def _worded(kind: str, entry: _Entry) -> Problem:
        value = entry.value if kind in _OURS else shown(entry.value)
        code = f"csv.{kind}"
        return Problem(
            kind=kind,
            message=_filled(code, value=value, expected=entry.expected),
            line=entry.line,
            column=None if entry.column is None else printable(entry.column),
            count=entry.count,
            hint=entry.hint
            or (_filled(f"{code}.hint", value=value) if is_known(f"{code}.hint") else ""),
        )


# Kinds whose value is a number or a word of this program, not text from the file.
_OURS: Final = frozenset(
    {
        "not_a_csv",
        "too_many_bytes",
        "too_many_rows",
        "no_header",
        "wrong_separator",
        "ragged_row",
        "truncated_row",
    }
)


def _filled(code: str, **values: str) -> Message:
    """The message, with those of the values that it has a place for."""
    return said(code, **{name: values[name] for name in names_in(code)})


def shown(text: str) -> str:
    """Quote text from a file: on one line, printable, and cut after 40 characters.

    >>> shown("cat"), shown("a\\x1b[31m"), shown("x" * 99)[-3:]
    ("'cat'", "'a\\\\x1b[31m'", "x…'")
    """
    return f"'{printable(text)}'"


def printable(text: str) -> str:
    """Escape what a terminal or a page would not show as itself, and cut after 40 characters."""
    cut = text[:_SHOWN_CHARACTERS]
    escaped = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in cut
    )
    return escaped + ("…" if len(text) > _SHOWN_CHARACTERS else "")
