"""How sure a score is: intervals, paired tests, and who can't be told apart from whom.

Pure: no files, no clock, no randomness without a given seed; NumPy and the standard library only.

What the figures mean. An interval covers the score that the same predictor would reach on other
images of the same kind. A paired test asks whether two predictors that answered the *same* images
differ in their share of right answers by more than chance. Neither corrects for the times that a
team looked at the public board before; the Ladder (`ladder` beside this) is the defence
against that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from grader.metric_list import METRICS
from grader.scoring.formulas import OF_COUNTS, Counts

CONFIDENCE = 0.95
ALPHA = 0.05
RESAMPLES = 1000
LARGE_CLASS = 1000
"""Images and predictions of each class from which the bootstrap's limit stands in for it …"""
MANY_CELLS = 5000
"""… where so many cells of the confusion matrix are filled that its draws take half a second."""
SHARES = tuple(name for name, metric in METRICS.items() if metric.interval == "wilson")
BOOTSTRAPPED = tuple(name for name, metric in METRICS.items() if metric.interval == "bootstrap")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A two-sided interval of a score, as fractions."""

    low: float
    high: float

    def as_list(self) -> list[float]:
        """Give the JSON form, `[low, high]`."""
        return [self.low, self.high]

    def overlaps(self, other: Interval) -> bool:
        """Tell whether the two have a point in common."""
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """Two predictors on the same images: the images that only one got right, and what follows."""

    only_first: int
    only_second: int
    p_value: float


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What the board can say of the entry at `index` (0 = first) against the entries above it.

    `not_told_apart` are the indexes above that the data can't tell from it, best first;
    `best_rank` (from 1) is the highest rank that the entry may deserve as far as they can say.
    """

    index: int
    not_told_apart: tuple[int, ...]
    best_rank: int


def wilson_interval(right: int, total: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Give the score interval of Wilson (1927) for `right` right answers out of `total`.

    >>> interval = wilson_interval(614, 1041)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.56, 0.619)

    Raises:
        ValueError: unless 0 <= right <= total and total > 0.
    """
    if not 0 <= right <= total or total == 0:
        raise ValueError(f"{right} of {total} is not a share")
    z = normal_quantile(0.5 + confidence / 2)
    share = right / total
    shrink = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return Interval(
        low=0.0 if right == 0 else centre - half, high=1.0 if right == total else centre + half
    )


def score_intervals(
    confusion: NDArray[np.int64], *, seed: bytes, confidence: float = CONFIDENCE
) -> Mapping[str, Interval]:
    """Give the intervals of every metric that a confusion matrix determines.

    Shares of the images by Wilson, the others by `bootstrap_intervals`, or, with
    thousands of images in each of very many classes, by `large_sample_intervals`.
    """
    others = (
        large_sample_intervals(confusion, confidence=confidence)
        if _is_large(confusion)
        else bootstrap_intervals(confusion, seed=seed, confidence=confidence)
    )
    return {**share_intervals(confusion, confidence=confidence), **others}


def share_intervals(
    confusion: NDArray[np.int64], *, confidence: float = CONFIDENCE
) -> Mapping[str, Interval]:
    """Give the intervals of the metrics that are shares of all images, which need no draws."""
    total = int(confusion.sum())
    right = {name: round(float(OF_COUNTS[name](Counts.of(confusion))) * total) for name in SHARES}
    return {
        name: wilson_interval(count, total, confidence=confidence) for name, count in right.items()
    }


def bootstrap_intervals(
    confusion: NDArray[np.int64],
    *,
    seed: bytes,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> Mapping[str, Interval]:
    """Give percentile bootstrap intervals of the metrics of a (K, K) confusion matrix.

    Rows of `confusion` are true classes. Each resample draws every row anew from a multinomial
    with that row's own total and shares. This is the bootstrap over images, stratified by class:
    the class counts of a test set are set when it is made, and a bootstrap that lets them vary
    would lose a class of 3 images in 5 % of its resamples and call its recall 0. `seed` (a
    submission's content hash) makes the result repeatable.

    Returns: the metrics whose entry in `grader.metric_list` asks for it.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), sections 8.3 and 13.3.
    """
    drawn = _resampled_counts(confusion, seed=seed, resamples=resamples)
    tail = (1 - confidence) / 2
    intervals = {}
    for name in BOOTSTRAPPED:
        low, high = np.quantile(OF_COUNTS[name](drawn), [tail, 1 - tail])
        intervals[name] = Interval(low=float(low), high=float(high))
    return intervals


def large_sample_intervals(
    confusion: NDArray[np.int64], *, confidence: float = CONFIDENCE
) -> Mapping[str, Interval]:
    """Give what `bootstrap_intervals` tends to as classes grow: score ± z standard deviations.

    The deviation is that of the metric's linear part (the delta method), under the same
    multinomial rows. Its ends lie within the noise of a bootstrap of 1,000 draws where every class
    has a thousand images and predictions.

    Source: van der Vaart, Asymptotic Statistics (1998), chapter 3.
    """
    z = normal_quantile(0.5 + confidence / 2)
    counts = Counts.of(confusion)
    slopes = _slopes(counts)
    intervals = {}
    for name in BOOTSTRAPPED:
        value, half = float(OF_COUNTS[name](counts)), z * _deviation(confusion, slopes[name])
        low = max(METRICS[name].lowest, value - half)
        intervals[name] = Interval(low=low, high=min(1.0, value + half))
    return intervals


def compare(
    first: NDArray[np.int64], second: NDArray[np.int64], labels: NDArray[np.int64]
) -> PairedTest:
    """Test whether two predictions of the same images differ: exact McNemar.

    All three are (N,) class indexes in the same order of images.

    Source: McNemar, Psychometrika 12 (1947); the exact binomial form.
    """
    first_right, second_right = first == labels, second == labels
    only_first = int(np.count_nonzero(first_right & ~second_right))
    only_second = int(np.count_nonzero(second_right & ~first_right))
    return PairedTest(
        only_first=only_first,
        only_second=only_second,
        p_value=mcnemar_p_value(only_first, only_second),
    )


@lru_cache(maxsize=1 << 16)
def mcnemar_p_value(only_first: int, only_second: int) -> float:
    """Give the two-sided exact McNemar p from the counts of images that only one got right.

    It is the chance that a fair coin, thrown once for each such image, falls at least as unevenly.

    >>> mcnemar_p_value(6, 16)
    0.0524787902832...
    """
    fewer, total = min(only_first, only_second), only_first + only_second
    return min(1.0, 2 * _fair_coin_cdf(fewer, total))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Give Holm's (1979) adjusted p-values, in the order given.

    Rejecting where the adjusted value is <= alpha keeps the chance of any wrong rejection among
    them at alpha or below, whatever the dependence between the tests.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    adjusted = [0.0] * len(p_values)
    floor = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = floor
    return tuple(adjusted)


def indistinguishable_groups(
    right: NDArray[np.bool_], *, alpha: float = ALPHA
) -> tuple[Standing, ...]:
    """Tell for each entry of a board from which entries above it the data can't tell it apart.

    `right` is (T, N): row t says which of the N common images the t-th entry, in ranking order,
    got right.

    The rule. Each entry is compared with every entry above it by the exact McNemar test; its
    p-values are adjusted by Holm; it is told apart from those with an adjusted p <= `alpha`. So
    for each entry, the chance that it is wrongly said to be worse than any of those above it is
    at most `alpha`. The family is one entry's comparisons, since that is the claim a row of the
    board makes; a family of all pairs would, on a board of hundreds, tell nobody apart.
    """
    standings = []
    for index in range(len(right)):
        same = not_told_apart(right[index], right[:index], alpha=alpha)
        best = min((*same, index)) + 1
        standings.append(Standing(index=index, not_told_apart=same, best_rank=best))
    return tuple(standings)


def not_told_apart(
    right: NDArray[np.bool_], others: NDArray[np.bool_], *, alpha: float = ALPHA
) -> tuple[int, ...]:
    """Give the indexes of `others` from which an entry can't be told apart, by the rule above.

    `right` (N,) and `others` (T, N) say which images the entry and the others got right.
    """
    both = others @ right.astype(np.float32)  # exact: whole numbers below 2**24
    only_others = (others.sum(axis=1) - both).astype(np.int64)
    only_this = (right.sum() - both).astype(np.int64)
    # Hoeffding bounds p from above by 2 exp(-d²/2n). What is below alpha/T by that bound is
    # rejected by Holm whatever the rest is, so that its exact p is not needed.
    differing = np.maximum(only_others + only_this, 1)
    bounds = 2 * np.exp(-((only_others - only_this) ** 2) / (2 * differing))
    clear = bounds * len(others) <= alpha
    p_values = [
        bound if is_clear else mcnemar_p_value(first, second)
        for bound, is_clear, first, second in zip(
            bounds.tolist(), clear.tolist(), only_others.tolist(), only_this.tolist(), strict=True
        )
    ]
    return tuple(index for index, p_value in enumerate(holm(p_values)) if p_value > alpha)


def difference_z(right: int, total: int, other_right: int, other_total: int) -> float:
    """Give the z of the difference of two shares measured on different images (unpooled variance).

    >>> round(difference_z(1353, 1500, 3113, 3500), 2)
    1.35
    """
    share, other = right / total, other_right / other_total
    variance = share * (1 - share) / total + other * (1 - other) / other_total
    if variance == 0:
        return 0.0 if share == other else math.copysign(math.inf, share - other)
    return (share - other) / math.sqrt(variance)


def normal_quantile(probability: float) -> float:
    """Give the standard normal's quantile."""
    return NormalDist().inv_cdf(probability)


def _is_large(confusion: NDArray[np.int64]) -> bool:
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    least = min(support[support > 0].min(initial=LARGE_CLASS), predicted.min())
    return bool(least >= LARGE_CLASS and np.count_nonzero(confusion) >= MANY_CELLS)


def _slopes(counts: Counts) -> Mapping[str, NDArray[np.float64]]:
    """Give how much one image more in a cell raises each metric: float64 (K, K).

    It is read off half an image to each side: of classes of a thousand, exact to seven digits. The
    rows' own totals stay as they are: a test set's class counts are set when it is made.
    """
    half = np.eye(len(counts.support)) / 2
    fewer_right, more_right = (replace(counts, right=counts.right + h) for h in (-half, half))
    fewer, more = (replace(counts, predicted=counts.predicted + h) for h in (-half, half))
    slopes = {}
    for name in BOOTSTRAPPED:
        formula = OF_COUNTS[name]
        of_right = np.diag(formula(more_right) - formula(fewer_right))
        slopes[name] = of_right + (formula(more) - formula(fewer))
    return slopes


def _deviation(confusion: NDArray[np.int64], slope: NDArray[np.float64]) -> float:
    """Give the standard deviation of Σ slope × cell where each row of cells is multinomial."""
    images = np.maximum(confusion.sum(axis=1), 1)
    mean = (confusion * slope).sum(axis=1) / images
    square = (confusion * slope**2).sum(axis=1) / images
    return math.sqrt(float((images * (square - mean**2)).sum()))


def _resampled_counts(confusion: NDArray[np.int64], *, seed: bytes, resamples: int) -> Counts:
    """Draw right answers and predictions for each class, both (resamples, K)."""
    rng = np.random.default_rng(np.random.SeedSequence(int.from_bytes(seed, "big")))
    right = np.zeros((resamples, len(confusion)), dtype=np.int64)
    predicted = np.zeros_like(right)
    for true_class, row in enumerate(confusion):
        columns = np.flatnonzero(row)
        if len(columns) == 0:
            continue
        total = row.sum()
        drawn = rng.multinomial(total, row[columns] / total, size=resamples)
        predicted[:, columns] += drawn
        right[:, true_class] = drawn[:, columns == true_class].sum(axis=1)
    return Counts(right=right, predicted=predicted, support=confusion.sum(axis=1))


def _fair_coin_cdf(heads: int, throws: int) -> float:
    """Give the chance of at most `heads` heads in `throws` throws of a fair coin.

    The mass at `heads` is exact to about 1e-14: base-2 logarithms of the binomial coefficient's
    factors, summed without rounding, against the exact power of two. The smaller masses follow
    from it by their ratios.
    """
    if heads >= throws:
        return 1.0
    steps = np.arange(1, heads + 1, dtype=np.float64)
    factors = np.log2((throws - heads + steps) / steps)
    mass = math.exp2(math.fsum([*factors.tolist(), -float(throws)]))
    ratios = np.cumprod((heads + 1 - steps) / (throws - heads + steps))
    return mass * (1.0 + math.fsum(ratios.tolist()))
