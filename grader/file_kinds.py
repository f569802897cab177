"""What an uploaded file is: a CSV of predictions, a code bundle, or something handed in by mistake.

Told by content where it can be, since a name may be anything, else by the name. The upload page's
script goes by the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from grader.words.message import Message, said

Kind = Literal["csv", "code"]

HEAD_BYTES: Final = 4096
TAIL_BYTES: Final = 1 << 16  # where a .zip lists what it holds
_ARCHIVES: Final = (".zip", ".tar", ".tar.gz", ".tgz")
_TABLES: Final = (".csv", ".csv.gz", ".txt")
_ZIP: Final = b"PK"
BUNDLE_MARK: Final = b"model.py"

# what to do with each instead
_SHEET: Final = "file.sheet"
_TABLE: Final = "file.table"
_NOTEBOOK: Final = "file.notebook"
_DOCUMENT: Final = "file.document"
_CSV_IN_ZIP: Final = "file.csv_in_zip"
_PART: Final = "file.part"
_PACKED: Final = "file.packed"


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A kind of file that is nothing to grade; the message of `code` says what to do instead.

    Known by what it starts with and, where that is a container of many kinds, by its suffix or by
    any of `holds` in its head or tail. One without `starts` is known by its suffix alone.
    """

    suffixes: tuple[str, ...]
    code: str
    starts: tuple[bytes, ...] = ()
    holds: tuple[bytes, ...] = ()

    def fits(self, name: str, head: bytes, ends: bytes) -> bool:
        """Say whether a file is of this kind; `ends` is its head and its tail."""
        if not self.starts:
            return name.endswith(self.suffixes)
        if not head.startswith(self.starts) or (self.starts == (_ZIP,) and BUNDLE_MARK in ends):
            return False
        if not self.holds or name.endswith(self.suffixes):
            return True
        return any(mark in ends for mark in self.holds)

    def sentence(self, name: str) -> Message:
        """Say what to do instead, under the suffix that the file has or should have."""
        own = (suffix for suffix in self.suffixes if name.endswith(suffix))
        return said(self.code, suffix=next(own, self.suffixes[0]))

    def as_data(self) -> Mapping[str, Any]:
        """Give the JSON form; bytes are Latin-1 text."""
        return {
            "suffixes": list(self.suffixes),
            "starts": [mark.decode("latin-1") for mark in self.starts],
            "holds": [mark.decode("latin-1") for mark in self.holds],
        }


def _in_zip(suffixes: tuple[str, ...], code: str, *holds: bytes) -> Foreign:
    return Foreign(suffixes=suffixes, code=code, starts=(_ZIP,), holds=holds)


def _starting(suffix: str, code: str, *starts: bytes) -> Foreign:
    return Foreign(suffixes=(suffix,), code=code, starts=starts)


FOREIGN: Final = (
    _in_zip((".xlsx", ".xlsm", ".xlsb"), _SHEET, b"xl/workbook."),
    _in_zip((".ods",), _SHEET, b"opendocument.spreadsheet"),
    _in_zip((".numbers",), _SHEET, b"Index/Document.iwa", b"Index.zip"),
    _starting(".xls", _SHEET, b"\xd0\xcf\x11\xe0"),
    _starting(".parquet", _TABLE, b"PAR1"),
    _starting(".feather", _TABLE, b"ARROW1", b"FEA1"),
    _starting(".npy", _TABLE, b"\x93NUMPY"),
    _starting(".h5", _TABLE, b"\x89HDF"),
    Foreign(suffixes=(".npz", ".pkl", ".pickle", ".json", ".jsonl"), code=_TABLE),
    Foreign(
        suffixes=(".ipynb",),
        code=_NOTEBOOK,
        starts=(b"{",),
        holds=(b'"nbformat"', b'"cells"'),
    ),
    _starting(".pdf", _DOCUMENT, b"%PDF-"),
    _in_zip((".docx",), _DOCUMENT, b"word/document.xml"),
    _in_zip((".pptx",), _DOCUMENT, b"ppt/presentation.xml"),
    _in_zip((".odt",), _DOCUMENT, b"opendocument.text"),
    _starting(".png", _DOCUMENT, b"\x89PNG"),
    _starting(".jpg", _DOCUMENT, b"\xff\xd8\xff"),
    Foreign(
        suffixes=(".py", ".pt", ".pth", ".ckpt", ".safetensors", ".onnx"),
        code=_PART,
    ),
    _starting(".7z", _PACKED, b"7z\xbc\xaf"),
    _starting(".rar", _PACKED, b"Rar!\x1a"),
    _starting(".bz2", _PACKED, b"BZh91AY&SY"),
    _starting(".xz", _PACKED, b"\xfd7zXZ\x00"),
    _starting(".zst", _PACKED, b"\x28\xb5\x2f\xfd"),
    _in_zip((".csv.zip",), _CSV_IN_ZIP, b".csv"),
)


def kind_of(path: Path) -> Kind:
    """Tell a prediction CSV from a code bundle by its name, else by its first bytes."""
    name = path.name.lower()
    if path.is_dir() or name.endswith(_ARCHIVES):
        return "code"
    if name.endswith(_TABLES):
        return "csv"
    with path.open("rb") as file:
        head = file.read(512)
    return "code" if head.startswith(_ZIP) or head[257:262] == b"ustar" else "csv"


def foreign_sentence(path: Path, name: str = "") -> Message | None:
    """Say what to do with a file that is nothing to grade; None where it may be something.

    name: what it was called where it came from, if not as it lies here.
    """
    if path.is_dir():
        return None
    name = (name or path.name).lower()
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        ends = head + file.read(TAIL_BYTES)
    found = next((one for one in FOREIGN if one.fits(name, head, ends)), None)
    return found.sentence(name) if found else None
