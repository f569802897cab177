"""Picture files that a table names, wherever below a folder they lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from grader.errors import AssignmentError
from grader.pictures.collection import Collection, PictureFiles
from grader.pictures.folders import is_split, is_test_split
from grader.pictures.names import without_suffix
from grader.pictures.sources.labels import classes_of
from grader.pictures.sources.tables import LabelTable
from grader.pictures.tree import Tree, look
from grader.words.letters import one_form
from grader.words.message import Message, said

_NAMED = 10


class Index:
    """The pictures below a folder, to be found as tables name them."""

    def __init__(self, tree: Tree) -> None:
        self._found: dict[str, list[PurePosixPath]] = {}
        for path in tree.pictures:
            whole = one_form(path.as_posix())
            name = whole.rpartition("/")[2]
            for key in {whole, without_suffix(whole), name, without_suffix(name)}:
                self._found.setdefault(key, []).append(path)

    def find(self, name: str, part: str) -> list[PurePosixPath]:
        """Give the pictures that a name may mean: the most exact ones, of `part` if it has any."""
        name = name.replace("\\", "/").removeprefix("./")
        last = name.rpartition("/")[2]
        for key in (name, last, without_suffix(last)):
            paths = self._found.get(key, [])
            inside = [path for path in paths if part and _is_in(path, part)]
            if paths:
                return inside or paths
        return []


def read_labelled_files(
    folder: Path, tables: Sequence[tuple[LabelTable, str]], notices: Sequence[Message] = ()
) -> Collection:
    """Read what tables say of the pictures below `folder`; each table with the part it is of.

    A table's own column of parts goes before that; rows of the part `ignored` are left out.

    Raises:
        AssignmentError: with the pictures that are missing, or named in a way that fits several.
    """
    tree = look(folder)
    rows = [row for table, part in tables for row in _rows(table, part)]
    ignored = sum(part == "ignored" for _, _, part in rows)
    rows = [row for row in rows if row[2] != "ignored"]
    paths = _find_all(Index(tree), rows, tables[0][0].name)
    classes, labels = classes_of([label for _, label, _ in rows], tables[0][0].name)
    parts = [part for _, _, part in rows]
    said_of_ignored = [said("pictures.ignored", count=ignored)] if ignored else []
    unnamed = len(tree.pictures) - len(set(paths))
    said_of_unnamed = [said("pictures.unnamed", count=unnamed)] if unnamed else []
    is_test = np.array([is_test_split(part) or part in ("public", "private") for part in parts])
    shown = np.array([part == "public" for part in parts])
    divided = bool(is_test.any()) and not bool(is_test.all())
    return Collection(
        classes=classes,
        labels=labels,
        pictures=PictureFiles(folder=folder, paths=[folder / path for path in paths]),
        is_test=is_test if divided else None,
        parts=tuple(dict.fromkeys(part for part in parts if part)) if divided else (),
        is_public=shown if divided and "private" in parts and shown.any() else None,
        notices=(*notices, *said_of_ignored, *said_of_unnamed),
    )


def _rows(table: LabelTable, part: str) -> Iterator[tuple[str, str, str]]:
    if table.ids is None:
        raise AssignmentError([said("pictures.no_ids", file=table.name)])
    for name, label, own in zip(table.ids, table.labels, table.parts, strict=True):
        yield name, label, own or part


def _find_all(
    index: Index, rows: Sequence[tuple[str, str, str]], source: str
) -> list[PurePosixPath]:
    paths: list[PurePosixPath] = []
    missing: list[str] = []
    unclear: list[str] = []
    for name, _, part in rows:
        fitting = index.find(name, "test" if part in ("public", "private") else part)
        if len(fitting) == 1:
            paths.append(fitting[0])
        else:
            (unclear if fitting else missing).append(name)
    problems = []
    if missing:
        names = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
        problems.append(said("pictures.not_there", file=source, count=len(missing), names=names))
    if unclear:
        names = ", ".join(unclear[:_NAMED]) + (", …" if len(unclear) > _NAMED else "")
        problems.append(said("pictures.not_clear", file=source, count=len(unclear), names=names))
    if problems:
        raise AssignmentError(problems)
    return paths


def _is_in(path: PurePosixPath, part: str) -> bool:
    """Whether a folder above is called as the part is, such as test_images for test."""
    splits = [name.casefold() for name in path.parts[:-1] if is_split(name)]
    return any(is_test_split(name) == is_test_split(part) for name in splits)
