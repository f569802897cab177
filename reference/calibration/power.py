"""How surely a test set tells two predictors apart, and how many images would: exactly.

Pure. The board calls two submissions different by the exact McNemar test (grader's significance),
which looks at the images that only one of them gets right. Its power has a closed form once the
shares of such images are known; here they are estimated from runs of the two baselines.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

ALPHA = 0.05
WANTED = 0.8
MOST = 1_000_000
_TAIL = 1e-12


def power(images: int, only_better: float, only_worse: float, *, alpha: float = ALPHA) -> float:
    """The chance that the exact two-sided McNemar test finds the better one to be better.

    `only_better` and `only_worse` are the shares of images that only that one gets right. Of n
    images M ~ Bin(n, their sum) are such, and of those Bin(M, only_worse / sum) are the worse
    one's; the test rejects where these are at most the critical count of M throws of a fair coin.
    Summed over M and not approximated (Duffy 1984, Biometrics 40: 1005-1015, "exact power"); what
    is left out of the sum weighs less than 1e-11.

    >>> round(power(1000, 0.06, 0.04), 3), round(power(4000, 0.06, 0.04), 3)
    (0.479, 0.978)

    Raises:
        ValueError: shares that are negative or add up to more than 1, or no images.
    """
    differing = only_better + only_worse
    if images < 1 or min(only_better, only_worse) < 0 or differing > 1 + 1e-12:
        raise ValueError("there must be images, and shares from 0 to 1 together")
    if differing == 0:
        return 0.0
    differing = min(1.0, differing)
    low, high = stats.binom.ppf([_TAIL, 1 - _TAIL], images, differing)
    counts = np.arange(max(0, int(low)), int(high) + 1)
    weights = stats.binom.pmf(counts, images, differing)
    found = stats.binom.cdf(_critical(counts, alpha), counts, only_worse / differing)
    return float(np.clip((weights * found).sum(), 0.0, 1.0))


def images_needed(
    only_better: float, only_worse: float, *, wanted: float = WANTED, alpha: float = ALPHA
) -> int | None:
    """The fewest images, to two digits and rounded up, whose power is `wanted`.

    None where the one is not better, or a million images would not do.

    >>> images_needed(0.06, 0.04), images_needed(0.05, 0.05)
    (2100, None)

    Raises:
        ValueError: see `power`.
    """
    if only_better <= only_worse or power(MOST, only_better, only_worse, alpha=alpha) < wanted:
        return None
    low, high = 0, MOST  # too few, and enough
    while high - low > max(1, low // 200):
        middle = (low + high) // 2
        enough = power(middle, only_better, only_worse, alpha=alpha) >= wanted
        low, high = (low, middle) if enough else (middle, high)
    digit = int(10 ** max(0, int(math.log10(high)) - 1))
    return math.ceil(high / digit) * digit


def _critical(counts: NDArray[np.int64], alpha: float) -> NDArray[np.float64]:
    """The most of so many throws that a fair coin shows in at most alpha / 2 of cases; −1: none."""
    most = stats.binom.ppf(alpha / 2, counts, 0.5)
    too_many = stats.binom.cdf(most, counts, 0.5) > alpha / 2
    return np.asarray(most - too_many, dtype=np.float64)
