"""What a public board shows of a score: `exact`, `rounded`, or the Ladder.

A team that hands in often can climb an exact board by chance alone: it keeps whatever random
change happened to raise the score. The Ladder shows a new score only when it beats the team's best
by more than one standard error of the change, so that chance pays far less: nothing for changes of
single answers, about half for an attacker who knows the rule and changes many at once.

Source: Blum & Hardt, "The Ladder: A Reliable Leaderboard for Machine Learning Competitions", ICML
2015, algorithm 3 (parameter-free). Pure functions; a team's state is a value that the caller keeps,
and the same submissions in the same order give the same state.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

ROUNDED_STEP = 0.01
"""The `rounded` board shows multiples of this: about two standard errors of 3,000 images at .9."""


class BoardMode(StrEnum):
    """How much of the public score the board gives away."""

    EXACT = "exact"
    ROUNDED = "rounded"  # to ROUNDED_STEP: coarse, with no memory
    LADDER = "ladder"  # only what is better than the team's best by more than noise


@dataclass(frozen=True, eq=False)
class LadderState:
    """One team's Ladder on one assignment: the images that its last shown entry got right.

    `right` is (N,) bool over the public images, in one fixed order; None before the first entry.
    """

    right: NDArray[np.bool_] | None = None

    @property
    def shown(self) -> float | None:
        """The accuracy that the board shows; None before the first entry."""
        if self.right is None:
            return None
        return int(np.count_nonzero(self.right)) / len(self.right)

    def to_bytes(self) -> bytes:
        """Give the state in a form to store: the number of images, then one bit for each."""
        if self.right is None:
            return b""
        return struct.pack("<Q", len(self.right)) + np.packbits(self.right).tobytes()

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        """Give the state that `to_bytes` wrote.

        Raises:
            ValueError: the bytes are of another length.
        """
        if not stored:
            return cls()
        (count,) = struct.unpack_from("<Q", stored)
        bits = np.frombuffer(stored, dtype=np.uint8, offset=8)
        if len(bits) != (count + 7) // 8:
            raise ValueError("not a stored ladder state")
        return cls(np.unpackbits(bits, count=count).astype(np.bool_))


def climb(state: LadderState, right: NDArray[np.bool_]) -> LadderState:
    """Give the state after one more entry: the new entry's where it is shown, else the same.

    `right` (N,) says which public images the entry got right. It is shown when its error is below
    the shown one by more than s/√N, where s is the sample standard deviation of the difference
    between the two 0/1 loss vectors.

    >>> first = climb(LadderState(), np.array([True] * 60 + [False] * 40))
    >>> lucky = climb(first, np.array([True] * 61 + [False] * 39))
    >>> better = climb(first, np.array([True] * 64 + [False] * 36))
    >>> first.shown, lucky.shown, better.shown
    (0.6, 0.6, 0.64)

    Raises:
        ValueError: `right` is of another number of images than before.
    """
    if state.right is None:
        return LadderState(right.copy())
    if right.shape != state.right.shape:
        raise ValueError(f"{len(right)} images where the ladder has {len(state.right)}")
    change = right.astype(np.int64) - state.right.astype(np.int64)
    gained, count = int(change.sum()), len(change)
    # In whole images, squared, and so free of rounding: gained/N > s/√N, with
    # s² = (Σ change² - gained²/N) / (N - 1).
    differing = int(np.count_nonzero(change))
    if gained > 0 and gained * gained * (count - 1) > differing * count - gained * gained:
        return LadderState(right.copy())
    return state


def replay(entries: Iterable[NDArray[np.bool_]]) -> LadderState:
    """Give the state that a team's entries, in order of hand-in, lead to."""
    state = LadderState()
    for right in entries:
        state = climb(state, right)
    return state


def rounded(score: float, step: float = ROUNDED_STEP) -> float:
    """Give the nearest multiple of `step`, halves upward.

    >>> rounded(0.8951), rounded(0.905)
    (0.9, 0.91)
    """
    decimals = max(0, math.ceil(-math.log10(step)))
    return round(math.floor(score / step + 0.5 + 1e-9) * step, decimals)


def shown_score(mode: BoardMode, exact: float, ladder: LadderState) -> float | None:
    """Give what the board shows of a team's best public score under `mode`."""
    if mode is BoardMode.LADDER:
        return ladder.shown
    return rounded(exact) if mode is BoardMode.ROUNDED else exact
