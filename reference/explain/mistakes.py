"""Which images a model gets wrong: its surest mistakes, and the classes it mixes up most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One image that was answered wrongly.

    `row` is its place in the image set, `true` and `said` are classes; `probability` is the
    softmax's of the class that was said.
    """

    row: int
    true: int
    said: int
    probability: float


def surest(scores: NDArray[np.float32], labels: NDArray[np.int64], count: int) -> list[Mistake]:
    """Mistakes, those first that were made with the highest probability; of equals the lower row.

    Shapes: scores N×K (logits), labels N.
    """
    found = _all(scores, labels)
    return sorted(found, key=lambda each: (-each.probability, each.row))[:count]


def most_confused(
    scores: NDArray[np.float32], labels: NDArray[np.int64], count: int
) -> list[Mistake]:
    """Mistakes between the two classes that are taken for each other most, the surest first.

    Both directions count; of pairs with as many mistakes the first by class number is taken.

    Shapes: scores N×K (logits), labels N.
    """
    found = _all(scores, labels)
    pairs: dict[tuple[int, int], list[Mistake]] = {}
    for each in found:
        pairs.setdefault((min(each.true, each.said), max(each.true, each.said)), []).append(each)
    if not pairs:
        return []
    most = min(pairs, key=lambda pair: (-len(pairs[pair]), pair))
    return sorted(pairs[most], key=lambda each: (-each.probability, each.row))[:count]


def _all(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> list[Mistake]:
    said = scores.argmax(axis=1)
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    highest = 1 / np.exp(shifted).sum(axis=1)
    return [
        Mistake(
            row=row,
            true=int(labels[row]),
            said=int(said[row]),
            probability=float(highest[row]),
        )
        for row in np.flatnonzero(said != labels).tolist()
    ]
