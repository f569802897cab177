"""Tables as CSV, with cells that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from leaderboard.gradebooks.cells import neutral

__all__ = ["neutral", "table_csv"]


def table_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of equal keys as a CSV with a header; None is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    for row in rows:
        writer.writerow([neutral("" if cell is None else cell) for cell in row.values()])
    return out.getvalue()
