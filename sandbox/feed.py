"""The secret order of a run: which image goes in at which place, and how answers come back.

Private and public images are mixed already (this package knows no splits); a permutation that
differs each run keeps a program from recognising an image by its place. A few images go in
twice, at places nobody can tell: where the two answers differ, the program is not deterministic.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

DUPLICATES = 8

ScalarT = TypeVar("ScalarT", bound=np.generic)


@dataclass(frozen=True)
class Order:
    """Rows of the image array in the order they are sent, in batches of one size.

    All batches are equally long, so that a program computes every image in a batch of the same
    shape wherever the permutation puts it; the duplicates fill the last one up.
    """

    rows: NDArray[np.int64]  # (batches * batch_size,)
    batch_size: int
    count: int  # images
    seed: int  # what it was drawn with: the same seed gives the same order again

    @classmethod
    def draw(
        cls, count: int, largest_batch: int, seed: int | None = None, shuffled: bool = True
    ) -> Order:
        """A new order for `count` > 0 images; `seed` repeats one, `shuffled` is for tests only."""
        seed = secrets.randbits(128) if seed is None else seed
        generator = np.random.default_rng(seed)
        duplicates = min(DUPLICATES, count)
        batches = -(-(count + duplicates) // largest_batch)
        batch_size = -(-(count + duplicates) // batches)
        extra = generator.integers(0, count, batches * batch_size - count)
        rows = np.concatenate([np.arange(count, dtype=np.int64), extra])
        sent = generator.permutation(rows) if shuffled else rows
        return cls(sent, batch_size, count, seed)

    @property
    def batches(self) -> int:
        """How many batches there are."""
        return len(self.rows) // self.batch_size

    def rows_of(self, batch: int) -> NDArray[np.int64]:
        """The image rows of one batch."""
        return self.rows[batch * self.batch_size : (batch + 1) * self.batch_size]

    def restore(self, answers: NDArray[ScalarT]) -> NDArray[ScalarT]:
        """Answers as they were sent -> one per image, in the images' own order."""
        return answers[self._first_places()]

    def _first_places(self) -> NDArray[np.int64]:
        places = np.empty(self.count, dtype=np.int64)
        places[self.rows[::-1]] = np.arange(len(self.rows))[::-1]
        return places

    def disagreements(self, answers: NDArray[np.float32] | NDArray[np.int64]) -> int:
        """How many duplicates were answered unlike their first sight.

        Scores may differ a little, by the order of additions in another place of the batch;
        5% of the largest score is far above that and far below what a random answer gives.
        """
        first = answers[self._first_places()[self.rows]]
        if answers.ndim == 1:
            return int(np.count_nonzero(first != answers))
        one, other = first.astype(np.float64), answers.astype(np.float64)
        gap = np.abs(one - other).max(axis=1)
        size = np.maximum(np.abs(one).max(axis=1), np.abs(other).max(axis=1))
        return int(np.count_nonzero(gap > 0.05 * size))
