"""The edition of an assignment that decisions about labels ask for, in a folder that goes again.

What is published is never changed: the folder is a copy, and publishing makes another edition.
"""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

import grader
from grader.assignments.answer_rows import AnswerColumns
from grader.words.letters import one_form
from grader.words.message import said
from leaderboard.errors import NotAllowedNow
from leaderboard.models import Assignment, LabelChoice, LabelDecision
from leaderboard.rules.plain_folder import link_or_copy
from leaderboard.state import State

_BLOCK: Final = 256  # images that are copied at a time


@contextmanager
def corrected(
    state: State, assignment: Assignment, decisions: Sequence[LabelDecision]
) -> Iterator[Path]:
    """Give the published folder with these decisions in its answers.

    The splits stay what they are: a column states them, since they would be drawn otherwise where
    labels change.

    Raises:
        NotAllowedNow: the answers are no longer those that a decision was about.
    """
    loaded = state.catalog.load(assignment)
    wanted = {each.image: each for each in decisions}
    check_current(loaded.answer_key(), decisions)
    with tempfile.TemporaryDirectory(prefix="labels-") as name:
        folder = Path(name) / "assignment"
        shutil.copytree(loaded.folder, folder, copy_function=link_or_copy, symlinks=True)
        # the published folder may still have a slug from before it was renamed
        _write(folder / "assignment.toml", assignment.settings_toml)
        _write(folder / "answers.csv", _answers(loaded, wanted))
        gone = [
            row
            for row, each in enumerate(loaded.ids())
            if each in wanted and wanted[each].choice is LabelChoice.WITHDRAW
        ]
        if gone and (folder / "test").is_dir():
            _withdraw(folder / "test" / "images.npy", gone)
        yield folder


def check_current(key: grader.AnswerKey, decisions: Sequence[LabelDecision]) -> None:
    """Refuse decisions about answers that were changed otherwise meanwhile.

    Raises:
        NotAllowedNow: an image is gone, or its label is neither the one of then nor the new one.
    """
    labels = labels_of(key)
    for each in decisions:
        if labels.get(each.image) not in (each.label_before, each.label or each.label_before):
            raise NotAllowedNow(said("label.overtaken", image=repr(each.image)))


def labels_of(key: grader.AnswerKey) -> dict[str, str]:
    """The class that the answers name, by the image's id."""
    names = [key.classes[label] for label in key.labels.tolist()]
    return dict(zip(key.ids, names, strict=True))


def _answers(loaded: grader.Assignment, wanted: Mapping[str, LabelDecision]) -> str:
    """answers.csv as it was, but for the labels, the rows and the column that state the change."""
    content = one_form((loaded.folder / "answers.csv").read_bytes().decode("utf-8-sig"))
    header, *rows = [row for row in csv.reader(io.StringIO(content, newline="")) if row]
    rules, key = loaded.submission, loaded.answer_key()
    names = [cell.strip().casefold() for cell in header]
    columns = AnswerColumns.of(names, rules.id_column, rules.label_column)
    public = dict(zip(key.ids, key.public.tolist(), strict=True))
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header if columns.split is not None else [*header, "split"])
    for row in rows:
        image = row[columns.id].strip()
        decided = wanted.get(image)
        if decided is not None and decided.choice is LabelChoice.WITHDRAW:
            continue
        if decided is not None and decided.label is not None:
            row[columns.label] = decided.label
        stated = [] if columns.split is not None else ["public" if public[image] else "private"]
        writer.writerow([*row, *stated])
    return out.getvalue()


def _write(path: Path, content: str) -> None:
    path.unlink()  # it may be a second name of the published file
    path.write_text(content, encoding="utf-8", newline="")


def _withdraw(path: Path, gone: Sequence[int]) -> None:
    images = np.load(path, mmap_mode="r", allow_pickle=False)
    kept = np.delete(np.arange(len(images)), gone)
    fresh = path.with_suffix(".fresh")
    shape = (len(kept), *images.shape[1:])
    array = np.lib.format.open_memmap(fresh, mode="w+", dtype=images.dtype, shape=shape)
    for start in range(0, len(kept), _BLOCK):
        array[start : start + _BLOCK] = images[kept[start : start + _BLOCK]]
    array.flush()
    fresh.replace(path)
