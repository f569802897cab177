"""Finds the columns of a prediction CSV by its header row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from grader.prediction_csv.exact import BadLine, BadValue, read_index, read_score, split_line
from grader.prediction_csv.tally import Tally, shown
from grader.words.message import Message, said

Role = str | int

_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where the fields of a row are; either `label` or `scores` is set.

    scores[k] is the field with the score of class k. `is_header` is False where the first line
    turned out to be a row: the columns are then the ones it seems to have.
    """

    names: tuple[str, ...]
    id: int
    label: int | None = None
    scores: tuple[int, ...] | None = None
    is_header: bool = True


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The names that a header may use."""

    id_column: str
    label_column: str
    classes: tuple[str, ...]

    @cached_property
    def exact(self) -> dict[str, Role]:
        """What each name stands for, as it is written: "id", "label", or a class index."""
        roles: dict[str, Role] = {self.id_column: "id", self.label_column: "label"}
        roles |= {str(index): index for index in range(len(self.classes))}
        return roles | {name: index for index, name in enumerate(self.classes)}

    @cached_property
    def folded(self) -> dict[str, Role]:
        """The same for names in capitals or small letters, where that leaves one meaning."""
        counts = Counter(name.casefold() for name in self.exact)
        return {
            name.casefold(): role
            for name, role in self.exact.items()
            if counts[name.casefold()] == 1
        }

    def role_of(self, name: str) -> Role | None:
        """Say what a column of this name stands for; None is unknown."""
        return self.exact[name] if name in self.exact else self.folded.get(name.casefold())


def read_header(line: bytes, number: int, words: Vocabulary, tally: Tally) -> Columns | None:
    """Find the columns; every problem of the header goes to the tally.

    None means that the rows can't be read, since nobody knows what their columns are.
    """
    try:
        names = split_line(line)
    except BadLine as problem:
        tally.add(problem.kind, number)
        text = line.decode("utf-8", "replace").strip()
        if problem.kind == "stray_quote" and (hint := _foreign(text, words)):
            tally.hint(problem.kind, hint)
        return None
    resolved = [words.role_of(name) for name in names]
    if len(names) == 1 and resolved[0] is None:
        for separator, called in _SEPARATORS.items():
            if separator in names[0]:
                tally.add("wrong_separator", number, value=called)
                return None
    # Digits may name classes, but a header of nothing else is more likely a row.
    named = any(
        role is not None and not name.isdigit() for name, role in zip(names, resolved, strict=True)
    )
    if not named and _looks_like_row(names, words):
        return _without_header(names, number, words, tally)
    return _columns(names, resolved, number, words, tally)


def _looks_like_row(names: Sequence[str], words: Vocabulary) -> bool:
    """Say whether the line reads as an id with a label or with scores."""
    for value in names[1:]:
        try:
            if value not in words.classes:
                read_score(value)
        except BadValue:
            return False
    return len(names) > 1


def _without_header(
    names: Sequence[str], number: int, words: Vocabulary, tally: Tally
) -> Columns | None:
    expected = [words.id_column, words.label_column]
    if len(names) == len(words.classes) + 1 and len(names) > 2:
        expected = [words.id_column, *words.classes]
    tally.add("no_header", number, value=_header(expected))
    if len(names) != len(expected):
        return None
    if len(expected) == 2:
        return Columns(names=tuple(expected), id=0, label=1, is_header=False)
    scores = tuple(range(1, len(expected)))
    return Columns(names=tuple(expected), id=0, scores=scores, is_header=False)


def _header(names: Sequence[str]) -> str:
    return ",".join(names[:6]) + (",…" if len(names) > 6 else "")


def _columns(
    names: Sequence[str],
    roles: Sequence[Role | None],
    number: int,
    words: Vocabulary,
    tally: Tally,
) -> Columns | None:
    place: dict[Role | None, int] = {}
    for at, (name, role) in enumerate(zip(names, roles, strict=True)):
        if role is None:
            tally.add(_unknown_kind(name, at), number, name, value=name)
        elif role in place:
            tally.add("repeated_column", number, name, value=name)
        place.setdefault(role, at)
    if "id" not in place:
        tally.add("missing_column", number, words.id_column, value=words.id_column)
    classes = [role for role in place if isinstance(role, int)]
    if classes and "label" in place:
        name = names[place["label"]]
        tally.add("mixed_columns", number, name, value=name)
        return None
    if not classes:
        if "label" not in place:
            tally.add("missing_column", number, words.label_column, value=words.label_column)
        if "id" not in place or "label" not in place:
            tally.hint("missing_column", _right_header(names, roles, words))
            return None
        if None in place and "unknown_column" in tally:
            columns = f'"{names[place["id"]]}", "{names[place["label"]]}"'
            tally.hint("unknown_column", said("hint.extra_column", columns=columns))
        return Columns(names=tuple(names), id=place["id"], label=place["label"])
    return _score_columns(names, place, number, words, tally)


def _right_header(names: Sequence[str], roles: Sequence[Role | None], words: Vocabulary) -> Message:
    """Say which column to rename, where one can only be the one that is missing."""
    if len(names) == 1 and roles[0] is None and (foreign := _foreign(names[0], words)):
        return foreign
    unknown = [name for name, role in zip(names, roles, strict=True) if role is None]
    if len(unknown) == len(words.classes) > 2 and "label" not in roles:
        return said("hint.score_columns", header=shown(_header([words.id_column, *words.classes])))
    absent = [
        name
        for name, role in ((words.id_column, "id"), (words.label_column, "label"))
        if role not in roles
    ]
    if len(absent) == len(unknown) == 1:
        return said("hint.rename_column", column=shown(unknown[0]), name=shown(absent[0]))
    return said("hint.header", header=shown(f"{words.id_column},{words.label_column}"))


def _foreign(line: str, words: Vocabulary) -> Message | None:
    """Say what the first line of a file is that is no CSV with commas."""
    line = line.strip('"') if line.count('"') == 2 else line
    if line.startswith("<"):
        return said("hint.web_page")
    if line.startswith(("{", "[")):
        return said("hint.json")
    for separator in (*_SEPARATORS, "，", " "):
        names = [name.strip('" ') for name in line.split(separator)]
        if len(names) > 1 and "id" in map(words.role_of, names):
            return said("hint.other_separator", separator=shown(separator))
    if "id" in map(words.role_of, line.split(",")):
        return said("hint.line_in_quotes")
    if "," not in line:
        return said("hint.line_above", header=shown(f"{words.id_column},{words.label_column}"))
    return None


def _unknown_kind(name: str, at: int) -> str:
    if name == "" and at > 0:
        return "trailing_comma"
    saved_index = name == "" or name.casefold().startswith("unnamed:")
    return "saved_index" if saved_index else "unknown_column"


def _score_columns(
    names: Sequence[str],
    place: dict[Role | None, int],
    number: int,
    words: Vocabulary,
    tally: Tally,
) -> Columns | None:
    absent = [index for index in range(len(words.classes)) if index not in place]
    if absent:
        name = words.classes[absent[0]]
        tally.add("missing_column", number, name, value=name, count=len(absent))
    used = [names[at] for role, at in place.items() if isinstance(role, int)]
    named = [name for name in used if not name.isdigit()]
    # A class whose name is its index fits both ways of naming.
    numbered = [name for name in used if name.isdigit() and name not in words.classes]
    if numbered and named:
        tally.add("mixed_columns", number, numbered[0], value=numbered[0])
    if absent or "id" not in place:
        return None
    scores = tuple(place[index] for index in range(len(words.classes)))
    return Columns(names=tuple(names), id=place["id"], scores=scores)


def label_index(value: str, classes: dict[str, int]) -> int:
    """Read a label: a class name as it is written in the assignment, or an index.

    Raises:
        BadValue: it is neither; the kind says what it looks like.
    """
    return classes[value] if value in classes else read_index(value, len(classes))
