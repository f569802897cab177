"""Optimisers: one step by hand, many steps as PyTorch's own."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from reference.recipe.recipe import TrainingSettings
from reference.training.steps import new_optimiser


class OneNumber(nn.Module):
    """A model of one weight, of one dimension unless `shape` says otherwise."""

    def __init__(self, shape: tuple[int, ...] = (1,)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full(shape, 2.0))


def settings(**changes: object) -> TrainingSettings:
    return TrainingSettings(epochs=1, batch_size=1, lr=0.1, **changes)


def after(gradients: list[float], model: nn.Module, changes: dict[str, object]) -> float:
    optimiser = new_optimiser(model, settings(**changes))
    for gradient in gradients:
        model.weight.grad = torch.full_like(model.weight, gradient)
        optimiser.step()
    return model.weight.flatten()[0].item()


@pytest.mark.parametrize(
    ("changes", "by_hand"),
    [
        # the velocity is the gradient, then 0.9 of it and the gradient
        ({}, 2 - 0.1 * 1 - 0.1 * 3),
        ({"momentum": 0.9, "nesterov": False}, 2 - 0.1 * 1 - 0.1 * (0.9 * 1 + 3)),
        # Nesterov's looks one step ahead: gradient plus 0.9 of the new velocity
        ({"momentum": 0.9}, 2 - 0.1 * (1 + 0.9 * 1) - 0.1 * (3 + 0.9 * (0.9 * 1 + 3))),
    ],
)
def test_sgd_by_hand(changes: dict[str, object], by_hand: float):
    assert after([1.0, 3.0], OneNumber(), changes) == pytest.approx(by_hand)


@pytest.mark.parametrize(("optimiser", "beta2"), [("adam", 0.999), ("adam_beta2_099", 0.99)])
def test_adam_by_hand(optimiser: str, beta2: float):
    first, second, value = 0.0, 0.0, 2.0
    for step, gradient in enumerate([1.0, 3.0], 1):
        first = 0.9 * first + 0.1 * gradient
        second = beta2 * second + (1 - beta2) * gradient**2
        mean, square = first / (1 - 0.9**step), second / (1 - beta2**step)
        value -= 0.1 * mean / (math.sqrt(square) + 1e-8)

    assert after([1.0, 3.0], OneNumber(), {"optimiser": optimiser}) == pytest.approx(value)


def test_rmsprop_by_hand():
    square, value = 0.0, 2.0
    for gradient in (1.0, 3.0):
        square = 0.99 * square + 0.01 * gradient**2
        value -= 0.1 * gradient / (math.sqrt(square) + 1e-8)

    assert after([1.0, 3.0], OneNumber(), {"optimiser": "rmsprop"}) == pytest.approx(
        value, rel=1e-4
    )


@pytest.mark.parametrize(
    ("changes", "theirs"),
    [
        (
            {"momentum": 0.9, "weight_decay": 0.01},
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        ),
        (
            {"optimiser": "adam", "weight_decay": 0.01},
            lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.01),
        ),
        (
            {"optimiser": "adam_beta2_099"},
            lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.9, 0.99)),
        ),
        (
            {"optimiser": "adamw", "weight_decay": 0.01},
            lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.01),
        ),
        (
            {"optimiser": "rmsprop", "momentum": 0.5, "weight_decay": 0.01},
            lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.5, weight_decay=0.01),
        ),
    ],
)
def test_all_decayed_is_pytorchs_own(
    changes: dict[str, object], theirs: Callable[..., torch.optim.Optimizer]
):
    ours, other = nn.Linear(3, 2), nn.Linear(3, 2)
    other.load_state_dict(ours.state_dict())
    pairs = [
        (ours, new_optimiser(ours, settings(decay="all", **changes))),
        (other, theirs(other.parameters())),
    ]
    generator = torch.Generator().manual_seed(0)

    for _ in range(5):
        images = torch.randn(4, 3, generator=generator)
        for model, optimiser in pairs:
            optimiser.zero_grad()
            model(images).square().sum().backward()
            optimiser.step()

    assert torch.allclose(ours.weight, other.weight, atol=1e-6)
    assert torch.allclose(ours.bias, other.bias, atol=1e-6)


def test_weight_decay_leaves_vectors_alone_unless_told():
    changes: dict[str, object] = {"weight_decay": 0.5}

    assert after([0.0], OneNumber((1, 1)), changes) == pytest.approx(2 - 0.1 * 0.5 * 2)
    assert after([0.0], OneNumber((1,)), changes) == 2.0
    assert after([0.0], OneNumber((1,)), {**changes, "decay": "all"}) == pytest.approx(1.9)


def test_frozen_parameters_are_left_out():
    model = nn.Linear(3, 2)
    model.weight.requires_grad_(False)

    groups = new_optimiser(model, settings()).param_groups

    assert [len(group["params"]) for group in groups] == [1]
    assert groups[0]["params"][0] is model.bias
