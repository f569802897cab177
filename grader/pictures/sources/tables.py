"""Tables that name pictures and their labels: CSV and its kin, JSON, plain lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np

from grader.errors import AssignmentError
from grader.pictures.names import without_suffix
from grader.pictures.sources.labels import from_one_hot
from grader.words.letters import one_form
from grader.words.message import said

SUFFIXES: Final = frozenset({".csv", ".json", ".jsonl", ".tsv", ".txt"})

_IDS: Final = (
    *("id", "image_id", "imageid", "file_name", "filename", "file", "image", "image_name"),
    *("imagename", "img", "img_id", "img_name", "path", "file_path", "filepath", "image_path"),
    *("picture", "photo", "fname", "name"),
)
_LABELS: Final = (
    *("label", "labels", "class_name", "classname", "class", "category", "target", "y"),
    *("species", "breed", "diagnosis", "type", "tag", "class_id", "category_id", "label_id"),
)
_PARTS: Final = ("usage", "split", "subset", "partition", "set")
_SEPARATORS: Final = ",;\t|"


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """Rows of a table: what names a picture, its label, and the part of the data it is in.

    ids: None where the table has labels only, in the order of the pictures. parts: "" where no
    column tells.
    """

    name: str
    ids: tuple[str, ...] | None
    labels: tuple[str, ...]
    parts: tuple[str, ...]


def has_labels(path: Path) -> bool:
    """Say whether a table has labels, as far as it can be read."""
    try:
        read_labels(path)
    except AssignmentError:
        return False
    return True


def read_labels(path: Path) -> LabelTable:
    """Read ids and labels from a table whose columns have any of the usual names, or one a class.

    Raises:
        AssignmentError: it can't be read, or no column of labels is recognised.
    """
    header, rows = _read(path)
    if not rows:
        raise AssignmentError([said("pictures.table_empty", file=path.name)])
    folded = [name.strip().casefold().replace(" ", "_") for name in header]
    id_at = _first(folded, _IDS)
    part_at = _first(folded, _PARTS)
    label_at = _first(folded, _LABELS)
    rest = [at for at in range(len(header)) if at not in (id_at, part_at, label_at)]
    if id_at is None and label_at is not None and len(rest) == 1:
        id_at = rest.pop()
    if label_at is None and id_at is not None and len(rest) == 1:
        label_at = rest.pop()
    labels = (
        _one_hot(header, rows, rest) if label_at is None else tuple(row[label_at] for row in rows)
    )
    if labels is None:
        columns = ", ".join(header[:10])
        raise AssignmentError([said("pictures.no_labels", file=path.name, columns=columns)])
    return LabelTable(
        name=path.name,
        ids=None if id_at is None else tuple(one_form(row[id_at].strip()) for row in rows),
        labels=labels,
        parts=tuple("" if part_at is None else row[part_at].strip().casefold() for row in rows),
    )


def _first(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _one_hot(
    header: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[int]
) -> tuple[str, ...] | None:
    """The name of the column that has the 1 in each row; None where they are no such columns."""
    if len(columns) < 2:
        return None
    try:
        values = np.array([[float(row[at]) for at in columns] for row in rows])
    except ValueError:
        return None
    indices = from_one_hot(values)
    return None if indices is None else tuple(header[columns[at]].strip() for at in indices)


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of equal length.

    Raises:
        AssignmentError: it is no text, or ragged.
    """
    text = one_form(_text(path))
    if path.suffix.lower() in (".json", ".jsonl"):
        return _of_json(path, text)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return [], []
    separator = max(_SEPARATORS, key=lines[0].count)
    if separator in lines[0]:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if any(row)]
    else:
        rows = [line.split() for line in lines]
    header = rows[0]
    if not _is_header(header, rows[1:]):
        header = [*("id", "label")[-len(header) :]] if len(header) < 3 else ["id", *header[1:]]
        rows = [header, *rows]
    ragged = [at for at, row in enumerate(rows, start=1) if len(row) != len(header)]
    if ragged:
        raise AssignmentError([said("pictures.table_ragged", file=path.name, line=ragged[0])])
    return header, rows[1:]


def _text(path: Path) -> str:
    content = path.read_bytes()
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise AssignmentError([said("pictures.table_encoding", file=path.name)]) from error


def _is_header(cells: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Say whether a first line names columns: it holds no picture, number or label of a row."""
    names = [cell.strip() for cell in cells]
    known = {name.casefold() for name in names} & {*_IDS, *_LABELS, *_PARTS}
    if known:
        return True
    last = {row[-1].strip() for row in below}
    return names[-1] not in last and not any(
        _is_number(name) or without_suffix(name) != name for name in names
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_json(path: Path, text: str) -> tuple[list[str], list[list[str]]]:
    """A list of objects, one a line or in brackets; or one object of ids and labels."""
    try:
        found: Any = (
            [json.loads(line) for line in text.splitlines() if line.strip()]
            if path.suffix.lower() == ".jsonl"
            else json.loads(text)
        )
    except (ValueError, RecursionError) as error:
        raise AssignmentError([said("pictures.table_json", file=path.name)]) from error
    if isinstance(found, dict):
        if all(isinstance(value, str | int) for value in found.values()):
            return ["id", "label"], [[key, str(value)] for key, value in found.items()]
        lists = [value for value in found.values() if isinstance(value, list)]
        found = lists[0] if len(lists) == 1 else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise AssignmentError([said("pictures.table_json", file=path.name)])
    header = list(found[0]) if found else []
    return header, [[str(each.get(name, "")) for name in header] for each in found]


def is_table(name: str) -> bool:
    """Say by its name whether a file may be a table.

    >>> is_table("labels.csv"), is_table("README.txt"), is_table("a.png")
    (True, False, False)
    """
    path = PurePath(name)
    is_prose = path.stem.casefold() in {"readme", "license", "licence", "requirements", "notes"}
    return path.suffix.lower() in SUFFIXES and not is_prose
