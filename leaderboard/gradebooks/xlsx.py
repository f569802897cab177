"""A table as an .xlsx workbook of one sheet (ECMA-376): texts and numbers, no formula, no style.

The few parts that Excel, LibreOffice and WPS need; texts are inline, so that none is a formula.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

MIME: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_SHEET: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS: Final = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEET}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_SHEET}.worksheet+xml"/>'
    "</Types>",
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>",
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    "</Relationships>",
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="Grades" sheetId="1" r:id="rId1"/></sheets></workbook>',
}
# what XML 1.0 has no place for
_UNFIT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d+)?")


def workbook(rows: Sequence[Mapping[str, object]], numbers: frozenset[str]) -> bytes:
    """Rows of equal keys as a workbook with a header.

    Args:
        numbers: the columns whose cells are numbers where they look so; of the others every cell
            is a text, so that a student number keeps its zeros.
    """
    lines = [dict.fromkeys(rows[0])] if rows else []
    body = [_row(1, [(name, False) for name in lines[0]])] if lines else []
    for place, row in enumerate(rows, start=2):
        cells = [("" if cell is None else cell, name in numbers) for name, cell in row.items()]
        body.append(_row(place, cells))
    sheet = f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(body)}</sheetData></worksheet>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {**_PARTS, "xl/worksheets/sheet1.xml": sheet}.items():
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, _HEAD + text)
    return out.getvalue()


def _row(number: int, cells: Sequence[tuple[object, bool]]) -> str:
    written = [
        _cell(f"{_letters(place)}{number}", cell, may_be_number)
        for place, (cell, may_be_number) in enumerate(cells)
        if cell != ""
    ]
    return f'<row r="{number}">{"".join(written)}</row>'


def _cell(place: str, cell: object, may_be_number: bool) -> str:
    text = str(cell)
    if may_be_number and _NUMBER.fullmatch(text):
        return f'<c r="{place}"><v>{text}</v></c>'
    plain = escape(_UNFIT.sub("\ufffd", text))
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{plain}</t></is></c>'


def _letters(place: int) -> str:
    """
    >>> _letters(0), _letters(25), _letters(26), _letters(701), _letters(702)
    ('A', 'Z', 'AA', 'ZZ', 'AAA')
    """
    name = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
