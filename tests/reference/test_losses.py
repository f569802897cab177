"""Losses against values by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from reference.losses import class_weights, new_loss
from reference.recipe import TrainingSettings

LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
LABELS = torch.tensor([0, 2])
# minus the logarithm of the softmax: the picture's own class, and the mean over all classes
FIRST_SUM, SECOND_SUM = math.exp(2) + 2, math.e + 2
FIRST, SECOND = math.log(FIRST_SUM) - 2, math.log(SECOND_SUM)
FIRST_EVEN = math.log(FIRST_SUM) - 2 / 3
SECOND_EVEN = math.log(SECOND_SUM) - 1 / 3


def settings(**changes: object) -> TrainingSettings:
    return TrainingSettings(epochs=1, batch_size=1, lr=1.0, **changes)


def test_cross_entropy_is_the_mean_of_the_labels_logarithms():
    loss = new_loss(settings(), LABELS, 3)

    assert loss(LOGITS, LABELS).item() == pytest.approx((FIRST + SECOND) / 2)


def test_label_smoothing_spreads_its_share_over_all_classes():
    loss = new_loss(settings(label_smoothing=0.1), LABELS, 3)

    by_hand = 0.9 * (FIRST + SECOND) / 2 + 0.1 * (FIRST_EVEN + SECOND_EVEN) / 2
    assert loss(LOGITS, LABELS).item() == pytest.approx(by_hand)


def test_class_weights_are_scikit_learns_balanced_ones():
    from sklearn.utils.class_weight import compute_class_weight

    labels = torch.tensor([0] * 7 + [1] * 2 + [2])

    theirs = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    assert class_weights(labels, 3).tolist() == pytest.approx(theirs.tolist())


def test_a_class_without_training_images_weighs_nothing():
    assert class_weights(torch.tensor([0, 0, 2]), 3).tolist() == [0.5, 0.0, 1.0]


def test_class_weighted_loss_is_a_weighted_mean():
    training = torch.tensor([0, 0, 0, 2])

    loss = new_loss(settings(loss="class_weighted"), training, 3)

    often, rare = 4 / (3 * 3), 4 / (3 * 1)
    by_hand = (often * FIRST + rare * SECOND) / (often + rare)
    assert loss(LOGITS, LABELS).item() == pytest.approx(by_hand)


def test_shares_of_classes_are_taken_as_labels_are():
    shares = torch.nn.functional.one_hot(LABELS, 3).float()

    for each in (settings(), settings(label_smoothing=0.1)):
        loss = new_loss(each, LABELS, 3)
        assert loss(LOGITS, shares).item() == pytest.approx(loss(LOGITS, LABELS).item())
