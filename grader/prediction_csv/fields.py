"""Finds the fields of a block of lines, all rows at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grader.prediction_csv.lookup import KEEP, PADDING, WORD, Places, as_words

_NEWLINE: Final = ord("\n")
_COMMA: Final = ord(",")
_CR: Final = ord("\r")
_SPACE: Final = ord(" ")
_QUOTE: Final = ord('"')
_NEWLINE_AT: Final = np.array([_NEWLINE << (8 * byte) for byte in range(WORD)], dtype=np.uint64)
_MOST_WORDS: Final = 8  # in a value that is copied by words; PADDING reaches so far
_MOST_SPACES: Final = 4  # stripped here, each in one pass over the block; more are read exactly


@dataclass(frozen=True)
class Fields:
    """The fields of regular rows: column c of line `lines[i]` is start[c][i] up to end[c][i]."""

    lines: Places
    start: list[Places]
    end: list[Places]

    def only(self, keep: NDArray[np.bool_]) -> Fields:
        """Keep some of the rows."""
        if keep.all():
            return self
        return Fields(
            self.lines[keep], [at[keep] for at in self.start], [at[keep] for at in self.end]
        )


class BlockText:
    """A block of whole lines, each ended by a newline, seen as bytes and as 64-bit words."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        padded = text + PADDING
        self.words = as_words(padded)
        self._bytes = np.frombuffer(padded, dtype=np.uint8)
        body = self._bytes[: len(text)]
        self._separators = np.flatnonzero((body == _NEWLINE) | (body == _COMMA))
        self._is_newline = body[self._separators] == _NEWLINE
        self.newlines: Places = self._separators[self._is_newline]

    def line(self, index: int) -> bytes:
        """Give one line without its newline."""
        start = int(self.newlines[index - 1]) + 1 if index else 0
        return self._text[start : int(self.newlines[index])]

    def regular_fields(self, columns: int, longest_line: int) -> Fields:
        """Find the rows of `columns` fields that can be read as they stand.

        Left out are lines with a NUL byte (it would match the padding of a word), over-long lines,
        and lines where a quotation mark does more than enclose a whole field.
        """
        fields = self._split(columns)
        if b"\r" in self._text and fields.end:
            fields.end[-1] = fields.end[-1] - (self._bytes[fields.end[-1] - 1] == _CR)
        odd = np.diff(self.newlines, prepend=-1) > longest_line + 1
        if b"\0" in self._text:
            odd |= self._count(0) > 0
        if b'"' in self._text:
            enclosing = np.zeros(len(self.newlines), dtype=np.intp)
            for column in range(columns):
                start, end = self._strip(fields.start[column], fields.end[column])
                enclosing[fields.lines] += 2 * self._enclosed(start, end)
            odd |= self._count(_QUOTE) != enclosing
        return fields.only(~odd[fields.lines])

    def trimmed(self, fields: Fields, column: int) -> tuple[Places, Places]:
        """Give start and width of a column's values: no outer spaces, no quotes."""
        start, end = fields.start[column], fields.end[column]
        if b" " in self._text or b'"' in self._text:
            start, end = self._strip(start, end)
            enclosed = self._enclosed(start, end)
            if enclosed.any():
                start, end = self._strip(start + enclosed, end - enclosed)
        return start, end - start

    def value(self, start: int, width: int) -> bytes:
        """Give `width` bytes from byte `start`."""
        return self._text[start : start + width]

    def joined(self, start: Places, width: Places) -> bytes:
        """Give some values one after another, each with a newline behind it."""
        words = int(width.max(initial=0)) // WORD + 1
        if words > _MOST_WORDS:
            bounds = zip(start.tolist(), (start + width).tolist(), strict=True)
            return b"".join([self._text[first:last] + b"\n" for first, last in bounds])
        cells = np.empty((len(start), words), dtype="<u8")
        for column in range(words):
            left = width - column * WORD
            cells[:, column] = self.words[start + column * WORD] & KEEP[np.clip(left, 0, WORD)]
        row = np.arange(len(start))
        cells[row, width // WORD] |= _NEWLINE_AT[width % WORD]
        return cells.tobytes().translate(None, b"\0")

    def texts(self, fields: Fields, columns: Sequence[int]) -> list[bytes]:
        """Give some columns of each row as they stand, separated by commas."""
        last = len(fields.start) - 1
        if list(columns) == list(range(columns[0], last + 1)):
            bounds = zip(fields.start[columns[0]].tolist(), fields.end[last].tolist(), strict=True)
            return [self._text[start:end] for start, end in bounds]
        starts = np.stack([fields.start[column] for column in columns], axis=1).tolist()
        ends = np.stack([fields.end[column] for column in columns], axis=1).tolist()
        return [
            b",".join([self._text[a:b] for a, b in zip(start, end, strict=True)])
            for start, end in zip(starts, ends, strict=True)
        ]

    def _split(self, columns: int) -> Fields:
        at = np.flatnonzero(self._is_newline)
        ends = self._separators
        starts = np.empty_like(ends)
        starts[:1] = 0
        starts[1:] = ends[:-1] + 1
        if (
            len(ends) == len(at) * columns
            and (at == np.arange(columns - 1, len(ends), columns)).all()
        ):
            return Fields(
                np.arange(len(at)),
                [starts[column::columns] for column in range(columns)],
                [ends[column::columns] for column in range(columns)],
            )
        lines = np.flatnonzero(np.diff(at, prepend=-1) == columns)
        fields = [at[lines] - (columns - 1 - column) for column in range(columns)]
        return Fields(lines, [starts[one] for one in fields], [ends[one] for one in fields])

    def _count(self, byte: int) -> Places:
        """Count a byte in each line."""
        places = np.flatnonzero(self._bytes[: len(self._text)] == byte)
        return np.bincount(np.searchsorted(self.newlines, places), minlength=len(self.newlines))

    def _strip(self, start: Places, end: Places) -> tuple[Places, Places]:
        for _ in range(_MOST_SPACES):
            leading = (start < end) & (self._bytes[start] == _SPACE)
            trailing = (start + 1 < end) & (self._bytes[end - 1] == _SPACE)
            if not (leading.any() or trailing.any()):
                break
            start, end = start + leading, end - trailing
        return start, end

    def _enclosed(self, start: Places, end: Places) -> NDArray[np.bool_]:
        quoted: NDArray[np.bool_] = (
            (end - start >= 2) & (self._bytes[start] == _QUOTE) & (self._bytes[end - 1] == _QUOTE)
        )
        return quoted
