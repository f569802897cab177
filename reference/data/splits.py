"""Which rows are for what: stratified, by seed, and kept in files that name the labels they fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference.data.image_set import sha256_of
from reference.errors import DataError

Rows = NDArray[np.int64]


def stratified_split(labels: NDArray[np.int64], fraction: float, *, seed: int) -> tuple[Rows, Rows]:
    """Indices of the rest and of the chosen `fraction`, class by class; both sorted.

    A class of n gives round(n·fraction), so class shares agree to half an image.

    >>> rest, chosen = stratified_split(np.repeat([0, 1], 10), 0.3, seed=0)
    >>> len(rest), len(chosen), int((chosen < 10).sum())
    (14, 6, 3)
    """
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = round(len(members) * fraction)
        chosen[generator.permutation(members)[:count]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def stratified_parts(
    labels: NDArray[np.int64], shares: Sequence[float], *, seed: int
) -> tuple[Rows, ...]:
    """Disjoint sorted rows, one part a share; 8:1:1 is `(0.8, 0.1, 0.1)`. All rows are given out.

    >>> [len(part) for part in stratified_parts(np.repeat([0, 1], 50), (0.8, 0.1, 0.1), seed=0)]
    [80, 10, 10]

    Raises:
        ValueError: the shares don't add up to one.
    """
    if abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"shares must add up to 1, not {sum(shares)}")
    rows = np.arange(len(labels))
    parts = []
    left = 1.0
    for number, share in enumerate(shares[:-1]):
        rest, chosen = stratified_split(labels[rows], share / left, seed=seed + number)
        parts.append(rows[chosen])
        rows = rows[rest]
        left -= share
    return (*parts, rows)


def write_split(path: Path, labels: NDArray[np.int64], parts: Mapping[str, Rows]) -> None:
    """Write an index file: the rows of each part, and the SHA-256 of the labels they fit."""
    content = {
        "labels_sha256": sha256_of(labels),
        "rows": {name: rows.tolist() for name, rows in parts.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


def read_split(path: Path, labels: NDArray[np.int64]) -> dict[str, Rows]:
    """The parts of an index file.

    Raises:
        DataError: it is not one, was made for other labels, or its parts overlap or name other
            rows.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        fits = content["labels_sha256"] == sha256_of(labels)
        parts = {name: np.array(rows, dtype=np.int64) for name, rows in content["rows"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not an index file of a split: {error}") from error
    if not fits:
        raise DataError(f"{path} was made for other labels: split again, or fetch the same set")
    together = np.concatenate([*parts.values(), np.empty(0, dtype=np.int64)])
    if len(np.unique(together)) != len(together):
        raise DataError(f"{path} gives one row to two parts")
    if len(together) and not 0 <= together.min() <= together.max() < len(labels):
        raise DataError(f"{path} names rows that there are not: {len(labels)} are labelled")
    return parts
