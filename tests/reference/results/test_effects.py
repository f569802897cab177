"""Whether settings differ: held against SciPy, statsmodels' formulas by hand, and many draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reference.results import cards
from reference.results.effects import Setting, effect_of, range_limit


def sweep(table: np.ndarray, names: list[str] | None = None) -> list[Setting]:
    """Settings of a table of values, a row a seed."""
    names = names or [str(place) for place in range(table.shape[1])]
    return [
        Setting(name=name, runs=dict(enumerate(table[:, place].tolist())))
        for place, name in enumerate(names)
    ]


def drawn(seed: int, *, seeds: int, settings: int, slope: float = 0.0) -> np.ndarray:
    """Values with a level for each seed, which is larger than the noise."""
    generator = np.random.default_rng(seed)
    levels = generator.normal(0, 0.02, (seeds, 1))
    noise = generator.normal(0, 0.005, (seeds, settings))
    return 0.8 + levels + noise + slope * np.arange(settings)


WORDS = ["sgd", "adam", "rmsprop", "muon"]


def test_the_rates_of_a_report_do_differ_as_a_trend():
    """What a plain analysis of variance could not see: p = .56 on the same runs."""
    effect = cards.read("lenet5_lr_as_reported").effect
    entries = cards.read("lenet5_lr_as_reported").entries
    means = [entry.scores["test_accuracy"].mean for entry in entries]

    assert effect is not None
    assert effect.trend is not None
    assert stats.f_oneway(*(entry.values for entry in entries)).pvalue > 0.5
    assert stats.spearmanr(range(9), means).statistic == pytest.approx(0.983, abs=0.001)
    assert (effect.direction, effect.best, effect.seeds) == (1, "1.7", 2)
    assert effect.trend[0].p_value < 0.005
    assert effect.trend[1].p_value < 0.001


def test_a_sweep_with_groups_of_one_claims_nothing_from_them():
    effect = cards.read("lenet_family").effect

    assert effect is not None
    assert (effect.alone, effect.overall, effect.differ) == (("lenet1", "lenet4"), None, False)


def test_blocks_are_a_two_way_analysis_of_variance():
    table = drawn(1, seeds=3, settings=4, slope=0.002)
    effect = effect_of(sweep(table, WORDS))

    left = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    between = 3 * ((table.mean(0) - table.mean()) ** 2).sum() / 3
    expected = stats.f.sf(between / ((left**2).sum() / 6), 3, 6)
    assert effect.overall is not None
    assert effect.overall[0].p_value == pytest.approx(expected)
    sd = np.sqrt((left**2).sum() / 6)
    seen = (stats.t.ppf(0.975, 6) + stats.t.ppf(0.8, 6)) * sd * np.sqrt(2 / 3)
    assert effect.detectable == pytest.approx(seen)


def test_two_settings_with_shared_seeds_are_a_paired_t_test():
    table = drawn(2, seeds=6, settings=2, slope=0.01)
    effect = effect_of(sweep(table, WORDS[:2]))

    assert effect.overall is not None
    expected = stats.ttest_rel(table[:, 0], table[:, 1]).pvalue
    assert effect.overall[0].p_value == pytest.approx(expected)


def test_two_settings_without_shared_seeds_are_welchs_t_test():
    first, second = drawn(3, seeds=5, settings=2, slope=0.01).T.tolist()
    settings = [
        Setting(name="a", runs=dict(enumerate(first))),
        Setting(name="b", runs=dict(enumerate(second, start=10))),
    ]
    effect = effect_of(settings)

    assert effect.overall is not None
    assert effect.seeds == 0
    expected = stats.ttest_ind(first, second, equal_var=False).pvalue
    assert effect.overall[0].p_value == pytest.approx(expected)
    assert effect.overall[1].p_value == pytest.approx(stats.kruskal(first, second).pvalue)


def test_friedmans_test_is_exact_where_it_can_be():
    """Three seeds that all order three settings alike: 1 of 36 arrangements each way, by 3!."""
    table = np.array([[1, 2, 3], [1.1, 2.3, 3.2], [0.9, 2.1, 3.3]])
    effect = effect_of(sweep(table, WORDS[:3]))

    assert effect.overall is not None
    assert effect.overall[1].p_value == pytest.approx(1 / 36)


@pytest.mark.parametrize("names", [None, WORDS])
def test_settings_that_are_alike_are_called_alike_in_19_of_20_sweeps(names: list[str] | None):
    told = [effect_of(sweep(drawn(n, seeds=3, settings=4), names)) for n in range(400)]

    claims = sum(each.differ or each.direction != 0 for each in told) / 400
    single = sum(each.overall[0].p_value < 0.05 for each in told if each.overall) / 400
    assert single == pytest.approx(0.05, abs=0.03)
    assert claims <= 0.08  # either of two claims may be made where settings are numbers


def test_a_difference_that_would_have_been_seen_is_seen_in_four_of_five_sweeps():
    sd, limit = 0.005, effect_of(sweep(drawn(0, seeds=5, settings=2), WORDS[:2])).detectable
    assert limit is not None
    true = (stats.t.ppf(0.975, 4) + stats.t.ppf(0.8, 4)) * sd * np.sqrt(2 / 5)
    found = 0
    for number in range(400):
        table = drawn(number, seeds=5, settings=2)
        table[:, 1] += true
        found += stats.ttest_rel(table[:, 0], table[:, 1]).pvalue < 0.05
    assert found / 400 == pytest.approx(0.8, abs=0.05)


def test_where_settings_scatter_unequally_no_equal_scatter_is_assumed():
    generator = np.random.default_rng(4)
    table = np.stack([generator.normal(0.8, sd, 6) for sd in (0.0005, 0.03, 0.03)], axis=1)
    effect = effect_of(sweep(table, WORDS[:3]))

    assert effect.unequal
    assert effect.overall is not None
    assert effect.overall[0].name == "Welch's analysis of variance"


def test_collapses_are_told_and_of_runs_without_scatter_nothing_is():
    settings = [
        Setting(name="a", runs={0: 0.8, 1: 0.8}),
        Setting(name="b", runs={0: 0.9, 1: 0.9}, collapsed=3),
    ]
    effect = effect_of(settings)

    assert effect.collapsed == (("b", 3),)
    assert (effect.overall, effect.detectable, effect.differ) == (None, None, False)
    with pytest.raises(ValueError, match="two settings"):
        effect_of(settings[:1])


def test_the_range_of_figures_of_one_setting_is_within_its_limit_in_19_of_20_tables():
    generator = np.random.default_rng(0)
    sweeps = generator.normal(0.8, 0.02, (300, 9, 2)).tolist()
    single = generator.normal(0.8, 0.02, (300, 9))
    means = generator.normal(0.8, 0.02, (300, 3, 10)).mean(axis=2)

    beyond = [
        np.ptp(row) > (range_limit(groups, 9) or 0)
        for row, groups in zip(single, sweeps, strict=True)
    ]
    of_means = [range_limit(groups, 3, runs=10) or 0 for groups in sweeps]
    assert np.mean(beyond) == pytest.approx(0.05, abs=0.035)
    assert np.mean(np.ptp(means, axis=1) > of_means) == pytest.approx(0.05, abs=0.035)
    assert range_limit([[0.8], [0.9]], 2) is None


def test_every_shipped_verdict_comes_from_runs():
    effects = [effect for name in cards.names() if (effect := cards.read(name).effect)]

    assert len(effects) >= 9
    assert all(each.fewest >= 2 or not each.compared for each in effects)
