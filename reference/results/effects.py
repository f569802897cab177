"""Whether the settings of a sweep differ by more than seeds do, and which way.

A sweep is a designed experiment: the seeds that all settings share are blocks, and settings that
are numbers have an order. Both are used, since a test that ignores them sees far less: nine
learning rates whose means rise one after the other differ "by no more than seeds do" in a plain
analysis of variance. What is tested are settings with two runs or more; a run that collapsed is
counted as such and averaged with nothing.

- With shared seeds: analysis of variance with seeds as blocks (Fisher 1935), and Friedman's test by
  ranks (1937). Where the settings are numbers, also the part of it that a line on their order
  takes, held against the same error, and Page's test by ranks (1963).
- Without: Welch's analysis of variance, which allows unequal variances (1951), and Kruskal and
  Wallis's test by ranks (1952).

Where Bartlett's test (1937) finds unequal variances, Welch's stands in for that with blocks, and
about an order the ranks alone decide.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reference.results.spread import ALPHA, degrees_of_freedom, pooled_sd, range_quantile

POWER = 0.8
CERTAIN = 0.01  # of four runs, two a setting, ranks alone never give a p below .1
FEWEST_REPEATS = 2


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One line of a sweep: its name, a value for each seed that trained, and how many did not."""

    name: str
    runs: Mapping[int, float]
    collapsed: int = 0

    @property
    def values(self) -> list[float]:
        """The values, in the order of seeds."""
        return [self.runs[seed] for seed in sorted(self.runs)]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return statistics.fmean(self.runs.values())

    @property
    def number(self) -> float | None:
        """The number that its name is; None for a word."""
        try:
            return float(self.name)
        except ValueError:
            return None


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A test and its two-sided p-value; `sign`: which way the values go, 0 where it asks not."""

    name: str
    p_value: float
    sign: int = 0


@dataclass(frozen=True, kw_only=True)
class Effect:
    """How the settings of one sweep differ, against how seeds of one setting do.

    Attributes:
        compared: names of the settings with two runs or more. alone: of those with one, which no
            test can use. collapsed: (name, how many runs did not train) of those that had any.
        fewest: runs that any compared setting has. seeds: shared by all of them. best: the one with
            the highest mean. spread: that less the lowest.
        run_sd: of one run about the mean of its setting, over all compared. unequal: whether that
            differs between settings.
        overall, trend: each by values and by ranks; None where there was nothing to test.
        detectable: the difference of two settings that would have been seen in 80% of such sweeps
            at level .05: (t.975 + t.8)·sd·√(2/n), with the sd left after settings and seeds.
    """

    compared: tuple[str, ...]
    alone: tuple[str, ...]
    collapsed: tuple[tuple[str, int], ...]
    fewest: int
    seeds: int
    best: str
    spread: float
    run_sd: float | None
    unequal: bool
    overall: tuple[Tested, Tested] | None
    trend: tuple[Tested, Tested] | None
    detectable: float | None

    @property
    def differ(self) -> bool:
        """Whether the settings differ by more than seeds do."""
        return self.overall is not None and _both(*self.overall)

    @property
    def direction(self) -> int:
        """1 where higher settings have higher values, −1 where lower ones have; 0: no trend."""
        if self.trend is None:
            return 0
        values, ranks = self.trend
        found = ranks.p_value < ALPHA if self.unequal else _both(values, ranks)
        return values.sign if found and values.sign == ranks.sign else 0


def effect_of(settings: Sequence[Setting]) -> Effect:
    """Compare the settings of a sweep.

    Raises:
        ValueError: fewer than two settings.
    """
    if len(settings) < 2:
        raise ValueError("a comparison needs two settings")
    compared = [each for each in settings if len(each.runs) >= FEWEST_REPEATS]
    fit = _Fit.of(compared)
    fewest = min((len(each.runs) for each in compared), default=0)
    return Effect(
        compared=tuple(each.name for each in compared),
        alone=tuple(each.name for each in settings if len(each.runs) == 1),
        collapsed=tuple((each.name, each.collapsed) for each in settings if each.collapsed),
        fewest=fewest,
        seeds=len(_shared(compared)),
        best=max(compared, key=lambda each: each.mean).name if compared else "",
        spread=_spread(compared),
        run_sd=pooled_sd([each.values for each in compared]),
        unequal=_unequal(compared),
        overall=_overall(compared, fit) if fit else None,
        trend=_trend(compared, fit) if fit else None,
        detectable=_detectable(fit, fewest) if fit else None,
    )


def range_limit(groups: Sequence[Sequence[float]], figures: int, runs: int = 1) -> float | None:
    """What the range of so many figures of *one* setting stays below in 95% of cases.

    Each figure is the mean of `runs`. Tukey's studentised range times the SD of one run, by √runs;
    None without repeats.
    """
    pooled = pooled_sd(groups)
    if not pooled:
        return None
    return range_quantile(figures, degrees_of_freedom(groups)) * pooled / math.sqrt(runs)


def _spread(compared: Sequence[Setting]) -> float:
    means = [each.mean for each in compared]
    return max(means) - min(means) if means else 0.0


def _shared(compared: Sequence[Setting]) -> list[int]:
    """Seeds that every setting was run with; none where they are too few to be blocks."""
    if len(compared) < 2:
        return []
    common = set.intersection(*(set(each.runs) for each in compared))
    return sorted(common) if len(common) >= FEWEST_REPEATS else []


def _unequal(compared: Sequence[Setting]) -> bool:
    groups = [each.values for each in compared]
    if len(groups) < 2 or min(np.ptp(group) for group in groups) == 0:
        return False
    return bool(stats.bartlett(*groups).pvalue < ALPHA)


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """Least squares of all runs on settings, and on seeds where they are blocks.

    `settings_p`, `line_p`: of the F test that all settings, or a line on their order, explain no
    more than chance. `sd`: of what is left of one run, with so many degrees of freedom.
    """

    settings_p: float
    line_p: float
    slope: float
    sd: float
    freedom: int

    @classmethod
    def of(cls, compared: Sequence[Setting]) -> _Fit | None:
        """None where there is nothing to compare, or nothing scatters."""
        rows = [
            (place, seed, value)
            for place, each in enumerate(sorted(compared, key=lambda each: each.number or 0.0))
            for seed, value in sorted(each.runs.items())
        ]
        if len(compared) < 2:
            return None
        places, seeds, values = (np.array(column) for column in zip(*rows, strict=True))
        blocks = _levels(seeds) if _shared(compared) else np.ones((len(rows), 1))
        without, _, _ = _least_squares(blocks, values)
        line, slope, _ = _least_squares(np.column_stack([places, blocks]), values)
        full, _, rank = _least_squares(np.column_stack([_levels(places), blocks]), values)
        freedom = len(values) - rank
        if not freedom or full < 1e-18:
            return None
        error, extra = full / freedom, rank - blocks.shape[1]
        return cls(
            settings_p=float(stats.f.sf((without - full) / extra / error, extra, freedom)),
            line_p=float(stats.f.sf((without - line) / error, 1, freedom)),
            slope=slope,
            sd=math.sqrt(error),
            freedom=freedom,
        )


def _levels(column: NDArray[Any]) -> NDArray[np.float64]:
    """A column of 0 and 1 for each value."""
    levels: NDArray[np.float64] = (column[:, None] == np.unique(column)).astype(np.float64)
    return levels


def _least_squares(
    design: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[float, float, int]:
    """The sum of squares that is left, the first coefficient, and the rank."""
    solved, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    left = values - design @ solved
    return float(left @ left), float(solved[0]), int(rank)


def _overall(compared: Sequence[Setting], fit: _Fit) -> tuple[Tested, Tested]:
    groups = [each.values for each in compared]
    seeds = _shared(compared)
    blocked = Tested(name="analysis of variance with seeds as blocks", p_value=fit.settings_p)
    first = blocked if seeds and not _unequal(compared) else _welch(groups)
    if not seeds:
        p_value = float(stats.kruskal(*groups).pvalue)
        return first, Tested(name="Kruskal–Wallis", p_value=p_value)
    return first, _friedman(_table(compared, seeds))


def _trend(compared: Sequence[Setting], fit: _Fit) -> tuple[Tested, Tested] | None:
    """By a line and by Page's test, of three settings or more that are numbers."""
    seeds = _shared(compared)
    if not seeds or len(compared) < 3 or any(each.number is None for each in compared):
        return None
    table = _table(sorted(compared, key=lambda each: each.number or 0.0), seeds)
    up, down = (float(stats.page_trend_test(each).pvalue) for each in (table, table[:, ::-1]))
    return (
        Tested(name="a line on their order", p_value=fit.line_p, sign=_sign(fit.slope)),
        Tested(name="Page's test", p_value=min(1.0, 2 * min(up, down)), sign=_sign(down - up)),
    )


def _table(compared: Sequence[Setting], seeds: Sequence[int]) -> NDArray[np.float64]:
    """Values, a row a seed and a column a setting."""
    return np.array([[each.runs[seed] for each in compared] for seed in seeds])


def _friedman(table: NDArray[np.float64]) -> Tested:
    """Friedman's test; of two settings it is the sign test, which has no other name there.

    By the exact distribution where there are up to 20,000 arrangements of the seeds' ranks, else by
    Iman and Davenport's approximation (1980).
    """
    seeds, settings = table.shape
    ranks = np.array([stats.rankdata(row) for row in table])
    seen = float(((ranks.sum(axis=0) - seeds * (settings + 1) / 2) ** 2).sum())
    if math.factorial(settings) ** (seeds - 1) <= 20_000:
        rest = itertools.product(*(list(itertools.permutations(row)) for row in ranks[1:]))
        sums = np.array([ranks[0] + np.sum(rows, axis=0) for rows in rest])
        statistic = ((sums - seeds * (settings + 1) / 2) ** 2).sum(axis=1)
        return Tested(name="Friedman's test", p_value=float((statistic >= seen - 1e-9).mean()))
    chi = 12 * seen / (seeds * settings * (settings + 1))
    most = seeds * (settings - 1)
    ratio = (seeds - 1) * chi / (most - chi) if chi < most else math.inf
    freedom = (settings - 1, (settings - 1) * (seeds - 1))
    return Tested(name="Friedman's test", p_value=float(stats.f.sf(ratio, *freedom)))


def _welch(every: Sequence[Sequence[float]]) -> Tested:
    """Welch's analysis of variance (1951, equation 20); equal runs of a setting have no part."""
    groups = [group for group in every if np.ptp(group) > 0]
    name = "Welch's analysis of variance"
    if len(groups) < 2:
        return Tested(name=name, p_value=1.0)
    counts = np.array([len(group) for group in groups])
    means = np.array([np.mean(group) for group in groups])
    weights = counts / np.array([np.var(group, ddof=1) for group in groups])
    total = weights.sum()
    between = float((weights * (means - (weights * means).sum() / total) ** 2).sum())
    off = float((((1 - weights / total) ** 2) / (counts - 1)).sum())
    k = len(groups)
    ratio = between / (k - 1) / (1 + 2 * (k - 2) / (k**2 - 1) * off)
    return Tested(name=name, p_value=float(stats.f.sf(ratio, k - 1, (k**2 - 1) / (3 * off))))


def _detectable(fit: _Fit, runs: int) -> float:
    both = stats.t.ppf(1 - ALPHA / 2, fit.freedom) + stats.t.ppf(POWER, fit.freedom)
    return float(both) * fit.sd * math.sqrt(2 / runs)


def _both(values: Tested, ranks: Tested) -> bool:
    """Whether two tests agree, or the ranks have too few seeds to say what the other is sure of."""
    return values.p_value < ALPHA and (ranks.p_value < ALPHA or values.p_value < CERTAIN)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
