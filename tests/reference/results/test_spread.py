"""What values over seeds say, held against SciPy and against many draws."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from scipy import stats

from reference.results import card_page
from reference.results.spread import (
    Summary,
    difference_limit,
    pooled_sd,
    rank_correlation,
    summarise,
)


def test_interval_of_the_mean_is_students():
    values = [0.80, 0.82, 0.79, 0.81, 0.83]

    summary = summarise(values)

    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert (summary.low, summary.high) == pytest.approx(expected)
    assert summarise([0.8]) == Summary(n=1, mean=0.8, sd=None, low=None, high=None)


def test_interval_of_a_share_ends_at_one_and_that_of_a_loss_does_not():
    summary = summarise([0.40, 0.95])

    assert str(summary).endswith("mean .0000–1.0000)")
    assert card_page.score_text("test_accuracy", summary) == str(summary)
    assert card_page.score_text("train_loss", summary).endswith("mean .0000–4.1692)")


@pytest.mark.parametrize("runs", [1, 10])
def test_interval_for_further_runs_holds_for_19_in_20(runs: int):
    generator = np.random.default_rng(0)
    draws = generator.normal(0.8, 0.02, (2_000, 3 + runs))
    inside = 0
    for seeds in draws.tolist():
        summary = summarise(seeds[:3])
        low, high = summary.further(summary.sd or 0.0, 2, runs=runs)
        inside += low <= statistics.fmean(seeds[3:]) <= high

    assert inside / 2_000 == pytest.approx(0.95, abs=0.02)


def test_limit_of_a_difference_is_held_by_19_in_20_means_of_ten():
    generator = np.random.default_rng(0)
    means = generator.normal(0.8, 0.02, (2_000, 2, 10)).mean(axis=2)
    limits = [
        difference_limit(pooled_sd(seeds) or 0.0, 4, runs=10)
        for seeds in generator.normal(0.8, 0.02, (2_000, 4, 2)).tolist()
    ]

    held = np.abs(np.diff(means, axis=1)[:, 0]) <= limits
    assert held.mean() == pytest.approx(0.95, abs=0.02)


def test_order_of_settings_is_compared_by_ranks():
    generator = np.random.default_rng(0)
    first = generator.normal(size=9).tolist()
    second = generator.normal(size=9).tolist()

    rho, p = rank_correlation(first, second)

    ours = np.corrcoef(stats.rankdata(first), stats.rankdata(second))[0, 1]
    assert rho == pytest.approx(ours)
    assert p == pytest.approx(stats.spearmanr(first, second).pvalue)
    # four things have 24 orders, and only two of them are as alike as can be, or as unlike
    assert rank_correlation([1, 2, 3, 4], [5, 6, 8, 9]) == (pytest.approx(1.0), 2 / 24)
