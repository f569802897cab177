"""Reads the rows of an answers.csv by the block, with NumPy, where every line of it is plain."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grader.prediction_csv.fields import BlockText, Fields
from grader.prediction_csv.lookup import KEEP, WORD, Lookup, plain_numbers
from grader.prediction_csv.source import BLOCK_BYTES, BYTE_ORDER_MARK
from grader.words.letters import one_form

SPLIT_COLUMNS: Final = ("split", "usage")
OTHER_SPACES: Final = (
    "\t\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007"
    "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What `str.strip` takes off beside spaces and line ends."""
_OTHER_ASCII_SPACES: Final = [space.encode() for space in OTHER_SPACES if space.isascii()]
_LONGEST_LINE: Final = 100_000  # bytes; `csv` refuses fields of 131,072 characters
_PUBLIC, _PRIVATE = (int.from_bytes(name, "little") for name in (b"public", b"private"))
_SMALL_LETTERS: Final = np.uint64(0x2020202020202020)  # set this bit, and P is p


@dataclass(frozen=True, kw_only=True)
class AnswerRows:
    """The rows of an answers.csv, in its own order.

    labels: int64 (N,), class indices. public: bool (N,), or None where no column states the split.
    order: int64 (N,), the rows sorted by id; that order tells nothing.
    """

    ids: tuple[str, ...] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    public: NDArray[np.bool_] | None = field(repr=False)
    order: NDArray[np.int64] = field(repr=False)

    def sorted_ids(self) -> tuple[str, ...]:
        """Give the ids in the order of `order`."""
        if np.array_equal(self.order, np.arange(len(self.ids))):
            return self.ids
        return tuple([self.ids[row] for row in self.order.tolist()])


@dataclass(frozen=True, kw_only=True)
class AnswerColumns:
    """Where the columns of an answers.csv stand, `count` in all; `split` is None where none is."""

    count: int
    id: int
    label: int
    split: int | None

    @classmethod
    def of(cls, header: list[str], id_column: str, label_column: str) -> AnswerColumns:
        """Find the columns in a case-folded header.

        Raises:
            KeyError: the column that is missing.
        """
        return cls(
            count=len(header),
            id=_place(header, (id_column.casefold(), "id")),
            label=_place(header, (label_column.casefold(), "label")),
            split=next((header.index(name) for name in SPLIT_COLUMNS if name in header), None),
        )


def _place(header: list[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise KeyError(names[0])


def class_index(value: str, classes: Sequence[str], known: dict[str, int]) -> int:
    """Give the index of a label written as a class name or an index, or -1."""
    value = one_form(value)
    if value in known:
        return known[value]
    if value.isascii() and value.isdigit() and len(value) < 10 and int(value) < len(classes):
        return int(value)
    return -1


def read_plain_rows(
    content: bytes, classes: tuple[str, ...], id_column: str, label_column: str
) -> AnswerRows | None:
    """Read an answers.csv of plain lines without a mistake; None where it is not one.

    Whatever this gives, `read_answers` (`grader.assignments.answers`) would give too, from the same
    bytes, a row at a time; that one also reads what is left over here, and words what is wrong
    with it.
    """
    start = len(BYTE_ORDER_MARK) if content.startswith(BYTE_ORDER_MARK) else 0
    end = _end_of_last_row(content)
    header_end = content.find(b"\n", start, end)
    header = content[start : header_end + 1]
    if header_end < 0 or not _is_plain(header):
        return None
    try:
        columns = AnswerColumns.of(_header_names(header), id_column, label_column)
    except KeyError:
        return None
    if not _has_only(BlockText(header), columns.count):
        return None
    return _BlockReader(columns, classes).read(_blocks(content, header_end + 1, end))


def _end_of_last_row(content: bytes) -> int:
    end = len(content)
    while end and content[end - 1] in b"\r\n":
        end -= 1
    return end


def _is_plain(lines: bytes) -> bool:
    """Say whether `csv` and a block's fields agree on what is a line, a quote and a space."""
    if b"\0" in lines or (b" " in lines and (b"     " in lines or b' "' in lines)):
        return False
    if b"\r" in lines and lines.count(b"\r") != lines.count(b"\r\n"):
        return False
    if lines.isascii():
        return not any(space in lines for space in _OTHER_ASCII_SPACES)
    try:
        text = lines.decode()
    except UnicodeDecodeError:
        return False
    return not any(space in text for space in OTHER_SPACES)


def _header_names(line: bytes) -> list[str]:
    return [cell.strip().casefold() for row in csv.reader([line.decode()]) for cell in row]


def _has_only(text: BlockText, columns: int) -> bool:
    """Say whether every line of a block is a regular row."""
    return len(text.regular_fields(columns, _LONGEST_LINE).lines) == len(text.newlines)


def _blocks(content: bytes, start: int, end: int) -> Iterator[bytes]:
    """Cut the lines from `start` to `end` into blocks that fit the processor's cache."""
    while start < end:
        cut = content.rfind(b"\n", start, min(start + BLOCK_BYTES, end)) + 1
        cut = cut if cut and start + BLOCK_BYTES < end else end
        yield content[start:cut].rstrip(b"\r\n") + b"\n"
        start = cut


class _Odd(Exception):
    """A row is not plain, or wrong."""


class _BlockReader:
    """Reads block after block; what it has read so far stands in lists of one piece a block."""

    def __init__(self, columns: AnswerColumns, classes: tuple[str, ...]) -> None:
        self._columns, self._classes = columns, classes
        self._known = {name: index for index, name in enumerate(classes)}
        self._label_lookup = Lookup([*classes, *map(str, range(len(classes)))])
        self._ids: list[bytes] = []
        self._numbers: list[NDArray[np.intp]] = []
        self._labels: list[NDArray[np.int32]] = []
        self._public: list[NDArray[np.bool_]] = []

    def read(self, blocks: Iterator[bytes]) -> AnswerRows | None:
        """Read all lines, or give None as soon as one is odd."""
        try:
            for block in blocks:
                self._read_block(block)
            return self._rows()
        except _Odd:
            return None

    def _read_block(self, block: bytes) -> None:
        if not _is_plain(block):
            raise _Odd
        text = BlockText(block)
        fields = text.regular_fields(self._columns.count, _LONGEST_LINE)
        if len(fields.lines) < len(text.newlines):
            raise _Odd
        start, width = text.trimmed(fields, self._columns.id)
        if not width.all():
            raise _Odd
        self._ids.append(text.joined(start, width))
        self._numbers.append(plain_numbers(text.words, start, width))
        self._labels.append(self._labels_of(text, fields))
        if self._columns.split is not None:
            self._public.append(self._public_of(text, fields, self._columns.split))

    def _labels_of(self, text: BlockText, fields: Fields) -> NDArray[np.int32]:
        start, width = text.trimmed(fields, self._columns.label)
        labels = self._label_lookup.find(text.words, start, width)
        # The lookup holds the class names, then the indices.
        labels -= np.int32(len(self._classes)) * (labels >= len(self._classes))
        for row in np.flatnonzero(labels < 0).tolist():
            value = text.value(int(start[row]), int(width[row])).decode()
            labels[row] = class_index(value, self._classes, self._known)
            if labels[row] < 0:
                raise _Odd
        return labels

    def _public_of(self, text: BlockText, fields: Fields, column: int) -> NDArray[np.bool_]:
        start, width = text.trimmed(fields, column)
        words = (text.words[start] | _SMALL_LETTERS) & KEEP[np.minimum(width, WORD)]
        public: NDArray[np.bool_] = words == _PUBLIC
        for row in np.flatnonzero(~public & (words != _PRIVATE)).tolist():
            value = text.value(int(start[row]), int(width[row])).decode().casefold()
            if value not in ("public", "private"):
                raise _Odd
            public[row] = value == "public"
        return public

    def _rows(self) -> AnswerRows:
        joined = one_form(b"".join(self._ids).decode().removesuffix("\n"))
        ids = tuple(joined.split("\n"))
        return AnswerRows(
            ids=ids,
            labels=np.concatenate(self._labels).astype(np.int64),
            public=np.concatenate(self._public) if self._public else None,
            order=self._order(ids, joined),
        )

    def _order(self, ids: tuple[str, ...], joined: str) -> NDArray[np.int64]:
        """Give the rows by id.

        Raises:
            _Odd: an id is there twice, or can't be printed.
        """
        numbers = np.concatenate(self._numbers)
        if numbers.min() < 0:
            if len(set(ids)) < len(ids) or not joined.replace("\n", "").isprintable():
                raise _Odd
            return order_of(ids)
        order = np.argsort(numbers, kind="stable").astype(np.int64)
        if not (np.diff(numbers[order]) > 0).all():
            raise _Odd
        return order


def order_of(ids: Sequence[str]) -> NDArray[np.int64]:
    """Give the rows sorted by id: int64 (N,); ids that are all plain numbers by their value.

    >>> order_of(["10", "9"]).tolist(), order_of(["10", "09"]).tolist()
    ([1, 0], [1, 0])
    """
    if all(map(_is_plain_number, ids)):
        numbers = np.array([int(name) for name in ids], dtype=np.int64)
        return np.argsort(numbers, kind="stable").astype(np.int64)
    return np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)


def _is_plain_number(name: str) -> bool:
    if not (name.isascii() and name.isdigit() and len(name) <= 18):
        return False
    return name[0] != "0" or name == "0"
