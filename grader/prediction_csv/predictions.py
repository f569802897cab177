"""Predictions, and the only parser of prediction CSVs."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from grader.prediction_csv.expected import ExpectedRows
from grader.prediction_csv.parser import Parser

_FEW_IDS: Final = 100_000  # more are not kept at hand: a million take 80 MB


@dataclass(frozen=True, eq=False)
class Predictions:
    """One prediction for each expected row.

    ids: in the order of `ExpectedRows.ids`. labels: int64 (N,), class indices.
    scores: float64 (N, K), finite; None where only labels were given.
    """

    ids: tuple[str, ...] = field(repr=False)
    labels: NDArray[np.int64]
    scores: NDArray[np.float64] | None = None

    @property
    def seed(self) -> bytes:
        """SHA-256 of the labels: seeds what is drawn for these predictions (significance.py), so
        that a CSV and the code that answers the same get the same intervals."""
        return hashlib.sha256(self.labels.astype("<i8").tobytes()).digest()

    def of_rows(self, ids: tuple[str, ...]) -> Predictions:
        """Give the predictions for these rows, in this order; others that there are, are left out.

        >>> both = Predictions(ids=("7", "9"), labels=np.array([1, 0]))
        >>> both.of_rows(("9",)).labels.tolist()
        [0]

        Raises:
            ValueError: there is none for one of the rows.
        """
        if self.ids is ids or self.ids == ids:
            return self
        place = {name: row for row, name in enumerate(self.ids)}
        missing = [name for name in ids if name not in place]
        if missing:
            raise ValueError(
                f"the predictions are not for the rows of this answer key: {len(missing)} are "
                f"missing, the first is {missing[0]!r}"
            )
        rows = np.array([place[name] for name in ids], dtype=np.intp)
        scores = None if self.scores is None else self.scores[rows]
        return Predictions(ids=ids, labels=self.labels[rows], scores=scores)

    def of_classes(
        self,
        before: Sequence[str],
        now: Sequence[str],
        renamed: Mapping[str, str] = MappingProxyType({}),
    ) -> Predictions:
        """Give the same predictions where the classes stand in another order, or are more.

        Classes are known by their names; `renamed` has the new name of those that were renamed.
        Nobody chose a class that is new: its scores are 0, or the row's lowest where scores can be
        negative.

        >>> seen = Predictions(ids=("7", "9"), labels=np.array([1, 0]))
        >>> seen.of_classes(("cat", "dog"), ("dog", "owl", "cat")).labels.tolist()
        [0, 2]

        Raises:
            ValueError: a prediction is of a class that there is no longer.
        """
        if tuple(before) == tuple(now):
            return self
        names = [renamed.get(name, name) for name in before]
        places = np.array([list(now).index(name) if name in now else -1 for name in names])
        labels = places[self.labels]
        if (labels < 0).any():
            gone = before[int(self.labels[labels < 0][0])]
            count = np.count_nonzero(labels < 0)
            raise ValueError(f"{count} predictions are of classes that are gone, such as {gone!r}")
        return Predictions(ids=self.ids, labels=labels, scores=self._scores_at(places, len(now)))

    def _scores_at(self, places: NDArray[np.int64], classes: int) -> NDArray[np.float64] | None:
        if self.scores is None:
            return None
        lowest = np.minimum(self.scores.min(axis=1, keepdims=True), 0.0)
        moved = np.repeat(lowest, classes, axis=1)
        kept = places >= 0
        moved[:, places[kept]] = self.scores[:, kept]
        return moved

    def to_bytes(self) -> bytes:
        """Give a compact form for storing (npz); the same predictions give the same bytes."""
        file = io.BytesIO(_archive_of(self.ids))
        file.seek(0, io.SEEK_END)
        with zipfile.ZipFile(file, "a") as archive:
            labels = self.labels.astype(_smallest(int(self.labels.max(initial=0))))
            _add(archive, "labels", labels, zipfile.ZIP_DEFLATED)
            if self.scores is not None:
                # scores hardly shrink; trying takes longer than all the rest
                _add(archive, "scores", self.scores, zipfile.ZIP_STORED)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, stored: bytes) -> Predictions:
        """Read what `to_bytes` gave.

        Raises:
            ValueError: the bytes are something else.
        """
        try:
            with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
                return cls(
                    ids=tuple(json.loads(arrays["ids"].tobytes())),
                    labels=arrays["labels"].astype(np.int64),
                    scores=arrays.get("scores"),
                )
        except (zipfile.BadZipFile, zlib.error, EOFError, LookupError, AttributeError) as error:
            raise ValueError(f"these are no stored predictions: {error}") from error


def parse_predictions(source: bytes | BinaryIO, expected: ExpectedRows) -> Predictions:
    """Read a prediction CSV (plain or gzip), given as bytes or as a binary file.

    Memory depends on `expected` only, whatever the source holds.

    >>> rows = ExpectedRows(ids=("7", "9"), classes=("cat", "dog"))
    >>> parse_predictions(b"id,label\\n9,cat\\n7,1\\n", rows).labels.tolist()
    [1, 0]

    Raises:
        InvalidPredictions: with every kind of problem found, its count and its first place.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    labels, scores = Parser(expected).parse(file)
    return Predictions(ids=expected.ids, labels=labels, scores=scores)


def _archive_of(ids: tuple[str, ...]) -> bytes:
    return _archive_once(ids) if len(ids) <= _FEW_IDS else _ids_packed(ids)


@lru_cache(maxsize=8)
def _archive_once(ids: tuple[str, ...]) -> bytes:
    """The ids of an assignment, which all its predictions have: packed once."""
    return _ids_packed(ids)


def _ids_packed(ids: tuple[str, ...]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        listed = np.frombuffer(json.dumps(ids).encode(), dtype=np.uint8)
        _add(archive, "ids", listed, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _add(archive: zipfile.ZipFile, name: str, array: NDArray[np.generic], way: int) -> None:
    archive.writestr(zipfile.ZipInfo(f"{name}.npy"), _npy(array), way, 1)


def _npy(array: NDArray[np.generic]) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    return content.getvalue()


def _smallest(largest: int) -> np.dtype[np.unsignedinteger]:
    return np.min_scalar_type(largest)
