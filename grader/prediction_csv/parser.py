"""Reads one prediction CSV from its first byte to its last, and checks that it is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from grader.errors import InvalidPredictions
from grader.prediction_csv.exact import is_blank, is_separator_line
from grader.prediction_csv.header import Vocabulary, read_header
from grader.prediction_csv.hints import add_hints
from grader.prediction_csv.rows import RowReader, Rows, read_rows
from grader.prediction_csv.source import (
    BLOCK_BYTES,
    BYTE_ORDER_MARK,
    ByteSource,
    Unreadable,
    line_blocks,
)
from grader.prediction_csv.tally import Tally

if TYPE_CHECKING:
    from grader.prediction_csv.expected import ExpectedRows

_SLACK_BYTES: Final = 1024  # of spaces and quotes that a line may hold beyond its values
_SLACK_LINES: Final = 1000  # of blank or surplus lines before reading stops
_SCORE_BYTES: Final = 64  # the longest double written in full takes 24


class Parser:
    """Parses one file; a second file needs a second parser."""

    def __init__(self, expected: ExpectedRows, block_bytes: int = BLOCK_BYTES) -> None:
        self._expected = expected
        self._block_bytes = block_bytes
        self._tally = Tally()
        self._reader: RowReader | None = None
        self._positions: list[NDArray[np.int32]] = []
        self._labels: list[NDArray[np.int32]] = []
        self._line = 1  # the number of the next line
        self._last_row_line = 1
        self._num_rows = 0
        self._blank: list[int] = []  # blank lines that no row has followed so far

    def parse(self, file: BinaryIO) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
        """Give labels (N,) and scores (N, K) or None, in the order of the expected ids.

        Raises:
            InvalidPredictions: with every problem found.
        """
        try:
            self._read(file)
        except Unreadable:
            whole = False
        else:
            whole = True
        labels = self._in_expected_order()
        if whole and self._reader is not None:
            complete = bool((labels >= 0).all()) and self._num_rows == len(labels)
            if not complete:
                self._check_ids(self._reader)
        if self._tally:
            expected = self._expected
            add_hints(self._tally, expected, starts_at_1=not (labels == 0).any())
            raise InvalidPredictions(self._tally.problems())
        scores = None if self._reader is None else self._reader.scores
        return labels.astype(np.int64), scores

    def _read(self, file: BinaryIO) -> None:
        limit = self._most_lines * (self._longest_line(has_scores=True) + 1)
        source = ByteSource(file, self._tally, limit, self._block_bytes)
        source.longest_line = self._longest_header()
        for number, (block, cut_off) in enumerate(line_blocks(source)):
            text = block.removeprefix(BYTE_ORDER_MARK) if number == 0 else block
            if self._reader is None:
                text = self._read_header(text, source)
            if text and self._reader is not None:
                self._take(read_rows(text, self._line, self._reader, cut_off=cut_off))
        if self._reader is None:
            self._tally.add("empty_file", None)
            raise Unreadable

    def _read_header(self, text: bytes, source: ByteSource) -> bytes:
        """Find the header in the lines of `text`; give the lines that follow it.

        Raises:
            Unreadable: the columns are not known, so that no row can be read.
        """
        while text:
            line, _, rest = text.partition(b"\n")
            if is_separator_line(line):
                self._tally.add("separator_line", self._line)
            elif not is_blank(line):
                self._note_row(self._line)
                self._reader = self._reader_for(line, source)
                if not self._reader.columns.is_header:
                    return text
                self._line += 1
                return rest
            else:
                self._blank.append(self._line)
            self._line += 1
            text = rest
        return text

    def _reader_for(self, header: bytes, source: ByteSource) -> RowReader:
        if len(header) > source.longest_line:
            self._tally.add("line_too_long", self._line)
            raise Unreadable
        expected = self._expected
        words = Vocabulary(
            id_column=expected.id_column,
            label_column=expected.label_column,
            classes=expected.classes,
        )
        columns = read_header(header, self._line, words, self._tally)
        if columns is None:
            raise Unreadable
        has_scores = columns.scores is not None
        # Pages of this that stay untouched cost nothing: memory grows with the rows that come.
        shape = len(expected.ids), len(expected.classes)
        scores = np.zeros(shape) if has_scores else None
        source.longest_line = self._longest_line(has_scores=has_scores)
        source.limit = self._most_lines * (source.longest_line + 1)
        return RowReader(
            columns=columns,
            ids=expected.id_lookup,
            labels=expected.label_lookup,
            classes={name: index for index, name in enumerate(expected.classes)},
            scores=scores,
            longest_line=source.longest_line,
            tally=self._tally,
        )

    def _take(self, rows: Rows) -> None:
        """Keep what a block held.

        Raises:
            Unreadable: there are so many lines that reading on would tell nothing more.
        """
        count = len(rows.positions)
        self._num_rows += count - len(rows.blank)
        trailing = count
        blank = list(rows.blank)
        while blank and blank[-1] == trailing - 1:
            trailing = blank.pop()
        if trailing:
            self._blank.extend(self._line + index for index in blank)
            self._note_row(self._line + trailing - 1)
        self._blank.extend(range(self._line + trailing, self._line + count))
        self._line += count
        self._positions.append(rows.positions)
        self._labels.append(rows.labels)
        if self._line - 1 > self._most_lines:
            expected = f"{len(self._expected.ids):,}"
            self._tally.add("reading_stopped", self._most_lines, expected=expected)
            raise Unreadable

    def _note_row(self, line: int) -> None:
        """Remember that a row stands here: blank lines before it are in the middle of the file."""
        if self._blank:
            self._tally.add("blank_line", self._blank[0], count=len(self._blank))
            self._blank.clear()
        self._last_row_line = line

    def _in_expected_order(self) -> NDArray[np.int32]:
        """Give the label of each expected id, or -1: int32 (N,)."""
        labels = np.full(len(self._expected.ids), -1, dtype=np.int32)
        for positions, of_block in zip(self._positions, self._labels, strict=True):
            if positions.min() >= 0:
                labels[positions] = of_block
            else:
                row = positions >= 0
                labels[positions[row]] = of_block[row]
        return labels

    def _check_ids(self, reader: RowReader) -> None:
        """Tally ids that are missing or there twice, and surplus rows."""
        expected = self._expected.ids
        positions = np.concatenate(self._positions or [np.empty(0, dtype=np.int32)])
        found = positions[positions >= 0]
        present = np.zeros(len(expected), dtype=np.bool_)
        present[found] = True
        column = reader.columns.names[reader.columns.id]
        missing = np.flatnonzero(~present)
        if missing.size:
            self._tally.add(
                "missing_id",
                self._last_row_line,
                column,
                value=expected[missing[0]],
                count=int(missing.size),
            )
        if len(found) + len(missing) > len(expected):
            self._tally_repeated(positions, column)
        if self._num_rows > len(expected):
            self._tally.add(
                "too_many_rows",
                self._last_row_line,
                value=f"{self._num_rows:,}",
                expected=f"{len(expected):,}",
                count=self._num_rows - len(expected),
            )

    def _tally_repeated(self, positions: NDArray[np.int32], column: str) -> None:
        counts = np.bincount(positions[positions >= 0], minlength=len(self._expected.ids))
        lines = np.flatnonzero((positions >= 0) & (counts[positions] > 1))
        by_id = lines[np.argsort(positions[lines], kind="stable")]
        is_first = np.diff(positions[by_id], prepend=-1) != 0
        again = int(by_id[~is_first].min())
        before = int(lines[positions[lines] == positions[again]].min())
        first_row = self._line - len(positions)
        self._tally.add(
            "duplicate_id",
            first_row + again,
            column,
            value=self._expected.ids[positions[again]],
            expected=str(first_row + before),
            count=int((~is_first).sum()),
        )

    @property
    def _most_lines(self) -> int:
        return 2 * len(self._expected.ids) + _SLACK_LINES

    def _longest_line(self, *, has_scores: bool) -> int:
        """Bound a row's bytes: each character may be a doubled quotation mark."""
        expected = self._expected
        scores = len(expected.classes) * _SCORE_BYTES if has_scores else 0
        return (
            _SLACK_BYTES
            + 2 * expected.id_lookup.longest_key
            + max(scores, 2 * expected.label_lookup.longest_key)
        )

    def _longest_header(self) -> int:
        names = (self._expected.id_column, self._expected.label_column, *self._expected.classes)
        return 64 * _SLACK_BYTES + sum(8 * len(name) + 32 for name in names)
