"""How a step is made from gradients."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from reference.recipe.training_settings import TrainingSettings


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
