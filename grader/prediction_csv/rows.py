"""Reads the rows of a prediction CSV: regular ones by the block, odd ones exactly, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grader.prediction_csv.exact import BadLine, BadValue, is_blank, read_score, split_line
from grader.prediction_csv.fields import BlockText, Fields
from grader.prediction_csv.header import Columns, label_index
from grader.prediction_csv.lookup import Lookup, Places
from grader.prediction_csv.tally import Tally
from grader.words.message import said

_NUMBER_BYTES: Final = b"0123456789.eE+-,"


@dataclass(frozen=True, kw_only=True)
class RowReader:
    """What is needed to read a row, fixed once the header has been seen.

    scores: float64 (N, K), filled row by row in the order of the expected ids; None where the
    header has a label column.
    """

    columns: Columns
    ids: Lookup
    labels: Lookup
    classes: dict[str, int]
    scores: NDArray[np.float64] | None
    longest_line: int
    tally: Tally


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Some lines of the file, as read; a line that is no valid row is left at -1.

    positions: int32 (lines,), the place of the line's id among the expected ones.
    labels: int32 (lines,). blank: the lines that are blank, counted from 0 within the block.
    """

    positions: NDArray[np.int32]
    labels: NDArray[np.int32]
    blank: list[int]


def read_rows(lines: bytes, first_line: int, reader: RowReader, *, cut_off: bool) -> Rows:
    """Read whole lines, the first of which has the number `first_line`.

    `cut_off` says that the last of them had no newline of its own.
    """
    text = BlockText(lines)
    fields = text.regular_fields(len(reader.columns.names), reader.longest_line)
    count = len(text.newlines)
    rows = Rows(
        positions=np.full(count, -1, dtype=np.int32),
        labels=np.full(count, -1, dtype=np.int32),
        blank=[],
    )
    read_fields = _read_labels if reader.scores is None else _read_scores
    read = read_fields(fields, text, rows, reader)
    if read.size < count:
        odd = np.ones(count, dtype=np.bool_)
        odd[read] = False
        exact = _ExactReader(text, first_line, rows, reader)
        exact.read(np.flatnonzero(odd).tolist(), cut_off=cut_off)
    return rows


def _read_labels(fields: Fields, text: BlockText, rows: Rows, reader: RowReader) -> Places:
    """Read the rows whose id and label are known as they stand; give their lines."""
    assert reader.columns.label is not None
    start, width = text.trimmed(fields, reader.columns.id)
    positions = reader.ids.find(text.words, start, width)
    start, width = text.trimmed(fields, reader.columns.label)
    labels = reader.labels.find(text.words, start, width)
    good = (positions >= 0) & (labels >= 0)
    lines = fields.lines
    if not good.all():
        lines, positions, labels = lines[good], positions[good], labels[good]
    rows.positions[lines] = positions
    # The lookup holds the class names, then the indices.
    classes = len(reader.classes)
    rows.labels[lines] = labels - classes * (labels >= classes)
    return lines


def _read_scores(fields: Fields, text: BlockText, rows: Rows, reader: RowReader) -> Places:
    """Read the rows whose id is known and whose scores are plain numbers; give their lines."""
    columns, classes = reader.columns, len(reader.classes)
    assert columns.scores is not None
    assert reader.scores is not None
    start, width = text.trimmed(fields, columns.id)
    positions = reader.ids.find(text.words, start, width)
    known = positions >= 0
    fields, positions = fields.only(known), positions[known]
    lines = fields.lines
    pieces = text.texts(fields, columns.scores)
    numbers = _numbers(b",".join(pieces), len(pieces) * classes)
    if numbers is None:
        each = [_numbers(piece, classes) for piece in pieces]
        good = np.array([one is not None for one in each], dtype=np.bool_)
        lines, positions = lines[good], positions[good]
        numbers = np.array([one for one in each if one is not None], dtype=np.float64)
    numbers = numbers.reshape(len(lines), classes)
    rows.positions[lines] = positions
    reader.scores[positions] = numbers
    rows.labels[lines] = numbers.argmax(axis=1)
    return lines


def _numbers(text: bytes, count: int) -> NDArray[np.float64] | None:
    """Read comma-separated plain decimal numbers, or nothing if any of them is none.

    NumPy reads each with Python's own correctly rounded conversion; what it takes beyond the
    grammar of `exact.NUMBER` (spaces, nan, a leading plus) is refused before.
    """
    if text.translate(None, _NUMBER_BYTES) or not text:
        return None if text or count else np.empty(0)
    plus = text.count(b"+")
    if plus and plus != text.count(b"e+") + text.count(b"E+"):
        return None
    try:
        numbers = np.fromstring(text, dtype=np.float64, sep=",")
    except (ValueError, DeprecationWarning):
        return None
    if numbers.size != count or text.endswith(b",") or not np.isfinite(numbers).all():
        return None
    return numbers


class _ExactReader:
    """Reads the lines of a block that the fast way left over."""

    def __init__(self, text: BlockText, first_line: int, rows: Rows, reader: RowReader) -> None:
        self._text, self._rows, self._reader = text, rows, reader
        self._first_line = first_line
        self._found: list[int] = []
        self._ids: list[str] = []
        self._complete: list[bool] = []
        self._scores: dict[int, list[float]] = {}

    def read(self, lines: Sequence[int], *, cut_off: bool) -> None:
        """Read each line; what is wrong goes to the tally."""
        last = len(self._text.newlines) - 1
        for index in lines:
            line = self._text.line(index)
            too_long = len(line) > self._reader.longest_line
            if is_blank(line) and not too_long:
                self._rows.blank.append(index)
                continue
            try:
                if too_long:
                    raise BadLine("line_too_long")
                values = split_line(line)
            except BadLine as problem:
                self._reader.tally.add(problem.kind, self._first_line + index)
                continue
            self._read_values(index, values, cut_off=cut_off and index == last)
        self._find_ids()

    def _read_values(self, index: int, values: list[str], *, cut_off: bool) -> None:
        columns = self._reader.columns
        complete = len(values) == len(columns.names)
        if columns.id < len(values):
            self._found.append(index)
            self._ids.append(values[columns.id])
            self._complete.append(complete)
        if not complete:
            self._add_ragged(index, values, cut_off=cut_off)
        elif columns.label is not None:
            self._read_label(index, values[columns.label])
        else:
            self._read_scores(index, values)

    def _add_ragged(self, index: int, values: list[str], *, cut_off: bool) -> None:
        columns = self._reader.columns
        kind = "truncated_row" if cut_off and len(values) < len(columns.names) else "ragged_row"
        has_list = columns.label is not None and values[-1].endswith(("]", ")"))
        self._reader.tally.add(
            kind,
            self._first_line + index,
            value=str(len(values)),
            expected=str(len(columns.names)),
            hint=said("csv.label_scores.hint") if has_list else "",
        )

    def _read_label(self, index: int, value: str) -> None:
        classes = self._reader.classes
        try:
            self._rows.labels[index] = label_index(value, classes)
        except BadValue as problem:
            column = self._reader.columns.label
            self._bad_value(problem.kind, index, column, value, expected=str(len(classes) - 1))

    def _read_scores(self, index: int, values: list[str]) -> None:
        assert self._reader.columns.scores is not None
        scores: list[float] = []
        for column in self._reader.columns.scores:
            try:
                scores.append(read_score(values[column]))
            except BadValue as problem:
                self._bad_value(problem.kind, index, column, values[column])
        if len(scores) == len(self._reader.classes):
            self._scores[index] = scores
            self._rows.labels[index] = np.argmax(scores)

    def _bad_value(
        self, kind: str, index: int, column: int | None, value: str, expected: str = ""
    ) -> None:
        name = self._reader.columns.names[column or 0]
        line = self._first_line + index
        self._reader.tally.add(kind, line, name, value=value, expected=expected)

    def _find_ids(self) -> None:
        positions = self._reader.ids.find_all(self._ids)
        self._rows.positions[self._found] = positions
        if self._reader.scores is not None:
            for index, position in zip(self._found, positions.tolist(), strict=True):
                if position >= 0 and index in self._scores:
                    self._reader.scores[position] = self._scores[index]
        column = self._reader.columns.id
        for at in np.flatnonzero(positions < 0).tolist():
            if self._complete[at]:
                kind = "unknown_id" if self._ids[at] else "empty_value"
                self._bad_value(kind, self._found[at], column, self._ids[at])
