"""Reads images as one uint8 array, from .npy or from a folder of PNG and JPEG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader.answers import class_index, read_table
from grader.errors import AssignmentError

SUFFIXES = (".png", ".jpg", ".jpeg")


def read_images(folder: Path, ids: Sequence[str] | None) -> NDArray[np.uint8]:
    """Read `folder`/images.npy (memory-mapped) or `folder`/images/<id>.png|jpg, row i for ids[i].

    Gives uint8 N×H×W or N×H×W×C.

    Raises:
        AssignmentError: no images, another dtype or shape, a missing file, images of unequal size.
    """
    array_file, image_folder = folder / "images.npy", folder / "images"
    if array_file.is_file():
        images = _read_array(array_file)
    elif image_folder.is_dir() and ids is not None:
        images = _read_folder(image_folder, ids)
    else:
        raise AssignmentError([f"{folder.name}: has neither images.npy nor a folder images/"])
    if ids is not None and len(images) != len(ids):
        raise AssignmentError(
            [f"{folder.name}: has {len(images)} images where {len(ids)} ids are listed"]
        )
    return images


def read_labelled(
    folder: Path, classes: Sequence[str]
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
        raise AssignmentError(
            [f"{folder.name}/labels.csv:{wrong[0] + 2}: {rows[wrong[0]][at]!r} is no class"]
        )
    images = read_images(folder, ids)
    if len(images) != len(labels):
        raise AssignmentError([f"{folder.name}: has {len(images)} images but {len(labels)} labels"])
    return images, labels


def _read_array(path: Path) -> NDArray[np.uint8]:
    place = f"{path.parent.name}/{path.name}"
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise AssignmentError([f"{place}: can't be read as a NumPy array: {error}"]) from error
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise AssignmentError(
            [f"{place}: is {images.dtype} of shape {images.shape}; expected uint8 N×H×W(×C)"]
        )
    array: NDArray[np.uint8] = images
    return array


def _read_folder(folder: Path, ids: Sequence[str]) -> NDArray[np.uint8]:
    try:
        from PIL import Image  # only assignments that keep images as files need Pillow
    except ImportError as error:
        raise AssignmentError(
            [f"{folder}: reading image files needs Pillow (pip install pillow)"]
        ) from error
    files = {
        path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES
    }
    missing = [name for name in ids if name not in files]
    if missing:
        raise AssignmentError(
            [f"{folder.name}: has no image file for id {missing[0]!r} ({len(missing)} missing)"]
        )
    images: NDArray[np.uint8] | None = None
    for row, name in enumerate(ids):
        with Image.open(files[name]) as picture:
            grey = picture.mode in ("1", "L", "I;16", "LA")
            pixels = np.asarray(picture.convert("L" if grey else "RGB"), dtype=np.uint8)
        if images is None:
            images = np.empty((len(ids), *pixels.shape), dtype=np.uint8)
        if pixels.shape != images.shape[1:]:
            raise AssignmentError(
                [
                    f"{folder.name}/{files[name].name}: is {'×'.join(map(str, pixels.shape))} where"
                    f" the first image is {'×'.join(map(str, images.shape[1:]))}; all images of an"
                    " assignment have one size and one number of channels"
                ]
            )
        images[row] = pixels
    if images is None:
        raise AssignmentError([f"{folder.name}: holds no images"])
    return images
