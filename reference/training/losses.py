"""What training minimises."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from reference.errors import RecipeError
from reference.recipe.training_settings import TrainingSettings

Loss = Callable[[Tensor, Tensor], Tensor]


def new_loss(settings: TrainingSettings, counts: Tensor, aucs: Tensor | None = None) -> Loss:
    """The recipe's loss: N×K logits and int64 N labels (or N×K shares of classes) → their mean.

    `counts` (K) are those of the images that an epoch shows, which weights and priors are made
    from, and `aucs` (K) the areas under ROC curves that `auc_weighted` needs. With weights the mean
    is a weighted one for labels, but divided by N for shares, as in PyTorch.

    Raises:
        RecipeError: the loss needs a prior, and a class has no images.
    """
    weight = None
    if settings.loss == "class_weighted":
        weight = class_weights(counts)
    elif settings.loss == "class_balanced":
        weight = effective_number_weights(counts, settings.beta)
    elif settings.loss == "auc_weighted":
        assert aucs is not None  # the first training has measured them
        weight = auc_weights(aucs).to(counts.device)
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


def auc_weights(aucs: Tensor) -> Tensor:
    """1 / AUC of each class, scaled to a mean of 1: what is told apart worse weighs more.

    Report 003 says no more than that; this is the plainest form of it.

    >>> auc_weights(torch.tensor([1.0, 0.5])).tolist()
    [0.6666666865348816, 1.3333333730697632]
    """
    raw = 1 / aucs.double()
    return (raw / raw.mean()).float()


def log_prior(counts: Tensor) -> Tensor:
    """The logarithm of each class's share: float32 K.

    Raises:
        RecipeError: a class has no images.
    """
    if not bool((counts > 0).all()):
        empty = torch.nonzero(counts == 0).flatten().tolist()
        raise RecipeError(f"a prior needs training images of every class: {empty} have none")
    return (counts.double() / counts.double().sum()).log().float()
