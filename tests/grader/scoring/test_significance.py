"""Intervals and tests equal SciPy and statsmodels; the board's groups follow the stated rule."""

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import precision_recall_fscore_support
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from grader.scoring.significance import (
    bootstrap_intervals,
    compare,
    difference_z,
    holm,
    indistinguishable_groups,
    large_sample_intervals,
    mcnemar_p_value,
    score_intervals,
    wilson_interval,
)

COUNTS = [(0, 1), (1, 1), (0, 50), (50, 50), (1, 10_000), (614, 1041), (8012, 10_000)]


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
@pytest.mark.parametrize(("right", "total"), COUNTS)
def test_wilson_interval_equals_statsmodels(right, total, confidence):
    interval = wilson_interval(right, total, confidence=confidence)
    expected = proportion_confint(right, total, alpha=1 - confidence, method="wilson")

    assert interval.as_list() == pytest.approx(expected, abs=1e-12)


def test_wilson_interval_equals_scipy():
    expected = scipy.stats.binomtest(614, 1041).proportion_ci(method="wilson")

    assert wilson_interval(614, 1041).as_list() == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize(("right", "total"), [(0, 0), (-1, 5), (6, 5)])
def test_a_count_that_is_no_share_is_refused(right, total):
    with pytest.raises(ValueError, match="not a share"):
        wilson_interval(right, total)


@pytest.mark.parametrize(
    ("only_first", "only_second"),
    [
        (0, 0),
        (0, 1),
        (1, 0),
        (5, 5),
        (6, 16),
        (0, 60),
        (130, 171),
        (4_800, 5_200),
        (40_000, 40_900),
    ],
)
def test_mcnemar_p_equals_statsmodels(only_first, only_second):
    table = [[100, only_first], [only_second, 100]]
    expected = mcnemar(table, exact=True).pvalue if only_first + only_second else 1.0

    assert mcnemar_p_value(only_first, only_second) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_mcnemar_p_equals_scipy_for_every_small_table():
    for total in range(1, 60):
        for fewer in range(total + 1):
            expected = scipy.stats.binomtest(fewer, total).pvalue
            assert mcnemar_p_value(fewer, total - fewer) == pytest.approx(expected, abs=1e-12)


def test_two_predictions_are_compared_image_by_image():
    labels = np.array([0, 1, 2, 0, 1, 2])
    first = np.array([0, 1, 2, 1, 1, 0])
    second = np.array([0, 0, 0, 0, 1, 0])

    test = compare(first, second, labels)

    assert (test.only_first, test.only_second, test.p_value) == (2, 1, 1.0)


def test_holm_equals_statsmodels():
    rng = np.random.default_rng(3)
    for count in (1, 2, 7, 40):
        p_values = rng.random(count) ** 3
        expected = multipletests(p_values, method="holm")[1]
        assert holm(p_values.tolist()) == pytest.approx(expected, abs=1e-15)


def test_difference_of_shares_on_two_splits_has_the_textbook_z():
    share, other = 1353 / 1500, 3113 / 3500
    error = (share * (1 - share) / 1500 + other * (1 - other) / 3500) ** 0.5

    assert difference_z(1353, 1500, 3113, 3500) == pytest.approx((share - other) / error, abs=1e-12)


def confusion_of_a_weak_model(support, *, hit_rate, seed):
    rng = np.random.default_rng(seed)
    confusion = np.zeros((len(support), len(support)), dtype=np.int64)
    for true_class, count in enumerate(support):
        guesses = rng.integers(len(support), size=count)
        guesses[rng.random(count) < hit_rate] = true_class
        confusion[true_class] = np.bincount(guesses, minlength=len(support))
    return confusion


def test_bootstrap_is_repeatable_and_depends_on_the_seed_only():
    confusion = confusion_of_a_weak_model([50, 40, 30], hit_rate=0.6, seed=1)

    first = bootstrap_intervals(confusion, seed=b"content hash")

    assert first == bootstrap_intervals(confusion, seed=b"content hash")
    assert first != bootstrap_intervals(confusion, seed=b"another hash")


def test_bootstrap_equals_a_slow_one_over_images_with_sklearn():
    support = [60, 45, 30, 12]
    confusion = confusion_of_a_weak_model(support, hit_rate=0.55, seed=2)
    labels = np.repeat(np.arange(4), support)
    predicted = np.concatenate([np.repeat(np.arange(4), row) for row in confusion])
    rng = np.random.default_rng(7)
    members = [np.flatnonzero(labels == each) for each in range(4)]
    slow = []
    for _ in range(1500):
        drawn = np.concatenate([rng.choice(each, len(each)) for each in members])
        scores = precision_recall_fscore_support(
            labels[drawn], predicted[drawn], labels=range(4), average="macro", zero_division=0
        )
        slow.append(scores[:3])
    expected = np.quantile(slow, [0.025, 0.975], axis=0).T

    fast = bootstrap_intervals(confusion, seed=b"s", resamples=20_000)

    names = ("macro_precision", "macro_recall", "macro_f1")
    for name, bounds in zip(names, expected, strict=True):
        # Two samplings of one distribution: the ends agree to the noise of 1,500 draws.
        assert fast[name].as_list() == pytest.approx(bounds, abs=0.012)


def test_bootstrap_covers_the_true_macro_recall_about_as_often_as_it_says():
    hits = 0
    for seed in range(200):
        confusion = confusion_of_a_weak_model([150] * 5, hit_rate=0.5, seed=seed)
        interval = bootstrap_intervals(confusion, seed=bytes([seed]), resamples=400)["macro_recall"]
        hits += interval.low <= 0.5 + 0.5 / 5 <= interval.high

    assert 180 <= hits <= 199


@pytest.mark.parametrize(("hit_rate", "seed"), [(0.6, 1), (0.9, 2)])
def test_of_large_classes_the_limit_of_the_bootstrap_is_given(hit_rate, seed):
    support = np.linspace(1100, 4000, 80).astype(int)
    confusion = confusion_of_a_weak_model(support, hit_rate=hit_rate, seed=seed)

    limit = score_intervals(confusion, seed=b"s")
    drawn = bootstrap_intervals(confusion, seed=b"s")

    assert limit == score_intervals(confusion, seed=b"another"), "nothing is drawn"
    for name, interval in drawn.items():
        half = (interval.high - interval.low) / 2
        # An end of a bootstrap of 1,000 draws has a standard deviation of 4 % of half its width.
        assert limit[name].low == pytest.approx(interval.low, abs=0.2 * half)
        assert limit[name].high == pytest.approx(interval.high, abs=0.2 * half)


@pytest.mark.parametrize(
    ("support", "hit_rate"),
    [([2000] * 10, 0.6), ([2000] * 79 + [900], 0.6), ([2000] * 80, 1.0)],
    ids=["few cells", "a small class", "hardly a mistake"],
)
def test_of_other_test_sets_intervals_are_drawn(support, hit_rate):
    confusion = confusion_of_a_weak_model(support, hit_rate=hit_rate, seed=3)

    drawn = bootstrap_intervals(confusion, seed=b"s")

    assert score_intervals(confusion, seed=b"s").items() >= drawn.items()


def test_a_class_without_images_counts_in_the_limit_as_in_the_draws():
    confusion = np.array([[3000, 1000, 0], [500, 2500, 0], [0, 0, 0]])

    limit, drawn = large_sample_intervals(confusion), bootstrap_intervals(confusion, seed=b"s")

    for name in drawn:
        assert limit[name].as_list() == pytest.approx(drawn[name].as_list(), abs=0.002)


def test_a_class_without_images_counts_as_zero_in_macro_but_not_in_balanced_accuracy():
    confusion = np.array([[30, 0, 0], [0, 30, 0], [0, 0, 0]])

    intervals = bootstrap_intervals(confusion, seed=b"s")

    assert intervals["macro_recall"].as_list() == pytest.approx([2 / 3, 2 / 3])
    assert intervals["balanced_accuracy"].as_list() == pytest.approx([1.0, 1.0])


def test_intervals_of_an_agreement_below_chance_reach_below_zero():
    confusion = np.array([[40, 60], [60, 40]])

    for drawn in (bootstrap_intervals(confusion, seed=b"s"), large_sample_intervals(confusion)):
        for name in ("cohen_kappa", "matthews_corrcoef"):
            assert -1 <= drawn[name].low < -0.2 < drawn[name].high < 0


def test_a_thousand_classes_take_a_moment():
    confusion = confusion_of_a_weak_model([10] * 1000, hit_rate=0.7, seed=4)

    interval = bootstrap_intervals(confusion, seed=b"s")["macro_f1"]

    assert 0.6 < interval.low < interval.high < 0.8


def entries_right(*counts, images=3000, seed=0):
    """Entries that get about so many images right, each on images of its own."""
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(images) < count for count in counts])


def test_entries_within_noise_are_not_told_apart_and_a_clearly_worse_one_is():
    standings = indistinguishable_groups(entries_right(2700, 2690, 2400))

    assert standings[1].not_told_apart == (0,)
    assert standings[1].best_rank == 1
    assert standings[2].not_told_apart == ()
    assert standings[2].best_rank == 3


def test_the_first_entry_has_nobody_above_it():
    assert indistinguishable_groups(entries_right(2700))[0].not_told_apart == ()


def test_equal_answers_are_never_told_apart():
    same = entries_right(1500).repeat(4, axis=0)

    assert [each.best_rank for each in indistinguishable_groups(same)] == [1, 1, 1, 1]


def test_twenty_equally_good_entries_are_told_apart_no_oftener_than_promised():
    wrongly_apart = 0
    for seed in range(60):
        right = np.random.default_rng(seed).random((20, 500)) < 0.8
        right = right[np.argsort(-right.sum(axis=1), kind="stable")]
        last = indistinguishable_groups(right)[-1]
        wrongly_apart += len(last.not_told_apart) < 19

    # The last of twenty is the unluckiest, chosen by looking; even so it is rarely told apart.
    assert wrongly_apart <= 12
