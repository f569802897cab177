"""A table as another program wrote it, cell by cell, so that what is not changed keeps its bytes.

Encoding and its mark, separator, ends of lines and quotation marks stay as they are: whoever reads
the file again finds the same names and ids.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from grader.words.message import said
from leaderboard.errors import BadRequest
from leaderboard.gradebooks.cells import neutral
from leaderboard.teams import class_list
from leaderboard.teams.class_lists import decoding

_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """The cells of a line as they stand in the file, quotation marks included, and its end."""

    cells: tuple[str, ...]
    end: str

    def value(self, place: int) -> str:
        """What a cell says; "" beyond the last."""
        return _value(self.cells[place]) if place < len(self.cells) else ""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A file as lines of cells."""

    mark: bytes
    encoding: str
    before: str  # of the first line: Excel's `sep=`
    separator: str
    lines: tuple[Line, ...] = field(default=())

    @property
    def header(self) -> list[str]:
        """The names of the columns."""
        first = self.lines[0]
        return [first.value(place).strip() for place in range(len(first.cells))]

    def column(self, place: int) -> list[str]:
        """What a column says below the header."""
        return [line.value(place) for line in self.lines[1:]]

    def with_cell(self, number: int, place: int, value: str) -> Sheet:
        """The same with another value in one cell, neutralised; an equal one changes no byte."""
        line = self.lines[number]
        if line.value(place) == value:
            return self
        cells = [*line.cells, *[""] * (place + 1 - len(line.cells))]
        cells[place] = self._raw(value, was_quoted=cells[place].startswith('"'))
        return self._with_line(number, cells)

    def with_column(self, place: int, values: Sequence[str]) -> Sheet:
        """The same with a column more, of a value a line; an empty line stays empty."""
        lines = []
        quoted = all(cell.startswith('"') for cell in self.lines[0].cells)
        for line, value in zip(self.lines, values, strict=True):
            if len(line.cells) < 2 and not line.value(0):
                lines.append(line)
                continue
            cells = [*line.cells, *[""] * (place - len(line.cells))]
            cells.insert(place, self._raw(value, was_quoted=quoted))
            lines.append(replace(line, cells=tuple(cells)))
        return replace(self, lines=tuple(lines))

    def content(self) -> bytes:
        """The file."""
        text = "".join(self.separator.join(line.cells) + line.end for line in self.lines)
        return self.mark + (self.before + text).encode(self.encoding)

    def _with_line(self, number: int, cells: Sequence[str]) -> Sheet:
        lines = list(self.lines)
        lines[number] = replace(lines[number], cells=tuple(cells))
        return replace(self, lines=tuple(lines))

    def _raw(self, value: str, *, was_quoted: bool) -> str:
        text = neutral(value)
        text = text.encode(self.encoding, "replace").decode(self.encoding)
        if was_quoted or any(each in text for each in (self.separator, '"', "\n", "\r")):
            return '"' + text.replace('"', '""') + '"'
        return text


def read(content: bytes) -> Sheet:
    """Read a file.

    Raises:
        BadRequest: it is too large, no table of text, or would not keep its bytes.
    """
    if len(content) > class_list.MOST_BYTES:
        raise BadRequest(said("class_list.too_large", most=class_list.MOST_BYTES >> 20))
    _, encoding = decoding.decoded(content)
    mark = next((each for each in _MARKS if content.startswith(each)), b"")
    encoding = _MARKS[mark] if mark else encoding
    text = content[len(mark) :].decode(encoding)
    if text.encode(encoding) != content[len(mark) :]:
        raise BadRequest(said("class_list.no_text"))
    stated = re.match(r"sep=(.)\r?\n", text, re.IGNORECASE)
    before = stated[0] if stated else ""
    _, separator = decoding.separated(text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = _lines(text[len(before) :], separator)
    return Sheet(mark=mark, encoding=encoding, before=before, separator=separator, lines=lines)


def _lines(text: str, separator: str) -> tuple[Line, ...]:
    found: list[Line] = []
    cells: list[str] = []
    place = 0
    while place < len(text):
        match = _cell(separator).match(text, place)
        assert match is not None  # a cell may be empty
        raw, end = match[1], match[2]
        if raw.startswith('"') and not re.fullmatch(r'"(?:[^"]|"")*"', raw):
            open_quote = said("class_list.open_quote", line=len(found) + 1)
            raise BadRequest(said("roster.unreadable", problems=open_quote))
        cells.append(raw)
        place = match.end()
        if end == separator and place < len(text):
            continue
        if end == separator:  # the file ends within a line, after a separator
            cells.append("")
            end = ""
        found.append(Line(cells=tuple(cells), end=end))
        cells = []
    if not found:
        raise BadRequest(said("class_list.nobody"))
    return tuple(found)


@cache
def _cell(separator: str) -> re.Pattern[str]:
    """A cell and what ends it: a quoted one may hold separators and ends of lines."""
    rest, between = f"[^{separator}\r\n]*", re.escape(separator)
    return re.compile(f'("(?:[^"]|"")*"{rest}|{rest})({between}|\r\n|\n|\r|\\Z)')


def _value(raw: str) -> str:
    return raw[1:-1].replace('""', '"') if raw.startswith('"') else raw
