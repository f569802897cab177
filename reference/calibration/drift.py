"""A control chart of nightly retrainings: an EWMA of z-scores that are exact from the first night.

A card has few seeds, so its mean and deviation are uncertain, and alike for every night: plain
z-scores by them raise false alarms again and again. Each night is therefore compared with the card
*and* the nights before it (Quesenberry 1991, *SPC Q charts for start-up processes*): while nothing
moves these scores are independent and standard normal, whatever the true mean and deviation are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

# Lucas and Saccucci 1990, table 3: with this weight and width a quiet series raises one alarm in
# 500 nights; a shift of one deviation is found after 10 nights, of three after 2 to 3.
WEIGHT = 0.2
WIDTH = 2.962
# beyond this one night is enough (one in 30,000 quiet nights)
AT_ONCE = 4.2
FEWEST_SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class Night:
    """One night: its z-score, the smoothed one, how far that may be from 0, and what follows."""

    z: float
    smoothed: float
    limit: float

    @property
    def is_alarm(self) -> bool:
        """Whether the baseline has moved."""
        return abs(self.smoothed) > self.limit or abs(self.z) > AT_ONCE


def z_scores(card: Sequence[float], nights: Sequence[float]) -> NDArray[np.float64]:
    """Each night's accuracy against the card's seeds and all nights before it.

    Student's t of the night's distance from their mean, as the normal quantile of the same
    probability (Quesenberry 1991, equation 7).

    Shapes: K and N values → N float64.

    Raises:
        ValueError: the card has fewer than three seeds, or they are all the same.
    """
    if len(card) < FEWEST_SEEDS or np.ptp(card) == 0:
        raise ValueError(f"a card needs {FEWEST_SEEDS} seeds at least, and not all the same")
    values = np.concatenate([np.asarray(card, float), np.asarray(nights, float)])
    before = np.arange(len(card), len(values))
    sums, squares = np.cumsum(values - values[0]), np.cumsum((values - values[0]) ** 2)
    means = sums[before - 1] / before
    deviations = np.sqrt((squares[before - 1] - before * means**2) / (before - 1))
    distance = (values[before] - values[0] - means) / (deviations * np.sqrt(1 + 1 / before))
    # by the nearer tail, so that a far one is not rounded to infinity
    tail = stats.norm.isf(stats.t.sf(np.abs(distance), before - 1))
    scores: NDArray[np.float64] = np.sign(distance) * tail
    return scores


def watch(card: Sequence[float], nights: Sequence[float]) -> list[Night]:
    """The chart of a series: after an alarm it begins anew.

    The limit is the EWMA's own deviation after so many nights times `WIDTH` (Lucas and Saccucci
    1990, equation 3).

    Raises:
        ValueError: see `z_scores`.
    """
    charted: list[Night] = []
    smoothed, count = 0.0, 0
    for z in z_scores(card, nights).tolist():
        smoothed, count = WEIGHT * z + (1 - WEIGHT) * smoothed, count + 1
        spread = WEIGHT / (2 - WEIGHT) * (1 - (1 - WEIGHT) ** (2 * count))
        charted.append(Night(z=z, smoothed=smoothed, limit=WIDTH * spread**0.5))
        if charted[-1].is_alarm:
            smoothed, count = 0.0, 0
    return charted
