"""What runs say of a test set: pairs, ranking, doubtful labels, ceiling."""

from __future__ import annotations

import numpy as np

from reference.calibration.findings import Scored, find

IMAGES, CLASSES = 400, 4


def runs(labels: np.ndarray, wrong: float, *, seeds: int = 5, seed: int) -> np.ndarray:
    """Runs that each get another share of the images wrong."""
    draw = np.random.default_rng(seed)
    answers = np.tile(labels, (seeds, 1))
    missed = draw.random(answers.shape) < wrong
    answers[missed] = (answers[missed] + draw.integers(1, CLASSES, missed.sum())) % CLASSES
    return answers


def scored(name: str, answers: np.ndarray, labels: np.ndarray, public: np.ndarray) -> Scored:
    right = answers == labels
    return Scored(
        name=name,
        public=tuple(right[:, public].mean(axis=1)),
        private=tuple(right[:, ~public].mean(axis=1)),
        answers=answers,
    )


def found_for(*shares: float, labels: np.ndarray | None = None, truth: np.ndarray | None = None):
    draw = np.random.default_rng(0)
    truth = draw.integers(0, CLASSES, IMAGES) if truth is None else truth
    labels = truth if labels is None else labels
    public = np.arange(IMAGES) % 3 == 0
    baselines = [
        scored(str(n), runs(truth, wrong, seed=n), labels, public) for n, wrong in enumerate(shares)
    ]
    ids = [str(row) for row in range(IMAGES)]
    return find(baselines, ids=ids, labels=labels, public=public, num_classes=CLASSES)


def test_far_neighbours_are_told_apart_and_near_ones_are_told_how_many_images_would_do():
    found = found_for(0.5, 0.12, 0.09)

    far, near = found.neighbours
    assert far.told_apart
    assert far.power > 0.99
    assert far.images == (np.arange(IMAGES) % 3 != 0).sum()
    assert not near.told_apart
    assert near.needed is not None
    assert near.needed > near.images


def test_public_and_private_rank_clear_baselines_alike():
    found = found_for(0.6, 0.3, 0.05)

    assert found.same_order
    assert found.tau is not None
    assert found.tau > 0.7
    assert all(each.public_agrees == 1 for each in found.neighbours)


def test_a_split_that_ranks_the_other_way_round_is_said_to():
    draw = np.random.default_rng(1)
    labels = draw.integers(0, CLASSES, IMAGES)
    public = np.arange(IMAGES) % 2 == 0
    first, second = np.tile(labels, (5, 1)), np.tile(labels, (5, 1))
    first[:, ~public & (np.arange(IMAGES) < 100)] += 1  # wrong on private images alone
    second[:, public & (np.arange(IMAGES) < 60)] += 1
    baselines = [
        scored("a", first % CLASSES, labels, public),
        scored("b", second % CLASSES, labels, public),
    ]

    found = find(baselines, ids=[""] * IMAGES, labels=labels, public=public, num_classes=CLASSES)

    assert not found.same_order
    assert found.neighbours[0].public_agrees == 0


def test_flipped_labels_are_the_doubtful_ones_and_lower_the_ceiling():
    truth = np.random.default_rng(2).integers(0, CLASSES, IMAGES)
    labels = truth.copy()
    flipped = [7, 70, 170, 300]
    labels[flipped] = (labels[flipped] + 1) % CLASSES

    found = found_for(0.0, 0.0, labels=labels, truth=truth)

    assert {int(each.id) for each in found.doubtful} == set(flipped)
    assert found.doubted == len(flipped)
    assert all(each.rival == truth[int(each.id)] for each in found.doubtful)
    assert found.together == 1 - len(flipped) / IMAGES
    assert found.nobody <= len(flipped) / IMAGES
