"""Whether answers were looked up: what is lost when images change by less than an eye sees.

A table from images to labels knows the images that are public, and not the same ones with a little
noise; a network hardly notices. The sandbox therefore plants copies of some hidden images with
seeded noise of four grey levels, and gives their answers apart. Of those that were answered right,
honest networks lose less than one in fifty on the copy; tables lose what they fall back to.

A table may also keep what it has seen in the run and answer near images alike, so that nothing is
lost: then an image whose copy came first is answered with what the table fell back to, and is wrong
more often than the others. Which came first is drawn at random, and a network that answers each
image for itself knows nothing of it: that test takes nothing for granted.

This is evidence for people, never a judgement: it takes nothing from a score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FLAG: Final = "MEM"
# Above the upper 99% bound of what the registry's baselines lose; tests/bench/memorised.py
# measures it on real images.
HONEST_LOSS: Final = 0.02
LEVEL: Final = 1e-4  # of each of the two tests: one honest submission in ten thousand
ORDER_P: Final = "copies_order_p"
_OF_ORDER: Final = {  # field → name among the facts of an evaluation
    "images": "copies_of_images",
    "missed": "copies_images_missed",
    "first": "copies_first",
    "first_missed": "copies_first_missed",
}


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Answers to images, and to copies of them with a little noise.

    `right` images were answered rightly, of the `copies` that were planted; `lost` of them were
    answered wrongly on the copy. Of all `images`, `missed` were answered wrongly; the copy came
    before the image for `first` of them, and `first_missed` of those were answered wrongly.
    """

    copies: int
    right: int
    lost: int
    honest: float = HONEST_LOSS  # what an honest network is taken to lose
    images: int = 0
    missed: int = 0
    first: int = 0
    first_missed: int = 0

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Losses | None:
        """The numbers that `as_facts` gave; None where there are none."""
        if "copies" not in facts:
            return None
        return cls(
            copies=facts["copies"],
            right=facts["copies_right"],
            lost=facts["copies_lost"],
            **{name: facts.get(name_of_fact, 0) for name, name_of_fact in _OF_ORDER.items()},
        )

    @property
    def p_value(self) -> float:
        """How often an honest network would lose so many, or more.

        >>> Losses(copies=256, right=240, lost=3).p_value > 0.5
        True
        >>> Losses(copies=256, right=240, lost=34).p_value < 1e-12
        True
        """
        return upper_tail(self.right, self.honest, self.lost)

    @property
    def order_p_value(self) -> float:
        """How often so many, or more, of the images whose copy came first would be among those that
        were missed, if the order told nothing: Fisher's exact test, one-sided.

        >>> Losses(copies=256, right=256, lost=0).order_p_value
        1.0
        >>> told = Losses(
        ...     copies=256, right=244, lost=0, images=10_000, missed=12, first=128, first_missed=12
        ... )
        >>> told.order_p_value < 1e-20
        True
        """
        return draw_tail(self.images, self.missed, self.first, self.first_missed)

    def as_facts(self) -> dict[str, float | int | str]:
        """These numbers as facts of an evaluation, for staff.

        >>> Losses(copies=10, right=9, lost=0).as_facts()
        {'copies': 10, 'copies_right': 9, 'copies_lost': 0, 'copies_p': 1.0}
        """
        order = {name: getattr(self, field) for field, name in _OF_ORDER.items()}
        return {
            "copies": self.copies,
            "copies_right": self.right,
            "copies_lost": self.lost,
            "copies_p": float(f"{self.p_value:.3g}"),
            **({**order, ORDER_P: float(f"{self.order_p_value:.3g}")} if self.images else {}),
        }

    @property
    def is_flagged(self) -> bool:
        """Whether so many are lost, or missed after their copy, that staff should look."""
        return min(self.p_value, self.order_p_value) <= LEVEL


def losses(
    answers: NDArray[np.int64], copied: NDArray[np.int64], truth: NDArray[np.int64]
) -> Losses:
    """What the answers lost on copies: all three (M,), for the same images in the same order."""
    right = answers == truth
    lost = right & (copied != truth)
    return Losses(copies=len(truth), right=int(right.sum()), lost=int(lost.sum()))


def with_order(
    found: Losses, missed: NDArray[np.bool_], copied_before: NDArray[np.int64]
) -> Losses:
    """The same with what the order tells: which images were missed (N,), and the rows of those
    whose copy came before them."""
    return replace(
        found,
        images=len(missed),
        missed=int(missed.sum()),
        first=len(copied_before),
        first_missed=int(missed[copied_before].sum()),
    )


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


def draw_tail(images: int, marked: int, drawn: int, least: int) -> float:
    """The probability that of so many images, some of them marked, `drawn` ones that are drawn
    without putting back hold `least` or more marked ones (hypergeometric).

    >>> round(draw_tail(10, 5, 2, 2), 9)
    0.222222222
    >>> draw_tail(10, 5, 2, 0)
    1.0
    """
    if least <= 0:
        return 1.0
    whole = _log_choose(images, drawn)
    terms = [
        _log_choose(marked, hits) + _log_choose(images - marked, drawn - hits) - whole
        for hits in range(max(least, drawn + marked - images), min(marked, drawn) + 1)
    ]
    return float(min(1.0, math.fsum(math.exp(term) for term in terms)))


def _log_choose(of: int, wanted: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(wanted + 1) - math.lgamma(of - wanted + 1)
