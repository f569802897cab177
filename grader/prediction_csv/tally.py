"""Collects the problems of a file: each kind once, with its count and its first place.

All wording stands in one table, and a message can hold only what the file itself says, what the
public pack says, and numbers of lines and bytes: nothing here has ever seen an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grader.errors import Problem

MOST_MESSAGES: Final = 20
_SHOWN_CHARACTERS: Final = 40

# kind → (message, hint); {value} is what stands in the file, made printable and cut short.
KINDS: Final[dict[str, tuple[str, str]]] = {
    "not_a_csv": ("this is a {value} file, not a CSV", "upload the plain .csv, or a gzip of it"),
    "utf16": (
        "the file is UTF-16, not UTF-8",
        'in a spreadsheet, save as "CSV UTF-8 (comma delimited)"',
    ),
    "gzip_damaged": ("the gzip stream is damaged or cut off", "compress or upload the file again"),
    "too_many_bytes": (
        "the file is larger than any valid one could be; reading stopped after {value} bytes",
        "",
    ),
    "too_many_rows": ("there are {value} rows where {expected} are expected", ""),
    "reading_stopped": (
        "there are far more lines than rows expected ({expected}); reading stopped here",
        "",
    ),
    "line_too_long": ("the line is longer than any valid row could be", ""),
    "empty_file": ("the file holds no rows", ""),
    "no_header": ("the first line is no header", "the file must begin with the line {value}"),
    "wrong_separator": ("columns are separated by {value}; expected commas", ""),
    "missing_column": ("column {value} is missing from the header", ""),
    "unknown_column": ("column {value} is unknown", ""),
    "saved_index": (
        "column {value} is unknown",
        "an index column was saved: write the file with to_csv(..., index=False)",
    ),
    "repeated_column": ("column {value} is there more than once", ""),
    "mixed_columns": (
        "column {value} and another one both stand for labels",
        "give either the label column or one score column a class, named all alike",
    ),
    "nul": ("the line holds a NUL byte", "the file is damaged or not a text file"),
    "invalid_utf8": ("the line is not valid UTF-8", "write the file with encoding='utf-8'"),
    "lone_cr": (
        "the line holds a carriage return that does not end it",
        "end lines with LF or CRLF",
    ),
    "blank_line": ("the line is blank, but rows follow", ""),
    "ragged_row": ("the row has {value} columns where the header has {expected}", ""),
    "truncated_row": (
        "the last row is cut off: it has {value} columns where the header has {expected}",
        "the file was not written or uploaded to its end",
    ),
    "unclosed_quote": ("a quoted field is not closed on its line", ""),
    "stray_quote": ("a quotation mark stands in an unquoted field, or is followed by text", ""),
    "empty_value": ("the value is empty", ""),
    "non_finite": ("{value} is not a finite value", ""),
    "label_decimal": ("{value} is not a class index", "write 3, not 3.0: labels.astype(int)"),
    "label_exponent": ("{value} is not a class index", "write plain digits: labels.astype(int)"),
    "label_sign": ("{value} is not a class index", "write plain digits, without a sign"),
    "label_unicode_digits": ("{value} is not a class index", "write ASCII digits, 0 to 9"),
    "label_out_of_range": ("{value} is no class: indices go from 0 to {expected}", ""),
    "label_unknown": ("{value} is neither a class index nor a class name", ""),
    "score_not_number": ("{value} is not a plain decimal number", ""),
    "unknown_id": ("id {value} is not expected", ""),
    "duplicate_id": ("id {value} is there already, on line {expected}", ""),
    "missing_id": ("id {value} is missing: the file ends at this line without it", ""),
}


@dataclass
class _Entry:
    count: int
    line: int | None
    column: str | None
    value: str
    expected: str
    hint: str


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
        hint: str = "",
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

    def hint(self, kind: str, hint: str) -> None:
        """Say what the cause of a kind of problem is known to be."""
        self._entries[kind].hint = hint

    def problems(self) -> list[Problem]:
        """Word them in the order of their first lines, 20 at most."""
        worded = [self._worded(kind, entry) for kind, entry in self._entries.items()]
        worded.sort(key=lambda problem: (problem.line is not None, problem.line or 0))
        return worded[:MOST_MESSAGES]

    @staticmethod
    def _worded(kind: str, entry: _Entry) -> Problem:
        message, hint = KINDS[kind]
        value = entry.value if kind in _OURS else shown(entry.value)
        return Problem(
            kind=kind,
            message=message.format(value=value, expected=entry.expected),
            line=entry.line,
            column=None if entry.column is None else printable(entry.column),
            count=entry.count,
            hint=entry.hint or hint.format(value=value),
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
