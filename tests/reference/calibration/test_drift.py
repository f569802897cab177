"""A quiet baseline raises an alarm in no more than one of 200 nights; one that moved is found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reference.calibration.drift import watch, z_scores


def quiet(draw: np.random.Generator, count: int) -> list[float]:
    return (0.9 + 0.002 * draw.normal(size=count)).tolist()


def test_a_first_night_is_a_t_test_against_the_card():
    card, night = [0.90, 0.91, 0.905, 0.893, 0.902], 0.88
    spread = np.std(card, ddof=1) * np.sqrt(1 + 1 / 5)
    expected = stats.norm.ppf(stats.t.cdf((night - np.mean(card)) / spread, 4))

    assert z_scores(card, [night])[0] == pytest.approx(expected)


def test_scores_of_quiet_nights_are_standard_normal_and_independent_with_three_seeds_too():
    draw = np.random.default_rng(0)
    scores = np.array([z_scores(quiet(draw, 3), quiet(draw, 40)) for _ in range(500)])

    assert stats.kstest(scores.ravel(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(scores[:, :-1].ravel(), scores[:, 1:].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_at_most_one_of_200_quiet_nights_raises_an_alarm_measured_in_5000(seeds):
    draw = np.random.default_rng(seeds)

    alarms = [
        night.is_alarm for _ in range(25) for night in watch(quiet(draw, seeds), quiet(draw, 200))
    ]

    assert len(alarms) == 5000
    assert sum(alarms) / len(alarms) <= 1 / 200


def test_a_recipe_that_lost_two_points_is_found_within_two_nights():
    draw = np.random.default_rng(1)
    found = 0
    for _ in range(200):
        moved = (np.array(quiet(draw, 2)) - 0.02).tolist()
        found += any(each.is_alarm for each in watch(quiet(draw, 10), quiet(draw, 20) + moved)[-2:])

    assert found >= 198


def test_a_small_shift_is_found_in_time_and_its_direction_is_told():
    draw = np.random.default_rng(2)
    nights = quiet(draw, 20) + (np.array(quiet(draw, 30)) - 0.004).tolist()

    charted = watch(quiet(draw, 10), nights)

    first = next(place for place, each in enumerate(charted) if each.is_alarm)
    assert 20 <= first < 30
    assert charted[first].smoothed < 0


def test_a_card_without_spread_is_no_measure():
    for card in ([0.9, 0.91], [0.9, 0.9, 0.9]):
        with pytest.raises(ValueError, match="3 seeds"):
            z_scores(card, [0.9])
