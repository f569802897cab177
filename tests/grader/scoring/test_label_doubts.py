"""Planted wrong labels come first, whoever the predictors are; hard images do not drown them."""

from __future__ import annotations

import numpy as np
import pytest

from grader.scoring.label_doubts import confusions, doubts

CLASSES, IMAGES = 10, 3000


@pytest.mark.parametrize("seed", range(5))
def test_three_wrong_labels_among_three_thousand_are_the_first_three(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, CLASSES, IMAGES)
    # some images are hard for everybody: there predictors err, and not all alike
    hard = rng.random(IMAGES) < 0.1
    skill = np.where(hard, 0.4, 0.97)
    answers = np.array(
        [
            np.where(rng.random(IMAGES) < skill, truth, rng.integers(0, CLASSES, IMAGES))
            for _ in range(12)
        ]
    )
    wrong = rng.choice(np.flatnonzero(~hard), 3, replace=False)
    labels = truth.copy()
    labels[wrong] = (labels[wrong] + 1 + rng.integers(0, CLASSES - 1, 3)) % CLASSES

    found = doubts(labels, answers, CLASSES)

    assert set(found.order[:3]) == set(wrong)
    assert found.confident[wrong].sum() >= 2  # at the threshold chance decides
    assert (found.rival[wrong] == truth[wrong]).all()


def test_without_a_predictor_nothing_is_doubtful() -> None:
    labels = np.array([0, 1, 1])
    found = doubts(labels, np.empty((0, 3), np.int64), 2)
    assert not found.confident.any()
    assert found.rival_share.tolist() == [0.0, 0.0, 0.0]
    assert confusions(labels, np.empty((0, 3), np.int64), 2).tolist() == [[0, 0], [0, 0]]


def test_confusions_are_the_sum_of_each_predictors() -> None:
    rng = np.random.default_rng(0)
    labels, answers = rng.integers(0, 4, 50), rng.integers(0, 4, (3, 50))
    expected = np.zeros((4, 4), int)
    for each in answers:
        np.add.at(expected, (labels, each), 1)
    assert (confusions(labels, answers, 4) == expected).all()
