"""The images of an assignment folder as the baselines train on them and are scored by them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader import Assignment
from grader.assignments.answers import AnswerKey
from grader.assignments.images import read_labelled
from grader.errors import AssignmentError
from reference.data import ImageSet
from reference.data.class_folders import decode
from reference.data.image_set import sha256_of
from reference.errors import DataError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, kw_only=True)
class Material:
    """An assignment, its images, and the answers that score them, row for row.

    Row i of `images.test_images` belongs to `key.ids[i]`.
    """

    assignment: Assignment
    images: ImageSet
    key: AnswerKey


def read(folder: Path) -> Material:
    """The training images and the hidden ones of an assignment folder.

    Raises:
        DataError: it has no training images or no test images, they differ in form, or the folder
            is no assignment.
    """
    try:
        assignment = Assignment.load(folder)
        key = assignment.answer_key()
        hidden = assignment.test_images()[assignment.rows_in_answers_order()]
        test = _planes(hidden)
        train, labels = _training(folder / "train", assignment, test)
    except AssignmentError as error:
        raise DataError(f"{folder}: {error}") from error
    if train.shape[1:] != test.shape[1:]:
        raise DataError(
            f"{folder}: training images are {_form(train)} and test images {_form(test)}; they "
            "must be alike"
        )
    arrays: dict[str, NDArray[np.generic]] = {
        "train_images": train,
        "train_labels": labels,
        "test_images": test,
        "test_labels": key.labels,
    }
    images = ImageSet(
        name=assignment.slug,
        title=assignment.title,
        classes=assignment.classes,
        train_images=train,
        train_labels=labels,
        test_images=test,
        test_labels=key.labels,
        origin=str(folder),
        sha256={name: sha256_of(array) for name, array in arrays.items()},
    )
    return Material(assignment=assignment, images=images, key=key)


def _training(
    folder: Path, assignment: Assignment, test: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if (folder / "labels.csv").is_file():
        images, labels = read_labelled(folder, assignment.classes)
        return _planes(images), labels
    if folder.is_dir():
        return _of_class_folders(folder, assignment.classes, test)
    url = assignment.data.train_url
    hint = f"; unpack {url} there first" if url else ""
    raise DataError(f"{folder} is not there: baselines are trained on it{hint}")


def _of_class_folders(
    folder: Path, classes: tuple[str, ...], test: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Class folders of pictures, in the form of the test images, which must be square."""
    channels, height, width = test.shape[1:]
    files, labels = [], []
    for index, name in enumerate(classes):
        found = sorted(
            each for each in (folder / name).glob("*") if each.suffix.lower() in PICTURES
        )
        files += found
        labels += [index] * len(found)
    if not files:
        raise DataError(f"{folder} holds neither labels.csv nor a folder of pictures a class")
    if height != width or channels not in (1, 3):
        raise DataError(f"{folder}: class folders go with square test images, grey or in colour")
    pixels = decode(files, width)
    if channels == 1:
        pixels = np.rint(pixels.mean(axis=1, keepdims=True)).astype(np.uint8)
    return pixels, np.array(labels, dtype=np.int64)


def _planes(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """N×H×W or N×H×W×C as N×C×H×W."""
    planes = images[:, None] if images.ndim == 3 else np.moveaxis(images, -1, 1)
    return np.ascontiguousarray(planes)


def _form(images: NDArray[np.uint8]) -> str:
    channels, height, width = images.shape[1:]
    return f"{height}×{width}×{channels}"
