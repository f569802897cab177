"""Grad-CAM by hand, against the formula and a library that the runner does not have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sandbox.inside.explaining import as_grey, grad_cam, heat
from sandbox.inside.failing import ProgramFailed
from sandbox.inside.protocol import HEAT_SIDE


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 6, 3, padding=1)
        )
        self.act = nn.ReLU(inplace=True)
        self.fc = nn.Linear(6, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.act(self.features(images))
        scores: torch.Tensor = self.fc(nn.functional.adaptive_avg_pool2d(maps, 1).flatten(1))
        return scores


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network().eval()


INPUTS = torch.randn(3, 1, 10, 12, generator=torch.Generator().manual_seed(1))
CLASSES = torch.tensor([2, 0, 1])


def test_grad_cam_is_cam_over_the_pixels_where_maps_are_averaged(network):
    with torch.no_grad():
        maps = network.features(INPUTS).relu()
        weighed = torch.einsum("nk,nkhw->nhw", network.fc.weight[CLASSES], maps)

    found = grad_cam(network, INPUTS, CLASSES)

    # the gradient of a mean of 120 pixels by each of them, meant over them again
    assert torch.allclose(found, weighed.relu() / 120, atol=1e-7)


def test_grad_cam_is_the_librarys(network):
    methods = pytest.importorskip("torchcam.methods")
    with methods.GradCAM(network, "act") as oracle:
        scores = network(INPUTS.clone().requires_grad_())
        (expected,) = oracle(CLASSES.tolist(), scores, normalized=False)

    assert torch.allclose(grad_cam(network, INPUTS, CLASSES), expected, atol=1e-7)


def test_a_frozen_network_and_no_grad_around_it_change_nothing(network):
    expected = grad_cam(network, INPUTS, CLASSES)
    network.requires_grad_(False)

    with torch.no_grad():
        assert torch.equal(grad_cam(network, INPUTS, CLASSES), expected)
    assert not any(each._forward_hooks for each in network.modules())


def test_heat_is_a_square_of_grey_levels_each_up_to_its_own_maximum(network):
    grey = np.frombuffer(heat(network, INPUTS, CLASSES, None), np.uint8)
    squares = grey.reshape(3, HEAT_SIDE, HEAT_SIDE)

    assert squares.max(axis=(1, 2)).tolist() == [255, 255, 255]
    left = torch.zeros(1, 28, 28)
    left[:, :, :14] = 7.0
    halves = np.frombuffer(as_grey(left, 1), np.uint8).reshape(HEAT_SIDE, HEAT_SIDE)
    assert (halves[:, :6] == 255).all()
    assert (halves[:, 8:] == 0).all()
    assert not any(as_grey(torch.full((1, 3, 3), -1.0), 1))


@pytest.mark.parametrize(
    ("maps", "code"),
    [
        ([1, 2], "run.heat_not_a_tensor"),
        (torch.zeros(3, 1, 4, 4), "run.heat_of_shape"),
        (torch.zeros(2, 4, 4), "run.heat_of_shape"),
        (torch.zeros(3, 0, 4), "run.heat_of_shape"),
        (torch.zeros(3, 4, 4, dtype=torch.complex64), "run.heat_of_shape"),
        (torch.full((3, 4, 4), torch.nan), "run.heat_not_finite"),
        (torch.full((3, 4, 4), torch.inf), "run.heat_not_finite"),
        (torch.full((3, 4, 4), 1e300, dtype=torch.float64), "run.heat_not_finite"),
    ],
)
def test_what_is_no_heat_is_named(network, maps, code):
    with pytest.raises(ProgramFailed) as failed:
        heat(network, INPUTS, CLASSES, lambda model, batch, classes: maps)

    assert failed.value.told.code == code


def test_a_model_without_maps_or_scores_is_told_of_explain():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(120, 3))
    labels = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(0))

    for model, code in ((flat, "run.no_maps_to_explain"), (labels, "run.no_scores_to_explain")):
        with pytest.raises(ProgramFailed) as failed:
            grad_cam(model, INPUTS, CLASSES)
        assert failed.value.told.code == code
