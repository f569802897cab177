"""How a step is made from gradients."""

from __future__ import annotations

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from reference.recipe import TrainingSettings


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
    """Those that are decayed and those that are not; a group without parameters is left out."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    decayed = [weight for weight in trained if settings.decay == "all" or weight.ndim > 1]
    others = [weight for weight in trained if settings.decay != "all" and weight.ndim <= 1]
    groups: list[dict[str, object]] = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
