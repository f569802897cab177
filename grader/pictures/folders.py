"""Class folders, alone or within folders of splits: train/, val/, test/ are no classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from grader.errors import AssignmentError
from grader.pictures.collection import Collection, PictureFiles
from grader.pictures.kinds import is_of_a_tool
from grader.pictures.names import check_classes, in_order
from grader.pictures.tree import Tree, look
from grader.words.letters import one_form
from grader.words.message import Message, said

_SPLIT: Final = re.compile(
    r"(?:images?|imgs?|data|dataset|set)?[ _-]?"
    r"(?P<part>training|train|validation|valid|val|dev|testing|test|holdout|evaluation|eval)"
    r"[ _-]?(?:images?|imgs?|data|dataset|set|split)?"
)
_TEST_PARTS: Final = frozenset({"test", "testing", "holdout"})
_VALIDATION_PARTS: Final = frozenset({"validation", "valid", "val", "dev", "evaluation", "eval"})


@dataclass(frozen=True, kw_only=True)
class _Placed:
    """A picture's path, its split ("" for none) and its class ("" where no folder tells)."""

    path: PurePosixPath
    split: str
    name: str


def read_class_folders(folder: Path) -> Collection:
    """Read one folder of pictures a class, or folders of splits that hold such folders.

    Raises:
        AssignmentError: there are no classes to be seen, or their names are unfit.
    """
    tree = look(folder)
    wrapping, paths = _unwrapped(tree.pictures)
    placed = _by_split(paths) or [
        _Placed(path=path, split="", name=_part(path, 0)) for path in paths
    ]
    splits = tuple(dict.fromkeys(each.split for each in placed if each.split))
    notices = [*tree.notices(), *_loose(placed)]
    placed = [each for each in placed if each.name]
    classes = in_order({each.name for each in placed})
    if not placed or (len(classes) < 2 and not splits):
        raise AssignmentError([_no_classes(tree, splits)])
    check_classes(classes)
    places = {name: index for index, name in enumerate(classes)}
    inside = folder / wrapping
    notices += [*_deeper(placed), *([] if splits else _empty(inside, classes))]
    tests = _test_splits(splits)
    return Collection(
        classes=classes,
        labels=np.array([places[each.name] for each in placed], dtype=np.int64),
        pictures=PictureFiles(folder=folder, paths=[inside / each.path for each in placed]),
        is_test=np.array([each.split in tests for each in placed]) if splits else None,
        parts=splits,
        looks_like_classes=bool(splits),
        notices=tuple(notices),
    )


def is_split(name: str) -> bool:
    """Say whether a folder is called as parts of a data set are.

    >>> [is_split(name) for name in ("train", "Test", "val_images", "trains", "cat")]
    [True, True, True, False, False]
    """
    return _SPLIT.fullmatch(name.casefold()) is not None


def is_test_split(name: str) -> bool:
    """Say whether a part of a data set is the one for testing.

    >>> is_test_split("test_images"), is_test_split("val")
    (True, False)
    """
    return _kind_of(name) in _TEST_PARTS


def _unwrapped(
    paths: Sequence[PurePosixPath],
) -> tuple[PurePosixPath, list[PurePosixPath]]:
    """Take off folders that hold nothing but one folder, as archives make them."""
    wrapping, inner = PurePosixPath(), list(paths)
    while inner and min(len(path.parts) for path in inner) > 2:
        first = {path.parts[0] for path in inner}
        if len(first) > 1:
            break
        wrapping /= first.pop()
        inner = [PurePosixPath(*path.parts[1:]) for path in inner]
    return wrapping, inner


def _by_split(paths: Sequence[PurePosixPath]) -> list[_Placed]:
    """Read split/class/… or class/split/…; nothing where neither is there."""
    outer = {_part(path, 0) for path in paths} - {""}
    splits = {name for name in outer if is_split(name)}
    holding = {_part(path, 0) for path in paths if _part(path, 1)}
    if len(splits) > 1 and (splits == outer or splits <= holding):
        return [
            _Placed(
                path=path,
                split=_part(path, 0) if _part(path, 0) in splits else "",
                name=_part(path, 1) if _part(path, 0) in splits else "",
            )
            for path in paths
        ]
    inner = {_part(path, 1) for path in paths}
    if len(inner) > 1 and all(map(is_split, inner)):
        return [_Placed(path=path, split=_part(path, 1), name=_part(path, 0)) for path in paths]
    return []


def _part(path: PurePosixPath, at: int) -> str:
    """A folder's name in one form; "" where the path is not so deep."""
    return one_form(path.parts[at]) if at < len(path.parts) - 1 else ""


def _test_splits(splits: Sequence[str]) -> set[str]:
    """What is for testing; without a test part, what is for validation."""
    for wanted in (_TEST_PARTS, _VALIDATION_PARTS):
        found = {name for name in splits if _kind_of(name) in wanted}
        if found:
            return found
    return set()


def _kind_of(split: str) -> str:
    matched = _SPLIT.fullmatch(split.casefold())
    return matched["part"] if matched else ""


def _loose(placed: Sequence[_Placed]) -> list[Message]:
    loose = [each for each in placed if not each.name]
    if not loose or len(loose) == len(placed):
        return []
    return [said("pictures.loose", count=len(loose), example=str(loose[0].path))]


def _deeper(placed: Sequence[_Placed]) -> list[Message]:
    """Folders within those of classes, which may have been meant as the classes."""
    deeper = [each.path.parent for each in placed if len(each.path.parts) > 2 + bool(each.split)]
    if len(set(deeper)) < 2:
        return []
    return [said("pictures.deeper", count=len(set(deeper)), example=str(min(deeper)))]


def _empty(inside: Path, classes: Sequence[str]) -> list[Message]:
    """Folders beside those of the classes that hold no pictures."""
    beside = {one_form(each.name) for each in inside.iterdir() if each.is_dir()}
    empty = sorted(name for name in beside - set(classes) if not is_of_a_tool(name))
    return [said("pictures.empty_folders", names=", ".join(empty[:5]))] if empty else []


def _no_classes(tree: Tree, splits: Sequence[str]) -> Message:
    if not tree.pictures:
        return said("pictures.none", path=str(tree.folder))
    if splits:
        return said("pictures.splits_without_classes", names=", ".join(splits))
    return said("pictures.no_class_folders", path=str(tree.folder), count=len(tree.pictures))
