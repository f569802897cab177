"""An assignment folder without picture files: they are decoded once, before it is published.

A teacher's files are foreign bytes too. They are decoded by a process of their own that can reach
nothing (`grader.pictures.apart`); what the server keeps, workers run and students get are arrays.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

import grader
from grader.assignments.images import read_images, read_labelled
from grader.pictures.apart.decoder import decoder

_TEST: Final = "test"
_SAMPLE: Final = "sample"


@contextmanager
def plain(folder: Path) -> Iterator[Path]:
    """Give the folder, or a copy in which `images.npy` stands for each folder of picture files.

    The copy's files are the folder's own (links) where that is possible, and it goes in the end.

    Raises:
        grader.AssignmentError: with all picture files that are missing or can't be read; or this
            machine can't confine the process that decodes.
    """
    parts = [name for name in (_TEST, _SAMPLE) if _has_picture_files(folder / name)]
    if not parts:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="pictures-") as name:
        copy = Path(name) / "assignment"
        shutil.copytree(folder, copy, copy_function=_link_or_copy, symlinks=True)
        _decode(folder, copy, parts)
        yield copy


def _has_picture_files(part: Path) -> bool:
    return (part / "images").is_dir() and not (part / "images.npy").exists()


def _decode(folder: Path, copy: Path, parts: list[str]) -> None:
    """Put arrays into the copy; where answers or settings are wrong, that is told by others."""
    assignment = grader.Assignment.open(folder)
    problems: list[str] = []
    with decoder() as apart:
        for name in parts:
            try:
                if name == _TEST:
                    images = read_images(folder / name, assignment.ids(), apart)
                else:
                    images, _ = read_labelled(folder / name, assignment.classes, apart)
            except grader.AssignmentError as error:
                problems += error.problems
                continue
            shutil.rmtree(copy / name / "images")
            np.save(copy / name / "images.npy", images, allow_pickle=False)
    if problems:
        raise grader.AssignmentError(problems)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
