"""What training minimises."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from reference.recipe import TrainingSettings

Loss = Callable[[Tensor, Tensor], Tensor]


def new_loss(settings: TrainingSettings, labels: Tensor, num_classes: int) -> Loss:
    """The recipe's loss: N×K logits and int64 N labels (or N×K shares of classes) → their mean.

    `labels` are those of all training images, which class weights are made from. With weights the
    mean is a weighted one for labels, but divided by N for shares, as in PyTorch.
    """
    weight = class_weights(labels, num_classes) if settings.loss == "class_weighted" else None
    return partial(
        functional.cross_entropy, weight=weight, label_smoothing=settings.label_smoothing
    )


def class_weights(labels: Tensor, num_classes: int) -> Tensor:
    """N / (K·n_k) of each class k, scikit-learn's "balanced"; 0 for a class without images.

    >>> class_weights(torch.tensor([0, 0, 0, 1]), 2).tolist()
    [0.6666666865348816, 2.0]
    """
    counts = torch.bincount(labels.cpu(), minlength=num_classes).to(torch.float32)
    weights = torch.where(counts > 0, len(labels) / (num_classes * counts), 0.0)
    return weights.to(labels.device)
