"""An assignment folder without picture files: they are decoded once, before anything reads them.

A teacher's files are foreign bytes too. They are decoded by a process of their own that can reach
nothing (`grader.pictures.apart`); what the server keeps, workers run and students get are arrays.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

import grader
from grader.assignments.images import read_images, read_labelled
from grader.pictures.apart.decoder import decoder
from grader.pictures.by_id import silently
from grader.words.message import Message

_TEST: Final = "test"
_SAMPLE: Final = "sample"


@contextmanager
def plain(folder: Path, tell: Callable[[Message], None] = silently) -> Iterator[Path]:
    """Give the folder, or a copy in which `images.npy` stands for each folder of picture files.

    The copy's files are the folder's own (links) where that is possible, and it goes in the end.
    `tell` is called with a sentence where pictures were scaled.

    Raises:
        grader.AssignmentError: with all picture files that are missing or can't be read; or this
            machine can't confine the process that decodes.
    """
    if not has_picture_files(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="pictures-") as name:
        copy = Path(name) / "assignment"
        shutil.copytree(folder, copy, copy_function=link_or_copy, symlinks=True)
        decode(copy, tell)
        yield copy


def has_picture_files(folder: Path) -> bool:
    """Whether any of its images are picture files, not an array."""
    return bool(_parts(folder))


def decode(folder: Path, tell: Callable[[Message], None] = silently) -> None:
    """Put arrays in place of the folder's picture files, all of one size.

    Raises:
        grader.AssignmentError: as `plain`. Where answers or settings are wrong, others tell.
    """
    assignment = grader.Assignment.open(folder)
    problems: list[str] = []
    size = None
    with decoder() as apart:
        for name in _parts(folder):
            try:
                if name == _TEST:
                    images = read_images(folder / name, assignment.ids(), apart, tell=tell)
                else:
                    size = size or _size_of(folder / _TEST / "images.npy")
                    part, classes = folder / name, assignment.classes
                    images, _ = read_labelled(part, classes, apart, size=size, tell=tell)
            except grader.AssignmentError as error:
                problems += error.problems
                continue
            shutil.rmtree(folder / name / "images")
            np.save(folder / name / "images.npy", images, allow_pickle=False)
    if problems:
        raise grader.AssignmentError(problems)


def _parts(folder: Path) -> list[str]:
    return [
        name
        for name in (_TEST, _SAMPLE)
        if (folder / name / "images").is_dir() and not (folder / name / "images.npy").exists()
    ]


def _size_of(array: Path) -> tuple[int, int] | None:
    """The height and width of the hidden images, which the sample's have too."""
    if not array.exists():
        return None
    shape = np.load(array, mmap_mode="r", allow_pickle=False).shape
    return (shape[1], shape[2]) if len(shape) in (3, 4) else None


def link_or_copy(source: str, target: str) -> None:
    """Give a file a second name, or copy it where that is not possible."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
