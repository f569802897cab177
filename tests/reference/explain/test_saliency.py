"""Saliency of a linear model is its weights."""

from __future__ import annotations

import torch
from torch import nn

from reference.explain.saliency import saliency, smooth_saliency


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(2 * 5 * 4, 3))


def test_saliency_of_a_linear_model_is_its_weights():
    model = linear()
    classes = torch.tensor([2, 0])
    weights = model[1].weight.detach().view(3, 2, 5, 4)

    found = saliency(model, torch.randn(2, 2, 5, 4), classes)

    assert torch.allclose(found, weights[classes].abs().amax(dim=1))


def test_smoothgrad_of_a_linear_model_is_its_saliency():
    model, inputs, classes = linear(), torch.randn(2, 2, 5, 4), torch.tensor([1, 1])

    smoothed = smooth_saliency(model, inputs, classes, samples=4)

    assert torch.allclose(smoothed, saliency(model, inputs, classes), atol=1e-6)


def test_smoothgrad_blurs_a_step_that_saliency_does_not_see():
    """Of a step function the gradient is 0 but at the step; noise finds the step from nearby."""

    class Ramp(nn.Module):
        def forward(self, images):
            steep = (images.flatten(1) * 40).clamp(0, 1).sum(dim=1)
            return torch.stack([steep, -steep], dim=1)

    inputs = torch.tensor([[[[-0.06, 1.0]]]])
    classes = torch.tensor([0])

    assert saliency(Ramp(), inputs, classes).tolist() == [[[0.0, 0.0]]]
    smoothed = smooth_saliency(Ramp(), inputs, classes, samples=50)
    assert smoothed[0, 0, 0] > 0
    assert torch.equal(smoothed, smooth_saliency(Ramp(), inputs, classes, samples=50))
