"""Finds pictures that look alike: stored twice with other compression, another size or format.

Candidates are pairs whose perceptual hashes (64 bits of a cosine transform) differ in few bits; a
pair counts when its small grey pictures differ little, as a whole and in every place, measured by
the contrast that is there. The bounds are set so that all but one in a hundred JPEG copies of
quality 90 are found, and, of 2.4 thousand million pairs of Fashion-MNIST, some thirty, each of them
one photograph of one garment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grader.pictures.duplicates import SIDE, Fingerprints, numbered

MOST_BITS: Final = 6
"""By which the hashes of a pair may differ, of 63."""
MOST_DIFFERENT: Final = 0.15
"""Root mean square difference of the small pictures, in parts of their contrast."""
MOST_IN_A_PLACE: Final = 0.10
"""The largest difference of the means of an 8th by an 8th of the picture, in such parts."""
MOST_OFF_COLOUR: Final = 8.0
"""Difference of the mean red, green or blue, of 255."""
LEAST_CONTRAST: Final = 2.0
"""Standard deviation of grey values, of 255, below which there is nothing to compare."""
MOST_CANDIDATES: Final = 20_000_000
"""Pairs that are looked at; a set with more is too uniform for the hash to tell apart."""

_PLACES: Final = 8
_FREQUENCIES: Final = 8
_BLOCK, _ACROSS = 256, 8192  # hashes compared at a time: they stay in the processor's cache
_CHECKED: Final = 16_384  # candidates whose pixels are compared at a time


@dataclass(frozen=True, kw_only=True)
class Lookalikes:
    """Pairs that look alike, and the groups that they form.

    pairs: int64 (P, 2), rows in ascending order. difference: float32 (P,), see `MOST_DIFFERENT`.
    groups: int64 (N,), the lowest row that a row hangs together with, its own where it is alone.
    complete: False where there were more candidates than are looked at.
    """

    pairs: NDArray[np.int64]
    difference: NDArray[np.float32]
    groups: NDArray[np.int64]
    complete: bool


def lookalikes(prints: Fingerprints, rows: NDArray[np.int64]) -> Lookalikes:
    """Compare all pairs among these rows; the numbers in the answer are places in `rows`."""
    looked = _Looked.of(prints, rows)
    pairs, differences = [], []
    left = MOST_CANDIDATES
    for candidates in _candidates(looked.hashes):
        left -= len(candidates)
        if left < 0:
            break
        found, difference = looked.check(candidates)
        pairs.append(found)
        differences.append(difference)
    alike = looked.places[np.concatenate([np.empty((0, 2), dtype=np.int64), *pairs])]
    equal = _equal_and_faint(prints, rows, looked.places)
    every = np.concatenate([equal, alike])
    none = np.zeros(len(equal), dtype=np.float32)
    return Lookalikes(
        pairs=every,
        difference=np.concatenate([none, *differences]),
        groups=_groups(every, len(rows)),
        complete=left >= 0,
    )


@dataclass(frozen=True, kw_only=True)
class _Looked:
    """What is compared of those rows that have anything to compare, at these places."""

    places: NDArray[np.int64]
    small: NDArray[np.uint8]
    means: NDArray[np.float32]
    colours: NDArray[np.float32]
    contrast: NDArray[np.float32]
    hashes: NDArray[np.uint64]

    @classmethod
    def of(cls, prints: Fingerprints, rows: NDArray[np.int64]) -> _Looked:
        small = prints.small[rows]
        contrast = np.array([each.std() for each in small], dtype=np.float32)
        places = np.flatnonzero(contrast >= LEAST_CONTRAST)
        small = small[places]
        cell = SIDE // _PLACES
        cells = small.reshape(-1, _PLACES, cell, _PLACES, cell)
        return cls(
            places=places.astype(np.int64),
            small=small,
            means=cells.mean(axis=(2, 4), dtype=np.float32).reshape(-1, _PLACES**2),
            colours=prints.colours[rows][places],
            contrast=contrast[places],
            hashes=_hashes(small),
        )

    def check(self, candidates: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Give those that look alike, and how much they differ."""
        found = [self._check(candidates[at : at + _CHECKED]) for at in _steps(candidates, _CHECKED)]
        return np.concatenate([each[0] for each in found]), np.concatenate(
            [each[1] for each in found]
        )

    def _check(self, pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        one, other = pairs.T
        contrast = np.minimum(self.contrast[one], self.contrast[other])
        in_a_place = np.abs(self.means[one] - self.means[other]).max(axis=1)
        off_colour = np.abs(self.colours[one] - self.colours[other]).max(axis=1)
        close = (in_a_place <= MOST_IN_A_PLACE * contrast) & (off_colour <= MOST_OFF_COLOUR)
        pairs, contrast = pairs[close], contrast[close]
        first, second = (self.small[rows].astype(np.float32) for rows in pairs.T)
        difference = np.sqrt(((first - second) ** 2).mean(axis=(1, 2))) / contrast
        alike = difference <= MOST_DIFFERENT
        return pairs[alike], difference[alike].astype(np.float32)


def _equal_and_faint(
    prints: Fingerprints, rows: NDArray[np.int64], places: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Pairs with the same pixels where there is too little contrast to compare: int64 (P, 2).

    Blank pictures show nothing that could be copied.
    """
    faint = np.setdiff1d(np.flatnonzero(~prints.blank[rows]), places)
    _, first, group = np.unique(
        numbered(prints.digests[rows[faint]]), return_index=True, return_inverse=True
    )
    pairs = np.stack([faint[first[group]], faint], axis=1)
    return pairs[pairs[:, 0] < pairs[:, 1]].astype(np.int64)


def _hashes(small: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The perceptual hash of each: whether a low frequency is stronger than the median one.

    A discrete cosine transform's 8×8 lowest, without the mean (pHash; Zauner 2010, section 3.2).
    """
    at = np.arange(SIDE)
    waves = np.cos(np.pi * (2 * at + 1) * np.arange(_FREQUENCIES)[:, None] / (2 * SIDE))
    waves = waves.astype(np.float32)
    bits = np.zeros((len(small), 64), dtype=np.bool_)
    for start in _steps(small, _CHECKED):
        block = small[start : start + _CHECKED].astype(np.float32)
        strengths = (waves @ block @ waves.T).reshape(len(block), _FREQUENCIES**2)[:, 1:]
        middle = np.median(strengths, axis=1, keepdims=True)
        bits[start : start + _CHECKED, 1:] = strengths > middle
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def _candidates(hashes: NDArray[np.uint64]) -> Iterator[NDArray[np.int64]]:
    """Pairs of rows whose hashes differ in few bits: int64 (P, 2), some at a time."""
    for top in _steps(hashes, _BLOCK):
        block = hashes[top : top + _BLOCK, None]
        for left in range(top, len(hashes), _ACROSS):
            bits = np.bitwise_count(block ^ hashes[None, left : left + _ACROSS])
            one, other = np.divmod(np.flatnonzero(bits <= MOST_BITS), bits.shape[1])
            pairs = np.stack([one + top, other + left], axis=1)
            yield pairs[pairs[:, 0] < pairs[:, 1]]


def _steps(array: NDArray[np.generic], step: int) -> range:
    return range(0, max(len(array), 1), step)


def _groups(pairs: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The lowest row that each hangs together with.

    >>> _groups(np.array([[0, 2], [2, 4]]), 5).tolist()
    [0, 1, 0, 3, 0]
    """
    group = np.arange(count, dtype=np.int64)
    while len(pairs):
        lowest = group.copy()
        np.minimum.at(lowest, pairs[:, 0], group[pairs[:, 1]])
        np.minimum.at(lowest, pairs[:, 1], group[pairs[:, 0]])
        lowest = lowest[lowest]
        if np.array_equal(lowest, group):
            break
        group = lowest
    return group
