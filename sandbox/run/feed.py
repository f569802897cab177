"""The secret order of a run: which image goes in at which place, and how answers come back.

Private and public images are mixed already (this package knows no splits); a permutation that
differs each run keeps a program from recognising an image by its place. A few images go in
twice, at places nobody can tell: where the two answers differ, the program is not deterministic.

A few more go in with a little noise, which a network hardly notices and a table of images does not
know. Their answers are no part of the predictions; what they tell is for who knows the labels.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

DUPLICATES = 8
MOST_COPIES = 256  # with noise
COPIES_SHARE = 8  # at most one image in so many is copied
FEWEST_BATCHES = 8  # where images are copied: a copy tells more if it comes in another batch
NOISE = 4.0  # grey levels, the standard deviation

ScalarT = TypeVar("ScalarT", bound=np.generic)


def copies_of(count: int) -> int:
    """How many of so many hidden images are copied with noise.

    >>> copies_of(3_000), copies_of(800), copies_of(7)
    (256, 100, 0)
    """
    return min(MOST_COPIES, count // COPIES_SHARE)


@dataclass(frozen=True)
class Order:
    """Rows of the image array in the order they are sent, in batches of one size.

    All batches are equally long, so that a program computes every image in a batch of the same
    shape wherever the permutation puts it; the duplicates fill the last one up.
    """

    rows: NDArray[np.int64]  # (batches * batch_size,)
    noisy: NDArray[np.bool_]  # (batches * batch_size,): whether a copy with noise goes in here
    batch_size: int
    count: int  # images
    seed: int  # what it was drawn with: the same seed gives the same order again

    @classmethod
    def draw(
        cls,
        count: int,
        largest_batch: int,
        seed: int | None = None,
        shuffled: bool = True,
        *,
        copies: int = 0,
    ) -> Order:
        """A new order for `count` > 0 images; `seed` repeats one, `shuffled` is for tests only.

        `copies`: how many images, none of them twice, go in once more with noise.
        """
        seed = secrets.randbits(128) if seed is None else seed
        generator = np.random.default_rng(seed)
        duplicates = min(DUPLICATES, count)
        fewest = min(FEWEST_BATCHES, copies) or 1
        batches = max(fewest, -(-(count + duplicates + copies) // largest_batch))
        batch_size = -(-(count + duplicates + copies) // batches)
        extra = generator.integers(0, count, batches * batch_size - count - copies)
        copied = np.random.default_rng([seed, 1]).permutation(count)[:copies]
        rows = np.concatenate([np.arange(count, dtype=np.int64), extra, copied])
        noisy = np.arange(len(rows)) >= len(rows) - copies
        places = generator.permutation(len(rows)) if shuffled else np.arange(len(rows))
        return cls(rows[places], noisy[places], batch_size, count, seed)

    @property
    def batches(self) -> int:
        """How many batches there are."""
        return len(self.rows) // self.batch_size

    def rows_of(self, batch: int) -> NDArray[np.int64]:
        """The image rows of one batch."""
        return self.rows[batch * self.batch_size : (batch + 1) * self.batch_size]

    def batch(self, images: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
        """The images of one batch as they are sent, the noise on its copies."""
        first = number * self.batch_size
        sent: NDArray[np.uint8] = np.ascontiguousarray(images[self.rows_of(number)])
        for at in np.flatnonzero(self.noisy[first : first + self.batch_size]).tolist():
            generator = np.random.default_rng([self.seed, 2, first + at])
            noise = NOISE * generator.standard_normal(sent.shape[1:], dtype=np.float32)
            sent[at] = np.clip(np.rint(sent[at] + noise), 0, 255)
        return sent

    def of_copies(
        self, answers: NDArray[ScalarT]
    ) -> tuple[NDArray[np.int64], NDArray[ScalarT], NDArray[np.bool_]]:
        """The rows of the images that were copied with noise, ascending, the answers there, and
        whether the copy came in an earlier batch than the image: of one batch a program sees both
        before it answers."""
        places = np.flatnonzero(self.noisy)
        places = places[np.argsort(self.rows[places])]
        rows = self.rows[places]
        came_first = places // self.batch_size < self._first_places()[rows] // self.batch_size
        return rows, answers[places], came_first

    def restore(self, answers: NDArray[ScalarT]) -> NDArray[ScalarT]:
        """Answers as they were sent -> one per image, in the images' own order."""
        return answers[self._first_places()]

    def _first_places(self) -> NDArray[np.int64]:
        places = np.empty(self.count, dtype=np.int64)
        exact = np.flatnonzero(~self.noisy)[::-1]
        places[self.rows[exact]] = exact
        return places

    def disagreements(self, answers: NDArray[np.float32] | NDArray[np.int64]) -> int:
        """How many exact duplicates were answered unlike their first sight.

        Scores may differ a little, by the order of additions in another place of the batch;
        5% of the largest score is far above that and far below what a random answer gives.
        """
        first = answers[self._first_places()[self.rows]][~self.noisy]
        answers = answers[~self.noisy]
        if answers.ndim == 1:
            return int(np.count_nonzero(first != answers))
        one, other = first.astype(np.float64), answers.astype(np.float64)
        gap = np.abs(one - other).max(axis=1)
        size = np.maximum(np.abs(one).max(axis=1), np.abs(other).max(axis=1))
        return int(np.count_nonzero(gap > 0.05 * size))
