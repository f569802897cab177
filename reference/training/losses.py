"""What training minimises."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from reference.errors import RecipeError
from reference.recipe.recipe import TrainingSettings

Loss = Callable[[Tensor, Tensor], Tensor]


def new_loss(settings: TrainingSettings, counts: Tensor) -> Loss:
    """The recipe's loss: N×K logits and int64 N labels (or N×K shares of classes) → their mean.

    `counts` (K) are those of the images that an epoch shows, which weights and priors are made
    from. With weights the mean is a weighted one for labels, but divided by N for shares, as in
    PyTorch.

    Raises:
        RecipeError: the loss needs a prior, and a class has no images.
    """
    weight = None
    if settings.loss == "class_weighted":
        weight = class_weights(counts)
    elif settings.loss == "class_balanced":
        weight = effective_number_weights(counts, settings.beta)
    plain = partial(
        functional.cross_entropy, weight=weight, label_smoothing=settings.label_smoothing
    )
    if settings.loss != "balanced_softmax":
        return plain
    prior = log_prior(counts)
    return lambda logits, targets: plain(logits + prior, targets)


def class_weights(counts: Tensor) -> Tensor:
    """N / (K·n_k) of each class k, scikit-learn's "balanced"; 0 for a class without images.

    >>> class_weights(torch.tensor([3, 1])).tolist()
    [0.6666666865348816, 2.0]
    """
    weights = torch.where(counts > 0, counts.sum() / (len(counts) * counts), 0.0)
    return weights.float()


def effective_number_weights(counts: Tensor, beta: float) -> Tensor:
    """(1 − β) / (1 − β^n_k), scaled to a sum of K; 0 for a class without images (Cui et al. 2019).

    β = 0 weighs all classes alike; towards 1 it becomes the inverse of the count.

    >>> effective_number_weights(torch.tensor([3, 1]), 0.0).tolist()
    [1.0, 1.0]
    """
    exact = counts.double()
    raw = torch.where(exact > 0, (1 - beta) / (1 - beta**exact), 0.0)
    return (raw * len(counts) / raw.sum()).float()


def log_prior(counts: Tensor) -> Tensor:
    """The logarithm of each class's share: float32 K.

    Raises:
        RecipeError: a class has no images.
    """
    if not bool((counts > 0).all()):
        empty = torch.nonzero(counts == 0).flatten().tolist()
        raise RecipeError(f"a prior needs training images of every class: {empty} have none")
    return (counts.double() / counts.double().sum()).log().float()
