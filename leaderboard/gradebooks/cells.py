"""Cells that no spreadsheet takes for formulas."""

from __future__ import annotations

import re
from typing import Final

# a spreadsheet runs a cell that starts with one of these as a formula, East Asian ones with their
# full-width forms too
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
# where a country's spreadsheets separate cells by something else than the file does, a cell begins
# within ours
_INNER_START: Final = re.compile("(?<=[;,\t|])[\u00a0\u3000 ]*(?=[=+@＝＋－＠-])")


def neutral(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula, whatever spaces it begins with.

    >>> neutral("＝1+1"), neutral(" @SUM(A1)"), neutral("Ada"), neutral(0.5)
    ("'＝1+1", "' @SUM(A1)", 'Ada', '0.5')
    >>> neutral("Ada;=1+1"), neutral("at most, -0.5")
    ("Ada;'=1+1", "at most,' -0.5")
    """
    text = _INNER_START.sub(lambda blanks: "'" + blanks[0], str(cell))
    bare = text.lstrip("\u00a0\u3000\ufeff ")
    return "'" + text if bare.startswith(_FORMULA_STARTS) else text
