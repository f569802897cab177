"""Tables as CSV, with cells that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

# a spreadsheet runs a cell that starts with one of these as a formula, East Asian ones with their
# full-width forms too
_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")


def table_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of equal keys as a CSV with a header; None is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    for row in rows:
        writer.writerow([neutral("" if cell is None else cell) for cell in row.values()])
    return out.getvalue()


def neutral(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula, whatever spaces it begins with.

    >>> neutral("＝1+1"), neutral(" @SUM(A1)"), neutral("Ada"), neutral(0.5)
    ("'＝1+1", "' @SUM(A1)", 'Ada', '0.5')
    """
    text = str(cell)
    bare = text.lstrip("\u00a0\u3000\ufeff ")
    return "'" + text if bare.startswith(_FORMULA_STARTS) else text
