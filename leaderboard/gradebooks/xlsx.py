"""A table as an .xlsx workbook of one sheet: texts and numbers, no formula, no link."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import xlsxwriter

MIME: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# what XML 1.0 has no place for
_UNFIT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d+)?")
# the same rows are the same bytes
_CREATED: Final = datetime(1980, 1, 1, tzinfo=UTC)


def workbook(rows: Sequence[Mapping[str, object]], numbers: frozenset[str]) -> bytes:
    """Rows of equal keys as a workbook with a header.

    Args:
        numbers: the columns whose cells are numbers where they look so; of the others every cell
            is a text, so that a student number keeps its zeros.
    """
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        book.set_properties({"created": _CREATED})
        sheet = book.add_worksheet("Grades")
        for column, name in enumerate(rows[0] if rows else ()):
            sheet.write_string(0, column, name)
        for line, row in enumerate(rows, start=1):
            for column, (name, cell) in enumerate(row.items()):
                text = "" if cell is None else _UNFIT.sub("\ufffd", str(cell))
                if name in numbers and _NUMBER.fullmatch(text):
                    sheet.write_number(line, column, float(text))
                elif text:
                    sheet.write_string(line, column, text)
    return out.getvalue()
