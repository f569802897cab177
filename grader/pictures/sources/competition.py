"""Folders of competitions: Kaggle's tables, and bundles of Codabench and EvalAI."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from grader.errors import AssignmentError
from grader.pictures.collection import Collection
from grader.pictures.folders import is_split, is_test_split
from grader.pictures.sources.labelled_files import read_labelled_files
from grader.pictures.sources.tables import LabelTable, has_labels, is_table, read_labels
from grader.words.message import Message, said

_SOLUTIONS: Final = ("solution.csv", "test_solution.csv", "test_labels.csv", "answers.csv")
_NO_LABELS: Final = frozenset({"sample_submission.csv", "samplesubmission.csv"})
_REFERENCES: Final = ("reference_data", "reference", "annotations", "ref")


def is_kaggle(folder: Path) -> bool:
    """Say whether a folder has the tables of a Kaggle competition."""
    return bool(_named(folder, ("train.csv", *_SOLUTIONS))) and bool(
        _named(folder, ("test.csv", *_NO_LABELS, *_SOLUTIONS))
    )


def read_kaggle(folder: Path) -> Collection:
    """Read train.csv, and as the hidden part solution.csv, whose `Usage` is public or private.

    Rows whose `Usage` is Ignored are left out. Without a solution, test.csv may have labels.

    Raises:
        AssignmentError: a table is wrong, or pictures are missing.
    """
    tables: list[tuple[LabelTable, str]] = []
    notices: list[Message] = []
    train = _named(folder, ("train.csv", "train_labels.csv"))
    solution = _named(folder, (*_SOLUTIONS, "test.csv"))
    tables += [(read_labels(path), "train") for path in train[:1]]
    answers = next((path for path in solution if has_labels(path)), None)
    if answers is not None:
        tables.append((read_labels(answers), "test"))
    elif solution:
        notices.append(said("pictures.unlabelled", file=solution[0].name))
    notices += [said("pictures.labels_from", file=table.name) for table, _ in tables]
    return read_labelled_files(folder, tables, notices)


def reference_of(folder: Path) -> Path | None:
    """Find where a bundle of Codabench or EvalAI keeps its answers; None where it is no bundle."""
    places = [folder / name for name in _REFERENCES]
    places += [folder] if folder.name in _REFERENCES else []
    return next((path for path in places if path.is_dir() and _tables(path)), None)


def read_bundle(folder: Path, reference: Path) -> Collection:
    """Read the answers of a bundle, and labels that it gives to take part with, as training.

    Raises:
        AssignmentError: a table is wrong, there are several, or pictures are missing.
    """
    answers = [path for path in _tables(reference) if has_labels(path)]
    others = [
        path
        for path in _tables(folder)
        if reference not in path.parents and path.name.lower() not in _NO_LABELS
    ]
    training = [path for path in others if has_labels(path)]
    if reference == folder:
        training = []
    for found in (answers, training):
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise AssignmentError([said("pictures.several_tables", names=names)])
    if not answers:
        raise AssignmentError([said("pictures.no_reference", folder=reference.name)])
    tables = [(read_labels(path), "train") for path in training]
    tables += [(read_labels(path), "test") for path in answers]
    notices = [said("pictures.labels_from", file=table.name) for table, _ in tables]
    # pictures lie beside the answers where a bundle's data is one folder
    return read_labelled_files(_above(folder, reference), tables, notices)


def read_tables(folder: Path) -> Collection:
    """Read pictures by the tables of a folder, or by one in each folder of a split.

    Raises:
        AssignmentError: as `read_labelled_files`; or several tables have labels.
    """
    beside = [path for path in _tables(folder, deep=False) if has_labels(path)]
    if beside:
        by_split = [path for path in beside if is_split(_stem(path))]
        tables = by_split if len(by_split) == len(beside) else beside
    else:
        tables = [
            path
            for inner in sorted(folder.iterdir())
            if inner.is_dir() and is_split(inner.name)
            for path in _tables(inner, deep=False)
            if has_labels(path)
        ]
        by_split = tables
    if not tables or (len(tables) > 1 and tables != by_split):
        names = ", ".join(path.name for path in tables)
        problem = said("pictures.several_tables", names=names) if tables else _nothing(folder)
        raise AssignmentError([problem])
    parts = [_part_of(path, folder) if path in by_split else "" for path in tables]
    read = [(read_labels(path), part) for path, part in zip(tables, parts, strict=True)]
    notices = [said("pictures.labels_from", file=table.name) for table, _ in read]
    return read_labelled_files(folder, read, notices)


def _nothing(folder: Path) -> Message:
    return said("pictures.no_table", path=str(folder))


def _part_of(path: Path, folder: Path) -> str:
    name = _stem(path) if path.parent == folder else path.parent.name
    return "test" if is_test_split(name) else "train"


def _stem(path: Path) -> str:
    """A table's name without what says that it is of labels.

    >>> _stem(Path("test_labels.csv"))
    'test'
    """
    return path.stem.casefold().removesuffix("_labels").removesuffix("-labels")


def _named(folder: Path, names: tuple[str, ...]) -> list[Path]:
    there = {path.name.casefold(): path for path in folder.iterdir() if path.is_file()}
    return [there[name] for name in names if name in there]


def _tables(folder: Path, *, deep: bool = True) -> list[Path]:
    paths = folder.rglob("*") if deep else folder.iterdir()
    return sorted(path for path in paths if is_table(path.name) and path.is_file())


def _above(folder: Path, reference: Path) -> Path:
    """Where pictures are looked for: beside the answers, where the answers were named."""
    return folder.parent if reference == folder and any(folder.parent.glob("*_data")) else folder
