"""The form of the class competition of report 001: images as .npy, labels as .csv.

train.npy  uint8 N×H×W          train.csv  id,label, a line an image
test.npy   uint8 M×H×W          test.csv   the same, where the answers are known

An id is the number of the image, from 0; lines may come in any order. Ids that are no numbers, or
none at all, leave the lines in the order of the images. A colour image is H×W×3.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference.data import places
from reference.data.image_set import ImageSet, sha256_of
from reference.data.splits import stratified_split
from reference.errors import DataError, NoData

HELD_OUT = 1 / 6  # 5,000 of 30,000, as the report set aside


@dataclass(frozen=True, kw_only=True)
class CompetitionSet:
    """One set in this form."""

    name: str
    title: str


COMPETITION = CompetitionSet(name="competition", title="Class competition")


def find(which: CompetitionSet) -> tuple[Path, str]:
    """The folder with the arrays, and where it is in words.

    Raises:
        NoData: it is nowhere.
    """
    searched = dict(places.candidates(which.name))
    for folder, origin in searched.items():
        if (folder / "train.npy").is_file():
            return folder, origin
    raise NoData(
        f"{which.title} is not to be had here (not in {', not in '.join(map(str, searched))}). "
        f"Set REFERENCE_DATA to a folder whose {which.name}/ holds train.npy and train.csv"
    )


def read(which: CompetitionSet, folder: Path, origin: str) -> ImageSet:
    """Images and labels; without test.csv a stratified sixth of the training images is the test.

    Raises:
        DataError: a file is missing or damaged, or images and labels don't fit.
    """
    images, labels = _part(folder, "train")
    notice = ""
    if (folder / "test.csv").is_file():
        test_images, test_labels = _part(folder, "test")
    else:
        training, test = stratified_split(labels, HELD_OUT, seed=0)
        test_images, test_labels = images[test], labels[test]
        images, labels = images[training], labels[training]
        notice = "The answers are hidden: tested on a sixth of the training images, kept apart."
    if test_images.shape[1:] != images.shape[1:] or test_labels.max() > labels.max():
        raise DataError(f"{folder}: test images have another shape or labels than training images")
    arrays: dict[str, NDArray[np.generic]] = {
        "train_images": images,
        "train_labels": labels,
        "test_images": test_images,
        "test_labels": test_labels,
    }
    return ImageSet(
        name=which.name,
        title=which.title,
        classes=tuple(str(label) for label in range(int(labels.max()) + 1)),
        train_images=images,
        train_labels=labels,
        test_images=test_images,
        test_labels=test_labels,
        origin=origin,
        sha256={name: sha256_of(array) for name, array in arrays.items()},
        notice=notice,
    )


def _part(folder: Path, name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images = _images(folder / f"{name}.npy")
    labels = _labels(folder / f"{name}.csv")
    if len(images) != len(labels):
        raise DataError(f"{folder}: {len(images)} images in {name}.npy, {len(labels)} labels")
    if not len(labels) or labels.min() < 0 or labels.max() >= len(labels):
        raise DataError(f"{folder / name}.csv: labels must number the classes from 0")
    return images, labels


def _images(path: Path) -> NDArray[np.uint8]:
    try:
        # mapped, so that no more is read than the file holds, whatever its header says
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} can't be read: {error}") from error
    if not isinstance(images, np.ndarray):
        raise DataError(f"{path} is a .npz archive, not one array")
    grey = images.ndim == 3
    if images.dtype != np.uint8 or not (grey or (images.ndim == 4 and images.shape[-1] == 3)):
        told = "×".join(map(str, images.shape))
        raise DataError(f"{path} holds {images.dtype} {told}, not uint8 N×H×W or N×H×W×3")
    return np.array(images[:, None] if grey else np.moveaxis(images, -1, 1), order="C")


def _labels(path: Path) -> NDArray[np.int64]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
        labels = np.array([int(row["label"]) for row in rows], dtype=np.int64)
    except (OSError, KeyError, TypeError, ValueError, OverflowError, csv.Error) as error:
        raise DataError(f"{path} is not a table of id,label: {error!r}") from error
    ids = [str(row.get("id")) for row in rows]
    if not all(each.isdecimal() for each in ids):
        return labels
    order = np.argsort([int(each) for each in ids], kind="stable")
    if [int(ids[row]) for row in order] != list(range(len(ids))):
        raise DataError(f"{path}: ids must number the images from 0, each once")
    return labels[order]
