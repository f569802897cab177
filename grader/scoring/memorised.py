"""Whether answers were looked up: what is lost when images change by less than an eye sees.

A table from images to labels knows the images that are public, and not the same ones with a little
noise; a network hardly notices. The sandbox therefore plants copies of some hidden images with
seeded noise of four grey levels, and gives their answers apart. Of those that were answered right,
honest networks lose less than one in fifty on the copy; tables lose what they fall back to.

This is evidence for people, never a judgement: it takes nothing from a score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FLAG: Final = "MEM"
# Above the upper 99% bound of what the registry's baselines lose; tests/bench/memorised.py
# measures it on real images.
HONEST_LOSS: Final = 0.02
LEVEL: Final = 1e-4  # of the test: one honest submission in ten thousand, at that loss


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Answers to images, and to copies of them with a little noise.

    `right` images were answered rightly, of the `copies` that were planted; `lost` of them were
    answered wrongly on the copy.
    """

    copies: int
    right: int
    lost: int
    honest: float = HONEST_LOSS  # what an honest network is taken to lose

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Losses | None:
        """The numbers that `as_facts` gave; None where there are none."""
        if "copies" not in facts:
            return None
        return cls(copies=facts["copies"], right=facts["copies_right"], lost=facts["copies_lost"])

    @property
    def p_value(self) -> float:
        """How often an honest network would lose so many, or more.

        >>> Losses(copies=256, right=240, lost=3).p_value > 0.5
        True
        >>> Losses(copies=256, right=240, lost=34).p_value < 1e-12
        True
        """
        return upper_tail(self.right, self.honest, self.lost)

    def as_facts(self) -> dict[str, float | int | str]:
        """These numbers as facts of an evaluation, for staff.

        >>> Losses(copies=10, right=9, lost=0).as_facts()
        {'copies': 10, 'copies_right': 9, 'copies_lost': 0, 'copies_p': 1.0}
        """
        return {
            "copies": self.copies,
            "copies_right": self.right,
            "copies_lost": self.lost,
            "copies_p": float(f"{self.p_value:.3g}"),
        }

    @property
    def is_flagged(self) -> bool:
        """Whether so many are lost that staff should look."""
        return self.p_value <= LEVEL


def losses(
    answers: NDArray[np.int64], copied: NDArray[np.int64], truth: NDArray[np.int64]
) -> Losses:
    """What the answers lost on copies: all three (M,), for the same images in the same order."""
    right = answers == truth
    lost = right & (copied != truth)
    return Losses(copies=len(truth), right=int(right.sum()), lost=int(lost.sum()))


def honest_loss(right: int, lost: int) -> float:
    """What honest networks may lose, where some are known: their upper bound at 99%.

    `right` and `lost` are sums over them. Never below `HONEST_LOSS`: few copies say little, and
    networks that the references resemble are not all there are.

    >>> honest_loss(700, 3)
    0.02
    >>> 0.05 < honest_loss(700, 25) < 0.06
    True
    """
    low, high = HONEST_LOSS, 1.0
    if right == 0 or upper_tail(right, low, lost + 1) >= 0.99:
        return low
    while high - low > 1e-4:
        middle = (low + high) / 2
        if upper_tail(right, middle, lost + 1) < 0.99:
            low = middle
        else:
            high = middle
    return high


def upper_tail(trials: int, chance: float, least: int) -> float:
    """The probability of `least` or more hits in so many trials, each with this chance.

    >>> round(upper_tail(2, 0.5, 1), 9)
    0.75
    >>> upper_tail(10, 0.02, 0)
    1.0
    """
    if least <= 0:
        return 1.0
    if chance >= 1:
        return float(least <= trials)
    log = math.log
    terms = [
        math.lgamma(trials + 1)
        - math.lgamma(hits + 1)
        - math.lgamma(trials - hits + 1)
        + hits * log(chance)
        + (trials - hits) * log(1 - chance)
        for hits in range(least, trials + 1)
    ]
    return float(min(1.0, math.fsum(math.exp(term) for term in terms)))
