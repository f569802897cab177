"""Losses against values by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from reference.errors import RecipeError
from reference.recipe.recipe import TrainingSettings
from reference.training.parts import shown
from reference.training.steps import class_weights, effective_number_weights, log_prior, new_loss

LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
LABELS = torch.tensor([0, 2])
# minus the logarithm of the softmax: the picture's own class, and the mean over all classes
FIRST_SUM, SECOND_SUM = math.exp(2) + 2, math.e + 2
FIRST, SECOND = math.log(FIRST_SUM) - 2, math.log(SECOND_SUM)
FIRST_EVEN = math.log(FIRST_SUM) - 2 / 3
SECOND_EVEN = math.log(SECOND_SUM) - 1 / 3


def settings(**changes: object) -> TrainingSettings:
    return TrainingSettings(epochs=1, batch_size=1, lr=1.0, **changes)


def counts(labels: torch.Tensor) -> torch.Tensor:
    return shown(labels, 3, "every_image")


def test_cross_entropy_is_the_mean_of_the_labels_logarithms():
    loss = new_loss(settings(), counts(LABELS))

    assert loss(LOGITS, LABELS).item() == pytest.approx((FIRST + SECOND) / 2)


def test_label_smoothing_spreads_its_share_over_all_classes():
    loss = new_loss(settings(label_smoothing=0.1), counts(LABELS))

    by_hand = 0.9 * (FIRST + SECOND) / 2 + 0.1 * (FIRST_EVEN + SECOND_EVEN) / 2
    assert loss(LOGITS, LABELS).item() == pytest.approx(by_hand)


def test_class_weights_are_scikit_learns_balanced_ones():
    from sklearn.utils.class_weight import compute_class_weight

    labels = torch.tensor([0] * 7 + [1] * 2 + [2])

    theirs = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    assert class_weights(counts(labels)).tolist() == pytest.approx(theirs.tolist())


def test_a_class_without_training_images_weighs_nothing():
    assert class_weights(counts(torch.tensor([0, 0, 2]))).tolist() == [0.5, 0.0, 1.0]


def test_class_weighted_loss_is_a_weighted_mean():
    training = torch.tensor([0, 0, 0, 2])

    loss = new_loss(settings(loss="class_weighted"), counts(training))

    often, rare = 4 / (3 * 3), 4 / (3 * 1)
    by_hand = (often * FIRST + rare * SECOND) / (often + rare)
    assert loss(LOGITS, LABELS).item() == pytest.approx(by_hand)


def test_shares_of_classes_are_taken_as_labels_are():
    shares = torch.nn.functional.one_hot(LABELS, 3).float()

    for each in (settings(), settings(label_smoothing=0.1)):
        loss = new_loss(each, counts(LABELS))
        assert loss(LOGITS, shares).item() == pytest.approx(loss(LOGITS, LABELS).item())


@pytest.mark.parametrize("kind", ["balanced_softmax", "class_balanced"])
def test_losses_of_long_tails_take_shares_too(kind: str):
    shares = torch.nn.functional.one_hot(LABELS, 3).float()
    loss = new_loss(settings(loss=kind), torch.tensor([4.0, 4.0, 4.0]))

    assert loss(LOGITS, shares).item() == pytest.approx(loss(LOGITS, LABELS).item())


def test_balanced_softmax_is_the_published_formula():
    sizes = [50, 7, 2]
    loss = new_loss(settings(loss="balanced_softmax"), torch.tensor(sizes))

    by_hand = [
        -math.log(
            sizes[label]
            * math.exp(row[label])
            / sum(n * math.exp(f) for n, f in zip(sizes, row, strict=True))
        )
        for row, label in zip(LOGITS.tolist(), LABELS.tolist(), strict=True)
    ]
    assert loss(LOGITS, LABELS).item() == pytest.approx(sum(by_hand) / 2)


def test_balanced_softmax_of_equal_classes_is_cross_entropy():
    balanced = new_loss(settings(loss="balanced_softmax"), torch.tensor([9, 9, 9]))

    plain = new_loss(settings(), torch.tensor([9, 9, 9]))
    assert balanced(LOGITS, LABELS).item() == pytest.approx(plain(LOGITS, LABELS).item())


def test_effective_number_is_the_sum_of_a_geometric_series():
    sizes, beta = [40, 3, 1], 0.9

    raw = [1 / sum(beta**j for j in range(n)) for n in sizes]
    by_hand = [3 * each / sum(raw) for each in raw]
    weights = effective_number_weights(torch.tensor(sizes), beta)
    assert weights.tolist() == pytest.approx(by_hand)


def test_effective_number_goes_from_equal_weights_to_inverse_counts():
    sizes = torch.tensor([40, 3, 1])
    inverse = class_weights(sizes)

    assert effective_number_weights(sizes, 0.0).tolist() == [1.0, 1.0, 1.0]
    nearly = effective_number_weights(sizes, 1 - 1e-9)
    assert nearly.tolist() == pytest.approx((3 * inverse / inverse.sum()).tolist(), rel=1e-6)
    assert effective_number_weights(torch.tensor([5, 0, 5]), 0.9).tolist() == [1.5, 0.0, 1.5]


def test_a_prior_needs_images_of_every_class():
    with pytest.raises(RecipeError, match=r"\[1\] have none"):
        log_prior(torch.tensor([3, 0, 1]))
