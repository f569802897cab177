"""One step of training: what it minimises, how weights follow gradients, and at which rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from reference.errors import RecipeError
from reference.recipe.settings import TrainingSettings

Loss = Callable[[Tensor, Tensor], Tensor]
THRESHOLD = 1e-4  # a plateau's; PyTorch's default


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


def new_optimiser(model: nn.Module, settings: TrainingSettings) -> Optimizer:
    """The recipe's optimiser over all of the model's parameters that take gradients."""
    groups = parameter_groups(model, settings)
    lr, momentum = settings.lr, settings.momentum
    if settings.optimiser == "sgd":
        nesterov = settings.nesterov and momentum > 0
        return SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov, fused=True)
    if settings.optimiser == "rmsprop":
        return RMSprop(groups, lr=lr, momentum=momentum)
    if settings.optimiser == "adamw":
        return AdamW(groups, lr=lr, fused=True)
    beta2 = 0.99 if settings.optimiser == "adam_beta2_099" else 0.999
    return Adam(groups, lr=lr, betas=(0.9, beta2), fused=True)


def parameter_groups(model: nn.Module, settings: TrainingSettings) -> list[dict[str, object]]:
    """By whether they are decayed, decayed ones first, and by `factor`, that on their rate."""
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            is_decayed = settings.decay == "all" or weight.ndim > 1
            key = (not is_decayed, factor_of(name, settings.rates))
            groups.setdefault(key, []).append(weight)
    return [
        {
            "params": groups[plain, factor],
            "weight_decay": 0.0 if plain else settings.weight_decay,
            "factor": factor,
        }
        for plain, factor in sorted(groups)
    ]


def factor_of(name: str, rates: Mapping[str, float]) -> float:
    """The factor on a parameter's rate: that of the innermost module named, else 1.

    >>> factor_of("blocks.3.weight", {"blocks": 0.1, "blocks.3": 0.5})
    0.5
    """
    holding = [each for each in rates if name.startswith(f"{each}.")]
    return rates[max(holding, key=len)] if holding else 1.0


class Schedule:
    """Sets an optimiser's learning rate before every step; `plateau` also looks at validation.

    The rate is the recipe's times `lr_factor`, a function of the step alone, times what plateaus
    have taken off. So a resumed run goes on with the same rates.
    """

    def __init__(
        self, optimiser: Optimizer, settings: TrainingSettings, *, steps_per_epoch: int
    ) -> None:
        self._optimiser = optimiser
        self._settings = settings
        self._steps_per_epoch = steps_per_epoch
        self._step = 0
        self._plateau = 1.0
        self._best = -math.inf
        self._waited = 0

    @property
    def lr(self) -> float:
        """The rate of the coming step."""
        factor = lr_factor(self._step, self._steps_per_epoch, self._settings)
        return self._settings.lr * factor * self._plateau

    def apply(self) -> None:
        """Give the optimiser the rate of the coming step, and go on to the one after."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.lr * group.get("factor", 1.0)
        self._step += 1

    def end_epoch(self, validation_accuracy: float | None) -> None:
        """Lower the rate if the accuracy has not risen for more than `patience` epochs.

        As `torch.optim.lr_scheduler.ReduceLROnPlateau(mode="max")`: it has to rise by more than a
        ten-thousandth of itself.
        """
        if self._settings.schedule != "plateau" or validation_accuracy is None:
            return
        if validation_accuracy > self._best * (1 + THRESHOLD):
            self._best, self._waited = validation_accuracy, 0
            return
        self._waited += 1
        if self._waited > self._settings.patience:
            self._plateau *= self._settings.gamma
            self._waited = 0

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on from here."""
        return {
            "step": self._step,
            "plateau": self._plateau,
            "best": self._best,
            "waited": self._waited,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self._step, self._plateau = state["step"], state["plateau"]
        self._best, self._waited = state["best"], state["waited"]


def lr_factor(step: int, steps_per_epoch: int, settings: TrainingSettings) -> float:
    """What the learning rate is multiplied by at a step, counted from 0, plateaus apart."""
    steps = settings.epochs * steps_per_epoch
    done, epoch = step / steps, step // steps_per_epoch
    if done < settings.warmup:
        return min(1.0, max(done, 1 / steps) / settings.warmup)
    if settings.schedule == "step":
        period = max(1, round(settings.period * settings.epochs))
        return float(settings.gamma ** (epoch // period))
    if settings.schedule == "multistep":
        return float(settings.gamma ** sum(epoch >= each for each in milestones_of(settings)))
    if settings.schedule == "exponential":
        return float(settings.gamma**epoch)
    if settings.schedule in ("cosine", "one_cycle"):
        return 0.5 * (1 + math.cos(math.pi * (done - settings.warmup) / (1 - settings.warmup)))
    return 1.0


def milestones_of(settings: TrainingSettings) -> list[int]:
    """Epochs, counted from 0, from which on the rate is lower: each later than the one before.

    In a short run shares may round to one epoch; falling together they would be one large step.
    """
    found: list[int] = []
    for share in settings.milestones:
        found.append(max(round(share * settings.epochs), found[-1] + 1 if found else 1))
    return found
