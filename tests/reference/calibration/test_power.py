"""The power of the board's test is exact: against every outcome of a few images, one by one."""

from __future__ import annotations

import math

import pytest

from grader.scoring.significance import mcnemar_p_value
from reference.calibration.power import images_needed, power


def by_every_outcome(images: int, only_better: float, only_worse: float) -> float:
    """The same from the trinomial distribution and the test that the board makes."""
    both = 1 - only_better - only_worse
    return sum(
        math.comb(images, better)
        * math.comb(images - better, worse)
        * only_better**better
        * only_worse**worse
        * both ** (images - better - worse)
        for better in range(images + 1)
        for worse in range(images - better + 1)
        if better > worse and mcnemar_p_value(worse, better) <= 0.05
    )


@pytest.mark.parametrize(
    ("images", "better", "worse"), [(5, 0.9, 0.1), (12, 0.5, 0.1), (30, 0.3, 0.05), (30, 0.1, 0.1)]
)
def test_power_is_that_of_all_outcomes_together(images, better, worse):
    assert power(images, better, worse) == pytest.approx(
        by_every_outcome(images, better, worse), abs=1e-10
    )


def test_the_images_that_would_do_do_and_a_tenth_fewer_do_not():
    needed = images_needed(0.05, 0.03)

    assert needed is not None
    assert power(needed, 0.05, 0.03) >= 0.8 > power(round(0.9 * needed), 0.05, 0.03)


def test_no_number_of_images_finds_a_difference_that_is_none_or_the_other_way_round():
    assert images_needed(0.04, 0.04) is None
    assert images_needed(0.03, 0.04) is None
    assert images_needed(0.0, 0.0) is None
    assert images_needed(0.040001, 0.04) is None


@pytest.mark.parametrize(
    ("images", "better", "worse"), [(0, 0.1, 0.1), (9, -0.1, 0.1), (9, 0.6, 0.6)]
)
def test_what_is_no_share_is_refused(images, better, worse):
    with pytest.raises(ValueError, match="shares"):
        power(images, better, worse)
