"""Says what a path holds, and reads it as labelled pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from grader.errors import AssignmentError
from grader.pictures.collection import Collection
from grader.pictures.folders import read_class_folders
from grader.pictures.kinds import is_of_a_tool
from grader.pictures.sources import competition
from grader.pictures.sources.arrays import read_npy, read_npz
from grader.pictures.sources.labelled_files import read_labelled_files
from grader.pictures.sources.parquet import read_parquet
from grader.pictures.sources.tables import has_labels, is_table, read_labels
from grader.pictures.tree import look
from grader.words.message import said

ARCHIVES = frozenset({".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip"})


def read_source(path: Path) -> Collection:
    """Read labelled pictures from whatever lies at `path`.

    Raises:
        AssignmentError: it is of no kind that is known, or wrong: says what is there.
    """
    try:
        return _read_folder(path) if path.is_dir() else _read_file(path)
    except ImportError as error:
        raise AssignmentError([said("pictures.no_pillow")]) from error


def _read_file(path: Path) -> Collection:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return read_npz(path)
    if suffix == ".npy":
        return read_npy(path.parent)
    if suffix == ".parquet":
        return read_parquet([path])
    if is_table(path.name):
        return read_labelled_files(path.parent, [(read_labels(path), "")])
    if suffix in ARCHIVES:
        raise AssignmentError([said("pictures.packed", path=str(path))])
    raise AssignmentError([said("pictures.no_source", path=str(path), seen=path.name)])


def _read_folder(folder: Path) -> Collection:
    reader = _reader_of(folder)
    if reader is None:
        raise AssignmentError([said("pictures.no_source", path=str(folder), seen=_seen(folder))])
    return reader()


def _reader_of(folder: Path) -> Callable[[], Collection] | None:
    """The reader of the kind that a folder is, most telling signs first."""
    files = [path for path in folder.rglob("*") if not is_of_a_tool(path.name) and path.is_file()]
    pictures = look(folder).pictures
    reference = competition.reference_of(folder)
    if pictures and reference is not None:
        return lambda: competition.read_bundle(folder, reference)
    if pictures and competition.is_kaggle(folder):
        return lambda: competition.read_kaggle(folder)
    if pictures:
        return lambda: _read_pictures(folder)
    parquet = sorted(path for path in files if path.suffix.lower() == ".parquet")
    if parquet:
        return lambda: read_parquet(parquet)
    packed = [path for path in files if path.suffix.lower() == ".npz"]
    if len(packed) == 1:
        return lambda: read_npz(packed[0])
    if any(path.suffix.lower() == ".npy" for path in files):
        return lambda: read_npy(folder)
    return None


def _read_pictures(folder: Path) -> Collection:
    """Class folders, where they are such; else what tables say of the pictures."""
    try:
        return read_class_folders(folder)
    except AssignmentError:
        if not any(is_table(path.name) and has_labels(path) for path in folder.rglob("*")):
            raise
        return competition.read_tables(folder)


def _seen(folder: Path) -> str:
    """What kinds of files there are: `3 .docx, 1 .pdf`."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    kinds = Counter(path.suffix.lower() or path.name for path in files)
    seen = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(8))
    return seen or "–"
