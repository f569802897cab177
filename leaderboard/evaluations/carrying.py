"""Stored predictions, as they are to be scored against the present edition of an assignment.

Classes are carried by their names, or by the images that are of them, and rows by their ids: so an
order or a name that changed, a class that was added and images that were withdrawn leave
everybody's predictions what they were.
"""

from __future__ import annotations

from dataclasses import dataclass

import grader
from grader.assignments.renames import renamed_classes
from leaderboard.models import Evaluation
from leaderboard.state import State


@dataclass(frozen=True, kw_only=True, eq=False)
class Carried:
    """Predictions for the rows of the present key; the file holds those of all rows there were."""

    predictions: grader.Predictions
    file_sha256: str
    seed: bytes  # of the file's


def carry(state: State, before: Evaluation, loaded: grader.Assignment) -> Carried:
    """Read what an evaluation was scored from, and make it fit; a new file is kept if it must be.

    Raises:
        ValueError: the file is broken, a row lacks a prediction, or one is of a class that is gone.
        grader.PlatformFault: the file, or the assignment of then, is not in the store.
    """
    if before.predictions_sha256 is None:
        raise grader.PlatformFault("there are no stored predictions")
    stored = grader.Predictions.from_bytes(state.blobs.read(before.predictions_sha256))
    edition = state.catalog.load_version(before.folder_sha256)
    renamed = renamed_classes(edition.answer_key(), loaded.answer_key())
    named = stored.of_classes(edition.classes, loaded.classes, renamed)
    sha256 = before.predictions_sha256
    if named is not stored:
        sha256 = state.blobs.put_bytes(named.to_bytes()).sha256
    fitting = named.of_rows(loaded.answer_key().ids)
    return Carried(predictions=fitting, file_sha256=sha256, seed=named.seed)
