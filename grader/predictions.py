"""Predictions, and the only parser of prediction CSVs."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from grader.prediction_csv.lookup import Lookup
from grader.prediction_csv.parser import Parser


@dataclass(frozen=True)
class ExpectedRows:
    """What a prediction file must hold: public facts only, no answer and no split.

    ids: every id once, in an order that tells nothing.
    """

    ids: tuple[str, ...] = field(repr=False)
    classes: tuple[str, ...]
    id_column: str = "id"
    label_column: str = "label"

    @cached_property
    def id_lookup(self) -> Lookup:
        """The ids, ready to be found among a file's bytes; built once."""
        return Lookup(self.ids)

    @cached_property
    def label_lookup(self) -> Lookup:
        """Ways to write a label: K class names, then K indices; entry e means class e modulo K."""
        indices = map(str, range(len(self.classes)))
        return Lookup([*self.classes, *indices])


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

    def to_bytes(self) -> bytes:
        """Give a compact form for storing (npz); the same predictions give the same bytes."""
        arrays: dict[str, NDArray[np.generic]] = {
            "ids": np.frombuffer(json.dumps(self.ids).encode(), dtype=np.uint8),
            "labels": self.labels.astype(_smallest(int(self.labels.max(initial=0)))),
        }
        if self.scores is not None:
            arrays["scores"] = self.scores
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, stored: bytes) -> Predictions:
        """Read what `to_bytes` gave.

        Raises:
            ValueError: the bytes are something else.
        """
        with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
            return cls(
                ids=tuple(json.loads(arrays["ids"].tobytes())),
                labels=arrays["labels"].astype(np.int64),
                scores=arrays.get("scores"),
            )


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


def _smallest(largest: int) -> np.dtype[np.unsignedinteger]:
    return np.min_scalar_type(largest)
