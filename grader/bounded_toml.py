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


def read_toml(content: str | bytes, limits: TomlLimits) -> dict[str, Any]:
    """Read a document that keeps the limits.

    >>> read_toml("accuracy = 0.76", TomlLimits(size=64))
    {'accuracy': 0.76}
    >>> read_toml("a.a.a.a.a = 1", TomlLimits(size=64))
    Traceback (most recent call last):
    ...
    tomllib.TOMLDecodeError: a key of more than 4 parts (at line 1, column 8)

    Raises:
        tomllib.TOMLDecodeError: it is no TOML, no UTF-8, or beyond a limit; says where.
    """
    if len(content) > limits.size:
        raise tomllib.TOMLDecodeError(f"more than {limits.size:,} bytes")
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
        text.encode("utf-8")  # a lone surrogate in text is no character
    except UnicodeError:
        raise tomllib.TOMLDecodeError("not UTF-8 throughout") from None
    text = text.replace("\r\n", "\n")
    _check(text, limits)
    try:
        return tomllib.loads(text)
    except (ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, tomllib.TOMLDecodeError):
            raise
        raise tomllib.TOMLDecodeError(f"a value that can't be read: {error}") from error


def place_of(error: tomllib.TOMLDecodeError) -> tuple[str, int | None]:
    """What is wrong, and on which line; None where the document ends before its time.

    Before Python 3.14 tomllib tells the place in its sentence alone.

    >>> place_of(tomllib.TOMLDecodeError("Invalid value (at line 3, column 5)"))
    ('Invalid value', 3)
    """
    what, told, place = str(error).rpartition(" (at ")
    line = place.removeprefix("line ").partition(",")[0]
    return (what if told else str(error)), (int(line) if line.isdecimal() else None)


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
            raise _beyond(text, token, f"a word or number of more than {limits.word} characters")
        if shown == ".":
            dots += 1
            if dots >= limits.parts:
                raise _beyond(text, token, f"a key of more than {limits.parts} parts")
        elif kind in ("comment", "other"):
            dots = 0
        if shown in ("[", "{"):
            depth += 1
            if depth > limits.depth:
                raise _beyond(text, token, f"more than {limits.depth} brackets in one another")
        elif shown in ("]", "}"):
            depth = max(0, depth - 1)


def _beyond(text: str, token: re.Match[str], what: str) -> tomllib.TOMLDecodeError:
    line = text.count("\n", 0, token.start()) + 1
    column = token.start() - text.rfind("\n", 0, token.start())
    return tomllib.TOMLDecodeError(f"{what} (at line {line}, column {column})")
