"""Ascent on pixels: a linear channel has a closed form, and a real one rises."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reference import models
from reference.errors import ExplainError
from reference.explain import dreams


def test_the_activation_is_the_mean_of_the_channel_before_anything_is_done_in_its_place():
    convolution = nn.Conv2d(1, 3, 3, bias=False)
    network = nn.Sequential(convolution, nn.ReLU(inplace=True))
    inputs = torch.randn(2, 1, 8, 8)

    found = dreams.activation(network, inputs, "0", 2)

    assert torch.allclose(found, convolution(inputs)[:, 2].mean(dim=(1, 2)), atol=1e-6)


def test_an_ascent_towards_a_linear_channel_goes_along_its_weights(monkeypatch):
    monkeypatch.setattr(dreams, "ROUGHNESS", 0.0)
    monkeypatch.setattr(dreams, "JITTER", 0)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 4))
    image = torch.randn(1, 6, 6)
    weights = network[1].weight.detach()[3].view(1, 6, 6)

    dreamt, reached = dreams.deep_dream(network, image, "1", 3, steps=5)

    step = dreams.RATE * weights / weights.square().mean().sqrt()
    assert torch.allclose(dreamt, image + 5 * step, atol=1e-5)
    assert reached == sorted(reached)


def test_a_channel_of_a_real_network_is_answered_far_more_and_the_same_each_time():
    torch.manual_seed(0)
    network = models.find("small_cnn").build(10)

    image, reached = dreams.maximise(network, (1, 28, 28), "features.17", 5, steps=30)

    assert image.shape == (1, 28, 28)
    assert reached[-1] > 1.5 * reached[0]
    again, _ = dreams.maximise(network, (1, 28, 28), "features.17", 5, steps=30)
    assert torch.equal(image, again)
    rough, smooth = torch.rand(1, 1, 9, 9), torch.zeros(1, 1, 9, 9)
    assert dreams.roughness(rough) > dreams.roughness(smooth) == 0


def test_a_channel_that_is_not_there_is_refused():
    with pytest.raises(ExplainError, match="channels 0…2, not 3"):
        dreams.activation(nn.Sequential(nn.Conv2d(1, 3, 3)), torch.zeros(1, 1, 5, 5), "0", 3)
