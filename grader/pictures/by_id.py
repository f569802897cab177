"""Picture files that are named by ids, as one array."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader.errors import AssignmentError
from grader.pictures.collection import HERE, PictureFiles, Reader
from grader.pictures.decoding import BadPicture, Facts, fitted
from grader.pictures.names import files_by_id
from grader.pictures.survey import usual_size
from grader.pictures.tree import look
from grader.words.letters import one_form
from grader.words.message import Message, said

_MOST_PROBLEMS = 20


def silently(_: Message) -> None:
    """Tell nobody."""


def read_by_id(
    folder: Path,
    ids: Sequence[str],
    reader: Reader = HERE,
    *,
    size: tuple[int, int] | None = None,
    tell: Callable[[Message], None] = silently,
) -> NDArray[np.uint8]:
    """Read `folder`/<id>.png|jpg|…, row i for ids[i]: uint8 N×H×W where all are grey, else N×H×W×3.

    `size`: (height, width) that all are scaled to; without one, what nearly all of them have, else
    224×224 (`survey.usual_size`). `tell` is called with a sentence where any was scaled.

    Raises:
        AssignmentError: with all files that are missing or can't be read.
    """
    try:
        pictures = PictureFiles(folder=folder, paths=_files_of(folder, ids), reader=reader)
    except ImportError as error:
        raise AssignmentError([said("pictures.no_pillow")]) from error
    facts, problems = _all_facts(pictures)
    if not facts:
        raise AssignmentError(problems or [said("images.none", folder=folder.name)])
    sizes = Counter((each.height, each.width) for each in facts)
    height, width = size or usual_size(sizes)
    grey = all(each.grey for each in facts)
    shape = (height, width) if grey else (height, width, 3)
    images = np.empty((len(ids), *shape), dtype=np.uint8)
    for row in range(len(ids)) if not problems else ():
        try:
            images[row] = fitted(pictures.pixels(row), (height, width), grey=grey)
        except BadPicture as error:
            problems += error.problems
    if problems:
        raise AssignmentError(problems[:_MOST_PROBLEMS])
    if others := sizes.total() - sizes[height, width]:
        tell(said("pictures.scaled", count=others, all=sizes.total(), height=height, width=width))
    return images


def _files_of(folder: Path, ids: Sequence[str]) -> list[Path]:
    """The file of each id.

    Raises:
        AssignmentError: an id has none, or several; or pictures lie in folders of classes.
    """
    paths = look(folder).pictures
    flat = {one_form(path.name): path.name for path in paths if len(path.parts) == 1}
    found, unclear = files_by_id(flat, ids)
    missing = [name for name, file in zip(ids, found, strict=True) if file is None]
    problems = []
    if missing and len(flat) < len(paths):
        problems.append(said("images.in_class_folders", folder=folder.name))
    elif missing:
        count = len(missing)
        problems.append(
            said("images.missing", folder=folder.name, id=repr(missing[0]), count=count)
        )
    if unclear:
        count = len(unclear)
        problems.append(
            said("images.unclear", folder=folder.name, id=repr(unclear[0]), count=count)
        )
    if problems:
        raise AssignmentError(problems)
    return [folder / name for name in found if name is not None]


def _all_facts(pictures: PictureFiles) -> tuple[list[Facts], list[str]]:
    """What each header says, and what is wrong with any."""
    facts: list[Facts] = []
    problems: list[str] = []
    for row in range(len(pictures)):
        try:
            each = pictures.facts(row)
        except BadPicture as error:
            problems += error.problems
            continue
        facts.append(each)
    return facts, problems
