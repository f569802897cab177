"""On which line each key of a TOML document stands: `tomllib` gives values without places."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

_TABLE: Final = re.compile(r" ?\[\[?([^\[\]]+)\]")
_KEY: Final = re.compile(r"""((?:[A-Za-z0-9_\-. ]|"[^"\n]*"|'[^'\n]*')+)=""")
_PART: Final = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*(?:\.|$)""")
_SPACES: Final = re.compile(r"[ \t]+")
# What may hold brackets or quotes of its own inside a value: strings of four kinds, and comments.
_OPAQUE: Final = re.compile(
    r'"{3}.*?"{3}|\'{3}.*?\'{3}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|\#[^\n]*', re.DOTALL
)


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Map each key path of a valid TOML document to its line, counting from 1.

    Keys inside inline tables are not mapped; look up the key that holds the table.

    >>> key_lines('a = 1\\n[split]\\nseed = 2\\n')
    {('a',): 1, ('split',): 2, ('split', 'seed'): 3}
    """
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in _statements(text):
        statement = _SPACES.sub(" ", line)  # runs of them would cost the patterns their square
        if header := _TABLE.match(statement):
            table = _path(header[1])
            lines.setdefault(table, number)
        elif key := _KEY.match(statement):
            path = (*table, *_path(key[1]))
            for depth in range(len(table) + 1, len(path) + 1):
                lines.setdefault(path[:depth], number)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Give each statement's first line number and first line, passing over continued values."""
    blanked = _OPAQUE.sub(lambda found: re.sub(r"[\[\]{}]", " ", found[0]), text)
    ends = [found.start() for found in re.finditer("\n", text)]
    inside_string = {
        bisect_left(ends, found.start()) + 2 + extra
        for found in _OPAQUE.finditer(text)
        for extra in range(found[0].count("\n"))
    }
    depth = 0
    for number, line in enumerate(blanked.split("\n"), start=1):
        if depth == 0 and number not in inside_string:
            yield number, line
        if _TABLE.match(line) and depth == 0:
            continue
        depth = max(
            0, depth + line.count("[") + line.count("{") - line.count("]") - line.count("}")
        )


def _path(dotted: str) -> tuple[str, ...]:
    return tuple(part[1] or part[2] or part[3] or "" for part in _PART.finditer(dotted))
