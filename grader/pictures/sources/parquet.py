"""Parquet files with the pictures' bytes in them, as Hugging Face lays data sets out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from grader.errors import AssignmentError
from grader.pictures.collection import Collection, PictureContents
from grader.pictures.folders import is_split, is_test_split
from grader.pictures.sources.labels import classes_of
from grader.words.message import said

if TYPE_CHECKING:
    import polars

_LABELS: Final = ("label", "labels", "fine_label", "class", "target")


@dataclass(frozen=True, kw_only=True)
class _Columns:
    picture: str
    label: str
    names: tuple[str, ...]


def read_parquet(paths: Sequence[Path]) -> Collection:
    """Read files named after their parts, such as train-00000-of-00002.parquet.

    Raises:
        AssignmentError: the library that reads them is missing, or a column is not recognised.
    """
    try:
        import polars
    except ImportError as error:
        raise AssignmentError([said("pictures.no_parquet")]) from error
    contents: list[bytes] = []
    names: list[str] = []
    labels: list[str] = []
    parts: list[str] = []
    for path in paths:
        try:
            columns = _columns(path, polars.read_parquet_schema(path), _features(path))
            table = polars.read_parquet(path, columns=[columns.picture, columns.label])
        except (polars.exceptions.PolarsError, OSError) as error:
            problem = said("pictures.array_unreadable", file=path.name, error=str(error))
            raise AssignmentError([problem]) from error
        for row, (picture, label) in enumerate(table.iter_rows()):
            contents.append(_bytes(picture, path))
            names.append(f"{path.name}[{row}]")
            labels.append(columns.names[label] if columns.names else str(label))
        parts += [_part(path)] * len(table)
    classes, indices = classes_of(labels, paths[0].name)
    divided = len({is_test_split(part) for part in parts}) == 2
    return Collection(
        classes=classes,
        labels=indices,
        pictures=PictureContents(names=names, contents=contents),
        is_test=np.array([is_test_split(part) for part in parts]) if divided else None,
        parts=tuple(dict.fromkeys(filter(None, parts))) if divided else (),
    )


def _features(path: Path) -> dict[str, Any]:
    """What Hugging Face's library wrote about the columns; nothing where another wrote the file."""
    import polars

    noted = polars.read_parquet_metadata(path).get("huggingface", "{}")
    features: dict[str, Any] = json.loads(noted).get("info", {}).get("features", {})
    return features


def _columns(
    path: Path, schema: Mapping[str, polars.DataType], features: dict[str, Any]
) -> _Columns:
    import polars

    pictures = [
        name
        for name, kind in schema.items()
        if kind == polars.Binary
        or (isinstance(kind, polars.Struct) and "bytes" in {field.name for field in kind.fields})
    ]
    labels = [name for name in schema if name in _LABELS]
    labels = labels or [name for name in schema if name not in pictures]
    if len(pictures) != 1 or not labels:
        seen = ", ".join(schema)
        raise AssignmentError([said("pictures.no_labels", file=path.name, columns=seen)])
    names = features.get(labels[0], {}).get("names", [])
    return _Columns(picture=pictures[0], label=labels[0], names=tuple(map(str, names)))


def _bytes(picture: object, path: Path) -> bytes:
    content = picture.get("bytes") if isinstance(picture, dict) else picture
    if not isinstance(content, bytes):
        raise AssignmentError([said("pictures.no_bytes", file=path.name)])
    return content


def _part(path: Path) -> str:
    stem = path.stem.partition("-")[0]
    return next((name for name in (stem, path.parent.name) if is_split(name)), "")
