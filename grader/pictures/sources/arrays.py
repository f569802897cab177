"""Pictures and labels in NumPy arrays: one .npz, or .npy files beside each other or a table."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grader.errors import AssignmentError
from grader.pictures.collection import Collection, PictureRows
from grader.pictures.folders import is_test_split
from grader.pictures.sources.labels import classes_of, from_one_hot
from grader.pictures.sources.pixels import as_pictures
from grader.pictures.sources.tables import LabelTable, has_labels, is_table, read_labels
from grader.words.message import Message, said

Array = NDArray[np.generic]

_PICTURES: Final = frozenset(
    {"x", "image", "images", "img", "imgs", "data", "pictures", "features", "input", "inputs"}
)
_LABELS: Final = frozenset({"y", "label", "labels", "target", "targets", "class", "classes"})
_PARTS: Final = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
_WORDS: Final = re.compile(r"[a-z]+")


def read_npz(path: Path) -> Collection:
    """Read arrays of pictures and labels under any of their usual names, in parts or not.

    Raises:
        AssignmentError: the file can't be read, or its arrays are not recognised.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (
        *(ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error),
        MemoryError,  # a header may claim what no machine has
    ) as error:
        raise AssignmentError([_unreadable(path, error)]) from error
    return _collected(path.name, arrays, [])


def read_npy(folder: Path) -> Collection:
    """Read the .npy files of a folder, with labels in one of them or in a table.

    Raises:
        AssignmentError: as `read_npz`.
    """
    arrays: dict[str, Array] = {}
    for path in sorted(folder.rglob("*.npy")):
        try:
            arrays[path.stem] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise AssignmentError([_unreadable(path, error)]) from error
    notices = []
    if not any(_role(name, array) == "labels" for name, array in arrays.items()):
        tables = [path for path in folder.rglob("*") if is_table(path.name) and has_labels(path)]
        if len(tables) == 1:
            arrays["labels"] = _in_rows(read_labels(tables[0]))
            notices.append(said("pictures.labels_from", file=tables[0].name))
    return _collected(f"{folder.name}/*.npy", arrays, notices)


def _in_rows(table: LabelTable) -> Array:
    """The labels of a table in the order of an array: ids that count rows are row numbers."""
    labels = np.array(table.labels)
    if table.ids is None or not all(name.isascii() and name.isdigit() for name in table.ids):
        return labels
    rows = np.array([int(name) for name in table.ids], dtype=np.int64)
    order = np.argsort(rows, kind="stable")
    first = int(rows.min())
    counts = np.array_equal(rows[order], first + np.arange(len(rows)))
    return labels[order] if counts and first in (0, 1) else labels


def _unreadable(path: Path, error: Exception) -> Message:
    if "pickle" in str(error):
        return said("pictures.pickled", file=path.name)
    return said("pictures.array_unreadable", file=path.name, error=str(error))


def _collected(source: str, arrays: Mapping[str, Array], notices: list[Message]) -> Collection:
    by_part: dict[str, dict[str, str]] = {}
    for name, array in arrays.items():
        role = _role(name, array)
        if role:
            by_part.setdefault(_part(name), {}).setdefault(role, name)
    whole = {part: roles for part, roles in by_part.items() if len(roles) == 2}
    if len(whole) > 1:
        whole.pop("", None)
    if not whole:
        seen = ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:10])
        raise AssignmentError([said("pictures.no_arrays", file=source, arrays=seen or "–")])
    pictures, labels, parts = [], [], []
    for part, roles in whole.items():
        pixels, told = as_pictures(arrays[roles["pictures"]], roles["pictures"])
        values = _texts(arrays[roles["labels"]], roles["labels"])
        if len(pixels) != len(values):
            problem = said(
                "pictures.unequal_counts", file=source, pictures=len(pixels), labels=len(values)
            )
            raise AssignmentError([problem])
        notices += [notice for notice in told if notice not in notices]
        pictures.append(pixels)
        labels += values
        parts += [part] * len(values)
    classes, indices = _classes(source, arrays, labels)
    return Collection(
        classes=classes,
        labels=indices,
        pictures=PictureRows(label=source, array=_joined(pictures, source)),
        is_test=np.array([is_test_split(part) for part in parts]) if len(whole) > 1 else None,
        parts=tuple(whole) if len(whole) > 1 else (),
        notices=tuple(notices),
    )


def _role(name: str, array: Array) -> str:
    words = _words(name)
    if array.ndim >= 2 and len(array) > 1 and words & _PICTURES and not words & _LABELS:
        return "pictures"
    if array.ndim in (1, 2) and words & _LABELS and not _is_names(array):
        return "labels"
    if name.startswith("arr_"):  # what np.savez calls arrays that have no name
        return "pictures" if array.ndim > 2 else "labels"
    return ""


def _words(name: str) -> set[str]:
    """The words of an array's name: x_train, trainX, test-images.

    >>> sorted(_words("trainX")), sorted(_words("test_images"))
    (['train', 'x'], ['images', 'test'])
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return set(_WORDS.findall(spaced))


def _part(name: str) -> str:
    return next(iter(sorted(_words(name) & _PARTS)), "")


def _is_names(array: Array) -> bool:
    """Whether these are the names of classes and no labels: texts, each of them once."""
    return array.dtype.kind in "US" and len(set(array.ravel().tolist())) == array.size


def _texts(array: Array, name: str) -> list[str]:
    """Labels as texts; one-hot rows by their index.

    Raises:
        AssignmentError: a picture has several labels.
    """
    if array.ndim == 2 and array.shape[1] > 1:
        indices = from_one_hot(array) if array.dtype.kind in "biuf" else None
        if indices is None:
            raise AssignmentError([said("pictures.many_labels", file=name)])
        return [str(index) for index in indices.tolist()]
    flat = array.ravel()
    if flat.dtype.kind == "S":
        return [value.decode("utf-8", "replace") for value in flat.tolist()]
    return [str(value) for value in flat.tolist()]


def _classes(
    source: str, arrays: Mapping[str, Array], labels: list[str]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Classes and indices; named, where an array of as many names is there."""
    classes, indices = classes_of(labels, source)
    if classes != tuple(map(str, range(len(classes)))):
        return classes, indices
    names = [array for array in arrays.values() if array.ndim == 1 and _is_names(array)]
    fitting = [tuple(_texts(array, source)) for array in names if len(array) == len(classes)]
    return (fitting[0] if len(fitting) == 1 else classes), indices


def _joined(pictures: list[NDArray[np.uint8]], source: str) -> NDArray[np.uint8]:
    shapes = {array.shape[1:] for array in pictures}
    if len(shapes) > 1:
        raise AssignmentError([said("pictures.unequal_shapes", file=source, shapes=str(shapes))])
    return pictures[0] if len(pictures) == 1 else np.concatenate(pictures)
