"""Class activation maps against closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchcam import methods

from reference import models
from reference.errors import ExplainError
from reference.explain.maps import class_maps, scaled
from reference.explain.methods import METHODS
from reference.explain.plus_plus import plus_plus


class Averaged(nn.Module):
    """Two convolutions, averaged maps, one linear layer: where CAM is defined."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU()
        )
        self.fc = nn.Linear(8, 4)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.features(images).mean(dim=(2, 3)))
        return scores


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return Averaged().eval()


@pytest.fixture(scope="module")
def inputs() -> Tensor:
    return torch.randn(5, 1, 9, 7, generator=torch.Generator().manual_seed(1))


CLASSES = torch.tensor([0, 1, 2, 3, 0])


def maps_of(network: nn.Module, inputs: Tensor, method: str) -> Tensor:
    return class_maps(network, inputs, CLASSES, method=method, layer="features", classifier="fc")


@torch.no_grad()
def by_hand(network: Averaged, inputs: Tensor) -> Tensor:
    """Zhou et al.: the maps weighed by the class's weights, of all classes the linear layer's."""
    weighed = torch.einsum("nk,nkhw->nhw", network.fc.weight[CLASSES], network.features(inputs))
    return scaled(weighed)


def test_cam_is_the_maps_weighed_by_the_last_layer(network, inputs):
    assert torch.allclose(maps_of(network, inputs, "cam"), by_hand(network, inputs), atol=1e-5)


def test_grad_cam_equals_cam_where_maps_are_averaged(network, inputs):
    # each map's gradient is its weight over the count of pixels: the same up to scale
    cam = maps_of(network, inputs, "cam")

    assert cam.amax() == 1
    assert torch.allclose(maps_of(network, inputs, "grad-cam"), cam, atol=1e-5)


def test_grad_cam_takes_a_frozen_network(network, inputs):
    thawed = maps_of(network, inputs, "grad-cam")
    for each in network.parameters():
        each.requires_grad_(False)
    frozen = maps_of(network, inputs, "grad-cam")
    for each in network.parameters():
        each.requires_grad_(True)

    assert torch.equal(frozen, thawed)


def test_grad_cam_plus_plus_weighs_as_its_equation_19(network, inputs):
    features = network.features(inputs).detach().requires_grad_()
    scores = network.fc(features.mean(dim=(2, 3)))
    (slope,) = torch.autograd.grad(scores[torch.arange(5), CLASSES].sum(), features)
    # of exp(score) all derivatives are powers of the slope, times what cancels in alpha
    below = 2 * slope**2 + features.sum(dim=(2, 3), keepdim=True) * slope**3
    alpha = torch.where(slope != 0, slope**2 / below, 0.0)
    weights = (alpha * slope.relu()).sum(dim=(2, 3))
    expected = scaled(torch.einsum("nk,nkhw->nhw", weights, features).detach())

    found = maps_of(network, inputs, "grad-cam++")

    assert torch.allclose(found, expected, atol=1e-5)


def test_smooth_grad_cam_plus_plus_without_noise_is_grad_cam_plus_plus(network, inputs):
    given = network, inputs, CLASSES, "features"

    assert torch.allclose(plus_plus(*given, samples=3), plus_plus(*given), atol=1e-6)
    deep = network, inputs, CLASSES, "features.1"  # its slopes vary with the image
    noisy = plus_plus(*deep, samples=3, noise=0.5)
    assert not torch.allclose(noisy, plus_plus(*deep), rtol=0.01)
    assert torch.equal(noisy, plus_plus(*deep, samples=3, noise=0.5))
    with methods.SmoothGradCAMpp(network, "features", num_samples=2, std=1e-9) as oracle:
        scores = network(inputs.clone().requires_grad_())
        (found,) = oracle(CLASSES.tolist(), scores, normalized=False)
    assert torch.allclose(scaled(plus_plus(*given)), scaled(found), atol=0.01)


def test_score_cam_weighs_by_what_each_masked_image_scores():
    """One map alone: whatever its score, softmax gives it weight 1, and the map is the answer."""
    torch.manual_seed(2)
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Flatten(), nn.Linear(36, 3)).eval()
    inputs = torch.randn(2, 1, 6, 6)

    for method in ("score-cam", "ss-cam"):
        found = class_maps(network, inputs, torch.tensor([1, 2]), method=method, layer="0")
        with torch.no_grad():
            expected = scaled(network[0](inputs)[:, 0])
        assert torch.allclose(found, expected, atol=1e-5), method


@pytest.mark.parametrize("method", [*METHODS])
def test_each_method_repeats_itself_and_stays_between_0_and_1(network, inputs, method):
    first, second = maps_of(network, inputs, method), maps_of(network, inputs, method)

    assert torch.equal(first, second)
    assert first.shape == (5, 9, 7)
    assert torch.isfinite(first).all()
    assert first.amin() >= 0
    assert torch.equal(first.amax(dim=(1, 2)), torch.ones(5))


def test_a_map_that_speaks_nowhere_for_the_class_is_zero():
    assert torch.equal(scaled(torch.full((1, 2, 2), -3.0)), torch.zeros(1, 2, 2))


@pytest.mark.parametrize("name", ["nin", "resnet18"])
def test_our_networks_with_averaged_maps_have_a_cam_like_grad_cam(name):
    entry = models.find(name)
    options = {"stem": "small"} if name == "resnet18" else {"width": 24}
    torch.manual_seed(0)
    network = entry.build(10, channels=1, size=28, **options).eval()
    inputs, classes = torch.randn(2, 1, 28, 28), torch.tensor([3, 7])
    where = {"layer": entry.cam_layer, "classifier": entry.classifier}

    cam = class_maps(network, inputs, classes, method="cam", **where)

    assert cam.amax() > 0
    assert torch.allclose(
        class_maps(network, inputs, classes, method="grad-cam", **where), cam, atol=1e-3
    )


def test_cam_is_refused_where_it_means_nothing():
    entry = models.find("lenet5")
    with pytest.raises(ExplainError, match=r"averages its last maps.*grad-cam"):
        class_maps(
            entry.build(10),
            torch.zeros(1, 1, 28, 28),
            torch.tensor([0]),
            method="cam",
            layer=entry.cam_layer,
            classifier=entry.classifier,
        )


def test_an_unknown_layer_or_method_is_named(network, inputs):
    with pytest.raises(ExplainError, match=r"no layer 'layer4'.*features"):
        class_maps(network, inputs, CLASSES, method="grad-cam", layer="layer4")
    with pytest.raises(ExplainError, match=r"no method 'gradcam'"):
        class_maps(network, inputs, CLASSES, method="gradcam", layer="features")
