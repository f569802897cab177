"""Fewer or more rows of a class: row numbers in, row numbers out, so that nothing is copied."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from reference.data.splits import Rows


def resample(
    labels: NDArray[np.int64],
    *,
    most: int,
    least: int,
    seed: int,
    imbalance: float = 1.0,
    profile: str = "exponential",
) -> Rows:
    """Rows with at most `most` and at least `least` of each class; 0 leaves a bound out; sorted.

    Between the two, `imbalance` above 1 makes a long tail, whose first class keeps as many as the
    smallest class has.
    """
    rows = np.arange(len(labels))
    if most:
        rows = rows[under_sample(labels[rows], most, seed=seed)]
    if imbalance > 1:
        sizes = np.bincount(labels[rows])
        counts_of = step_counts if profile == "step" else exponential_counts
        counts = counts_of(len(sizes), int(sizes[sizes > 0].min()), imbalance)
        rows = rows[long_tail(labels[rows], counts, seed=seed)]
    if least:
        rows = rows[over_sample(labels[rows], least, seed=seed)]
    return rows


def under_sample(labels: NDArray[np.int64], most: int, *, seed: int) -> Rows:
    """Rows with at most `most` of each class, drawn without replacement; sorted.

    >>> np.bincount(np.repeat([0, 1], [9, 4])[under_sample(np.repeat([0, 1], [9, 4]), 5, seed=0)])
    array([5, 4])
    """
    generator = np.random.default_rng(seed)
    kept = [generator.permutation(members)[:most] for members in _by_class(labels).values()]
    return np.sort(np.concatenate(kept))


def over_sample(labels: NDArray[np.int64], least: int, *, seed: int) -> Rows:
    """Every row, and repeats drawn until each class has at least `least`; sorted.

    >>> np.bincount(np.repeat([0, 1], [9, 4])[over_sample(np.repeat([0, 1], [9, 4]), 6, seed=0)])
    array([9, 6])
    """
    generator = np.random.default_rng(seed)
    rows = [np.arange(len(labels))]
    for members in _by_class(labels).values():
        rows.append(generator.choice(members, max(0, least - len(members))))
    return np.sort(np.concatenate(rows))


def long_tail(labels: NDArray[np.int64], counts: Mapping[int, int], *, seed: int) -> Rows:
    """Rows with `counts[label]` of each class, drawn without replacement; sorted.

    Raises:
        ValueError: a class holds fewer.
    """
    generator = np.random.default_rng(seed)
    kept = []
    for label, members in _by_class(labels).items():
        if counts[label] > len(members):
            raise ValueError(f"class {label} holds {len(members)} images, not {counts[label]}")
        kept.append(generator.permutation(members)[: counts[label]])
    return np.sort(np.concatenate(kept))


def exponential_counts(classes: int, most: int, imbalance: float) -> dict[int, int]:
    """How many images the classes of a long tail have: `most` for class 0, then ever fewer.

    n_k = most · imbalance^(−k/(classes−1)), so the last has `most / imbalance` (Cui et al. 2019,
    *Class-balanced loss*, section 5.1).

    >>> exponential_counts(3, 100, 100.0)
    {0: 100, 1: 10, 2: 1}
    """
    steps = max(1, classes - 1)
    return {k: max(1, round(most * imbalance ** (-k / steps))) for k in range(classes)}


def step_counts(classes: int, most: int, imbalance: float) -> dict[int, int]:
    """The first half of the classes has `most` images each, the others `most / imbalance`.

    Step imbalance of Buda et al. 2018, *A systematic study of the class imbalance problem*.

    >>> step_counts(5, 100, 20.0)
    {0: 100, 1: 100, 2: 100, 3: 5, 4: 5}
    """
    few = max(1, round(most / imbalance))
    return {k: most if 2 * k < classes else few for k in range(classes)}


def _by_class(labels: NDArray[np.int64]) -> dict[int, Rows]:
    return {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}
