"""TOML of strangers: what could cost a reader time or memory is refused before `tomllib` sees it.

`tomllib` (3.11) takes time and memory quadratic in the parts of one dotted key, a frame of the
stack for each open bracket, and raises other errors than its own for a number of 5,000 digits. So
the text is gone through once, in linear time, and held to a few limits that honest files keep.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any, Final

from grader.words.message import Message, said

# Strings as tomllib ends them: a closing delimiter of three may be followed by two more quotes.
_TOKEN: Final = re.compile(
    r'(?P<text>"{3}(?:\\.|[^"\\]|"(?!""))*"{3,5}|\'{3}(?:[^\']|\'(?!\'\'))*\'{3,5}'
    r'|"(?!"")(?:\\.|[^"\\\n])*"|\'(?!\'\')[^\'\n]*\')'
    r"|(?P<open>[\"'])"  # of a string without an end: tomllib goes no further
    r"|(?P<comment>\#[^\n]*)"
    r"|(?P<word>[^\s\"'#.,=\[\]{}]+)"
    r"|(?P<space>[ \t]+)"
    r"|(?P<other>.)",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class TomlLimits:
    """What one document may be. parts: of one dotted key or table's name."""

    size: int
    parts: int = 4
    depth: int = 8
    word: int = 200


class BeyondLimits(tomllib.TOMLDecodeError):
    """A document that is more than it may be; `problem` says what of it, on `line` if on one."""

    def __init__(self, problem: Message, *, line: int | None = None, column: int = 0) -> None:
        self.problem, self.line = problem, line
        super().__init__(
            problem if line is None else f"{problem} (at line {line}, column {column})"
        )


def read_toml(content: str | bytes, limits: TomlLimits) -> dict[str, Any]:
    """Read a document that keeps the limits.

    >>> read_toml("accuracy = 0.76", TomlLimits(size=64))
    {'accuracy': 0.76}
    >>> read_toml(b"\\xef\\xbb\\xbfaccuracy = 0.76", TomlLimits(size=64))  # as Notepad saves it
    {'accuracy': 0.76}
    >>> read_toml("a.a.a.a.a = 1", TomlLimits(size=64))
    Traceback (most recent call last):
    ...
    grader.bounded_toml.BeyondLimits: a key of more than 4 parts (at line 1, column 8)

    Raises:
        tomllib.TOMLDecodeError: it is no TOML, no UTF-8, or beyond a limit; says where.
    """
    if len(content) > limits.size:
        raise BeyondLimits(said("toml.too_large", most=f"{limits.size:,}"))
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
        text.encode("utf-8")  # a lone surrogate in text is no character
    except UnicodeError:
        raise BeyondLimits(said("toml.not_utf8")) from None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    _check(text, limits)
    try:
        return tomllib.loads(text)
    except (ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, tomllib.TOMLDecodeError):
            raise
        raise BeyondLimits(said("toml.value", error=str(error))) from error


def place_of(error: tomllib.TOMLDecodeError) -> tuple[str, int | None]:
    """What is wrong, and on which line; None where the document ends before its time.

    Before Python 3.14 tomllib tells the place in its sentence alone.

    >>> place_of(tomllib.TOMLDecodeError("Invalid value (at line 3, column 5)"))
    ('Invalid value', 3)
    """
    if isinstance(error, BeyondLimits):
        return error.problem, error.line
    what, told, place = str(error).rpartition(" (at ")
    line = place.removeprefix("line ").partition(",")[0]
    return (what if told else str(error)), (int(line) if line.isdecimal() else None)


def told(error: tomllib.TOMLDecodeError) -> str:
    """What is wrong, to be put into a sentence: with its place, where no line is told beside it."""
    if isinstance(error, BeyondLimits) and error.line is None:
        return error.problem
    what, line = place_of(error)
    return what if line is None else said("toml.at_line", problem=what, line=line)


def _check(text: str, limits: TomlLimits) -> None:
    """Hold a text to the limits.

    Raises:
        tomllib.TOMLDecodeError: it is beyond one.
    """
    depth = dots = 0
    for token in _TOKEN.finditer(text):
        kind, shown = token.lastgroup, token[0]
        if kind == "open":
            return
        if kind == "word" and len(shown) > limits.word:
            raise _beyond(text, token, said("toml.long_word", most=limits.word))
        if shown == ".":
            dots += 1
            if dots >= limits.parts:
                raise _beyond(text, token, said("toml.long_key", most=limits.parts))
        elif kind in ("comment", "other"):
            dots = 0
        if shown in ("[", "{"):
            depth += 1
            if depth > limits.depth:
                raise _beyond(text, token, said("toml.too_deep", most=limits.depth))
        elif shown in ("]", "}"):
            depth = max(0, depth - 1)


def _beyond(text: str, token: re.Match[str], problem: Message) -> BeyondLimits:
    line = text.count("\n", 0, token.start()) + 1
    column = token.start() - text.rfind("\n", 0, token.start())
    return BeyondLimits(problem, line=line, column=column)
