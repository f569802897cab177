"""Pictures in one folder a class: the marine animals of report 000, EuroSAT, anybody's own.

All are decoded once to one size; `store` keeps the result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader.errors import AssignmentError
from grader.pictures.decoding import decoded
from grader.pictures.tree import look
from grader.words.letters import one_form
from reference.data import places, store
from reference.data.image_set import ImageSet, sha256_of
from reference.data.resampling import resample
from reference.data.splits import read_split, stratified_split, write_split
from reference.errors import DataError, NoData

SPLIT = "split.json"
SPLIT_SEED = 0


@dataclass(frozen=True, kw_only=True)
class FolderSet:
    """One set of class folders.

    Attributes:
        size: height and width to which pictures are resized (bilinear) when they are decoded.
        most: pictures of a class that are used, drawn before the set is divided; 0: all of them.
        test: share of each class that is kept for testing, since such sets come undivided.
        layouts: folders below REFERENCE_DATA that other programs unpack it to.
    """

    name: str
    title: str
    size: int
    test: float
    most: int = 0
    layouts: tuple[str, ...] = ()


# report 000 cut some 2,000 turtles to 500, and divided then
MARINE = FolderSet(name="marine", title="Marine animals", size=224, test=0.1, most=500)
EUROSAT = FolderSet(
    name="eurosat",
    title="EuroSAT",
    size=64,
    test=0.2,
    layouts=("eurosat/2750", "EuroSAT/2750"),
)


def find(which: FolderSet) -> tuple[Path, str]:
    """The folder of class folders, and where it is in words.

    Raises:
        NoData: it is nowhere.
    """
    searched = dict(places.candidates(which.name, *which.layouts))
    for folder, origin in searched.items():
        if len(_pictures(folder)) > 1:
            return folder, origin
    raise NoData(
        f"{which.title} is not to be had here (not in {', not in '.join(map(str, searched))}). "
        f"Set REFERENCE_DATA to a folder whose {which.name}/ holds one folder of pictures a class"
    )


def read(which: FolderSet, folder: Path, origin: str) -> ImageSet:
    """Decode (or take from the store), and divide by the index file beside the tensors.

    Raises:
        DataError: a picture can't be decoded, or there are no two classes.
    """
    by_class = _pictures(folder)
    classes = list(by_class)
    files = [path for paths in by_class.values() for path in paths]
    labels = np.repeat(np.arange(len(classes)), [len(paths) for paths in by_class.values()])
    kept = store.folder_for(which.name, _listing(folder, files, which.size))
    images = store.keep(kept, "images", lambda: decode(files, which.size))
    training, test = _divide(kept / SPLIT, labels, which)
    return ImageSet(
        name=which.name,
        title=which.title,
        classes=tuple(classes),
        train_images=images[training],
        train_labels=labels[training],
        test_images=images[test],
        test_labels=labels[test],
        origin=origin,
        sha256={
            "images": sha256_of(images),
            "labels": sha256_of(labels),
            "test_rows": sha256_of(test),
        },
    )


def decode(files: Sequence[Path], size: int) -> NDArray[np.uint8]:
    """Pictures as uint8 N×3×size×size, in RGB.

    Raises:
        DataError: some can't be decoded; the message names all of them.
    """
    from PIL import Image

    pixels = np.empty((len(files), 3, size, size), dtype=np.uint8)
    problems: list[str] = []
    for row, path in enumerate(files):
        try:
            picture = Image.fromarray(decoded(path, str(path))).convert("RGB")
        except AssignmentError as error:
            problems += error.problems
            continue
        resized = picture.resize((size, size), Image.Resampling.BILINEAR)
        pixels[row] = np.asarray(resized).transpose(2, 0, 1)
    if problems:
        raise DataError("can't be decoded:\n" + "\n".join(problems))
    return pixels


def _divide(
    index: Path, labels: NDArray[np.int64], which: FolderSet
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if not index.is_file():
        used = resample(labels, most=which.most, least=0, seed=SPLIT_SEED)
        training, test = stratified_split(labels[used], which.test, seed=SPLIT_SEED)
        write_split(index, labels, {"training": used[training], "test": used[test]})
    parts = read_split(index, labels)
    if {"training", "test"} - parts.keys() or not all(map(len, parts.values())):
        raise DataError(f"{index} gives no training or no test images: delete it, or mend it")
    return parts["training"], parts["test"]


def _pictures(folder: Path) -> dict[str, list[Path]]:
    """The pictures of each sub-folder that holds any, both sorted; what tools left is left out.

    Raises:
        DataError: a folder can't be entered.
    """
    found: dict[str, list[Path]] = {}
    try:
        pictures = look(folder).pictures if folder.is_dir() else ()
    except AssignmentError as error:
        raise DataError(str(error)) from error
    for path in pictures:
        if len(path.parts) > 1:
            found.setdefault(one_form(path.parts[0]), []).append(folder / path)
    return dict(sorted(found.items()))


def _listing(folder: Path, files: Sequence[Path], size: int) -> str:
    """SHA-256 of names, lengths and times of change: other pictures are decoded anew."""
    total = hashlib.sha256(str(size).encode())
    for path in files:
        try:
            status = path.stat()
        except OSError as error:  # such as a link to a picture that is gone
            raise DataError(f"{path} can't be read: {error.strerror}") from error
        line = f"{path.relative_to(folder)} {status.st_size} {status.st_mtime_ns}\n"
        total.update(line.encode())
    return total.hexdigest()
