"""Reads images as one uint8 array, from .npy or from a folder of picture files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader.assignments.answer_rows import class_index
from grader.assignments.answers import read_table
from grader.errors import AssignmentError
from grader.pictures.by_id import read_by_id, silently
from grader.pictures.collection import HERE, Reader
from grader.words.message import Message, said
from grader.words.placed import placed


def read_images(
    folder: Path,
    ids: Sequence[str] | None,
    reader: Reader = HERE,
    *,
    size: tuple[int, int] | None = None,
    tell: Callable[[Message], None] = silently,
) -> NDArray[np.uint8]:
    """Read `folder`/images.npy (memory-mapped) or `folder`/images/<id>.png|jpg|…, row i for ids[i].

    Gives uint8 N×H×W or N×H×W×C. Ids and files may have a suffix or none. Files are scaled to one
    size as `read_by_id` does it.

    Raises:
        AssignmentError: no images, another dtype or shape, files that are missing or can't be read.
    """
    array_file, image_folder = folder / "images.npy", folder / "images"
    if array_file.is_file():
        images = _read_array(array_file)
    elif image_folder.is_dir() and ids is not None:
        images = read_by_id(image_folder, ids, reader, size=size, tell=tell)
    else:
        raise AssignmentError([_what_is_there(folder)])
    if ids is not None and len(images) != len(ids):
        unequal = said("folder.images_and_ids", images=len(images), ids=len(ids))
        raise AssignmentError([placed(folder.name, unequal)])
    return images


def read_labelled(
    folder: Path,
    classes: Sequence[str],
    reader: Reader = HERE,
    *,
    size: tuple[int, int] | None = None,
    tell: Callable[[Message], None] = silently,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read images with their labels (folder/labels.csv): uint8 (N, …) and int64 (N,).

    Raises:
        AssignmentError: as read_images; or a label that is no class.
    """
    header, rows = read_table(folder / "labels.csv", ["label"])
    ids = [row[header.index("id")] for row in rows] if "id" in header else None
    known = {name: index for index, name in enumerate(classes)}
    at = header.index("label")
    labels = np.array([class_index(row[at], classes, known) for row in rows], dtype=np.int64)
    wrong = np.flatnonzero(labels < 0)
    if wrong.size:
        place = f"{folder.name}/labels.csv:{wrong[0] + 2}"
        raise AssignmentError(
            [placed(place, said("folder.no_class", label=repr(rows[wrong[0]][at])))]
        )
    images = read_images(folder, ids, reader, size=size, tell=tell)
    if len(images) != len(labels):
        unequal = said("folder.images_and_labels", images=len(images), labels=len(labels))
        raise AssignmentError([placed(folder.name, unequal)])
    return images, labels


def _read_array(path: Path) -> NDArray[np.uint8]:
    place = f"{path.parent.name}/{path.name}"
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        unread = said("folder.no_array", error=str(error))
        raise AssignmentError([placed(place, unread)]) from error
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        other = said("folder.other_array", dtype=str(images.dtype), shape=str(images.shape))
        raise AssignmentError([placed(place, other)])
    array: NDArray[np.uint8] = images
    return array


def _what_is_there(folder: Path) -> str:
    others = sorted(folder.glob("*.np[yz]")) or sorted(folder.glob("*"))
    if not others:
        return said("images.none", folder=folder.name)
    names = ", ".join(path.name for path in others[:5]) + (", …" if len(others) > 5 else "")
    return said("images.others", folder=folder.name, names=names)
