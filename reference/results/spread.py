"""What values over seeds say: mean, spread, and how far chance alone reaches.

Pure. Seeds are taken as independent draws from a normal distribution; with two to five of them the
intervals are wide, and rightly so.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from scipy import stats

CONFIDENCE = 0.95
ALPHA = 0.05
EXACT_ORDERS = 6


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Values over seeds.

    Attributes:
        sd: sample standard deviation (n − 1); None with one value. low, high: 95% interval of the
            mean by Student's t; None with one value.
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        """`.8031 ± .0065 (n = 5, mean .7950–.8112)`, as tables print a share."""
        return self.shown()

    def shown(self, highest: float = 1.0) -> str:
        """The same of a value from 0 to `highest`, which the interval does not leave."""
        if self.sd is None or self.low is None or self.high is None:
            return f"{share(self.mean)} (n = 1)"
        interval = f"{share(max(0.0, self.low))}–{share(min(highest, self.high))}"
        return f"{share(self.mean)} ± {share(self.sd)} (n = {self.n}, mean {interval})"

    def further(self, sd: float, freedom: int, *, runs: int = 1) -> tuple[float, float]:
        """Where the mean of so many further runs falls with 95%.

        `sd` is that of one run, known with so many degrees of freedom. mean ± t·sd·√(1/m + 1/n),
        the prediction interval (Hahn and Meeker 1991, section 4.7).
        """
        half = _t(freedom) * sd * math.sqrt(1 / runs + 1 / self.n)
        return self.mean - half, self.mean + half


def summarise(values: Sequence[float]) -> Summary:
    """Mean, SD and interval of the values of one setting.

    >>> str(summarise([0.80, 0.81, 0.79]))
    '.8000 ± .0100 (n = 3, mean .7752–.8248)'
    """
    n, mean = len(values), statistics.fmean(values)
    if n < 2:
        return Summary(n=n, mean=mean, sd=None, low=None, high=None)
    sd = statistics.stdev(values)
    half = _t(n - 1) * sd / math.sqrt(n)
    return Summary(n=n, mean=mean, sd=sd, low=mean - half, high=mean + half)


def pooled_sd(groups: Sequence[Sequence[float]]) -> float | None:
    """Standard deviation within groups, weighted by degrees of freedom; None without repeats.

    >>> round(pooled_sd([[0.8, 0.9], [0.5, 0.6]]), 4)
    0.0707
    """
    freedom = degrees_of_freedom(groups)
    if not freedom:
        return None
    squares = sum((len(group) - 1) * statistics.variance(group) for group in groups if group[1:])
    return math.sqrt(squares / freedom)


def degrees_of_freedom(groups: Sequence[Sequence[float]]) -> int:
    """Of `pooled_sd`: one less than the values of each group."""
    return sum(len(group) - 1 for group in groups)


def difference_limit(pooled: float, freedom: int, *, runs: int = 1) -> float:
    """What two means of so many runs each differ by at most, of one setting, in 95% of cases.

    t·sd·√(2/m), where `pooled` is the SD of one run.
    """
    return _t(freedom) * pooled * math.sqrt(2 / runs)


def share_difference_limit(first: float, second: float, images: int) -> float:
    """What two shares of so many images differ by at most in 95% of cases, if they are alike.

    z·√(p(1−p)/n + q(1−q)/n) (Wald): for predictions of the same images it is on the safe side.

    >>> round(share_difference_limit(0.59, 0.58, 1041), 3)
    0.042
    """
    variance = first * (1 - first) + second * (1 - second)
    return float(stats.norm.ppf(0.5 + CONFIDENCE / 2)) * math.sqrt(variance / images)


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """How alike two orders of the same things are, −1 to 1, and how often chance makes as much.

    Spearman 1904. The second is by all orders of up to six things, and by Student's t for more.

    >>> rank_correlation([0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8])[0]
    1.0
    """
    rho = float(stats.spearmanr(first, second).statistic)
    if len(first) > EXACT_ORDERS:
        return rho, float(stats.spearmanr(first, second).pvalue)
    orders = [
        float(stats.spearmanr(first, order).statistic) for order in itertools.permutations(second)
    ]
    return rho, sum(abs(each) >= abs(rho) - 1e-12 for each in orders) / len(orders)


def share(value: float) -> str:
    """Four decimals without the zero, as results are printed.

    >>> share(0.80312), share(1.0)
    ('.8031', '1.0000')
    """
    return f"{value:.4f}".removeprefix("0")


@lru_cache
def range_quantile(groups: int, freedom: int) -> float:
    """95% quantile of Tukey's studentised range, by integration: a quarter of a second."""
    return float(stats.studentized_range.ppf(CONFIDENCE, groups, freedom))


def _t(freedom: int) -> float:
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom))
