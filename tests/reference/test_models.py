"""The registry and every model in it."""

from __future__ import annotations

import ast
import dataclasses

import pytest
import torch
from torch.nn import functional

from reference import models
from reference.errors import ModelError
from reference.models.registry import Entry

ENTRIES = [models.find(name) for name in models.names()]
EVERY_MODEL = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)


def convolution(inputs: int, outputs: int, kernel: int) -> int:
    return outputs * (inputs * kernel**2 + 1)


def linear(inputs: int, outputs: int) -> int:
    return outputs * (inputs + 1)


# by hand from the layers that the papers and reports give
COUNTS = {
    "lenet5": convolution(1, 6, 5)
    + convolution(6, 16, 5)
    + linear(16 * 5 * 5, 120)
    + linear(120, 84)
    + linear(84, 10),
    "simple_cnn": convolution(1, 10, 5) + convolution(10, 20, 5) + linear(320, 50) + linear(50, 10),
    "mynet": convolution(3, 10, 5) + convolution(10, 20, 5) + linear(56_180, 500) + linear(500, 19),
    "mynet_pro": convolution(3, 64, 11)
    + convolution(64, 192, 5)
    + convolution(192, 384, 3)
    + convolution(384, 256, 3)
    + convolution(256, 256, 3)
    + 2 * (64 + 192 + 384 + 256 + 256)
    + linear(9_216, 4096)
    + linear(4096, 4096)
    + linear(4096, 19),
    "nin": convolution(3, 192, 5)
    + convolution(192, 160, 1)
    + convolution(160, 96, 1)
    + convolution(96, 192, 5)
    + 2 * convolution(192, 192, 1)
    + convolution(192, 192, 3)
    + convolution(192, 192, 1)
    + convolution(192, 10, 1),
    # no biases before batch normalisation, which has two values a map
    "small_cnn": 9 * (1 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128)
    + 2 * (32 + 64 + 64 + 128 + 128)
    + linear(128 * 3 * 3, 10),
}


@EVERY_MODEL
def test_parameter_count_is_that_of_the_source(entry: Entry):
    with torch.device("meta"):  # shapes without weights
        model = entry.build(entry.classes)

    built = sum(weight.numel() for weight in model.parameters())
    assert built == entry.parameters == COUNTS[entry.name]


@EVERY_MODEL
def test_smallest_input_goes_forward_and_backward(entry: Entry):
    model = entry.build(7, channels=3, size=entry.smallest)

    scores = model(torch.rand(4, 3, entry.smallest, entry.smallest))
    functional.cross_entropy(scores, torch.tensor([0, 1, 2, 6])).backward()

    assert scores.shape == (4, 7)
    assert all(weight.grad is not None for weight in model.parameters())
    with pytest.raises(ValueError, match="too small"):
        entry.build(7, size=entry.smallest - 1)


@pytest.mark.parametrize("name", ["lenet5", "simple_cnn", "small_cnn", "mynet", "nin"])
def test_overfits_32_images(name: str):
    torch.manual_seed(0)
    entry = models.find(name)
    images, labels = torch.rand(32, 1, 20, 20) - 0.5, torch.arange(32) % 10
    # sigmoids learn this too, but in minutes; dropout only slows it down
    easier = {"activation": "relu", "dropout": 0.0, "width": 48}
    options = {key: value for key, value in easier.items() if key in entry.options}
    model = entry.build(10, channels=1, size=20, **options)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)

    for _ in range(80):
        loss = functional.cross_entropy(model(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    assert loss.item() < 0.05


@EVERY_MODEL
def test_named_modules_are_what_the_entry_says(entry: Entry):
    with torch.device("meta"):
        model = entry.build(10)

    assert isinstance(model.get_submodule(entry.first_conv), torch.nn.Conv2d)
    classifier = model.get_submodule(entry.classifier)
    assert classifier.weight.shape[0] == 10
    assert classifier is [each for each in model.modules() if hasattr(each, "weight")][-1]
    assert model.get_submodule(entry.cam_layer)


@EVERY_MODEL
def test_family_file_needs_torch_only(entry: Entry):
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(entry.source_file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }

    assert {name.split(".")[0] for name in imported} <= {
        "__future__",
        "torch",
        "collections",
        "math",
    }


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("pooling", ["avg", "max"])
@pytest.mark.parametrize(("kernel", "pool"), [(3, 2), (4, 2), (5, 2), (5, 1)])
def test_every_lenet5_of_the_report_can_be_built(
    activation: str, pooling: str, kernel: int, pool: int
):
    model = models.find("lenet5").build(
        10, activation=activation, pooling=pooling, kernel=kernel, pool=pool
    )

    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(("kernel", "convs", "flattened"), [(5, 1, 320), (3, 1, 500), (3, 2, 320)])
def test_every_simple_cnn_of_the_report_can_be_built(kernel: int, convs: int, flattened: int):
    model = models.find("simple_cnn").build(10, kernel=kernel, convs=convs)

    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert model.classifier[1].in_features == flattened


def test_unknown_names_are_told_the_nearest():
    with pytest.raises(ModelError, match="did you mean lenet5"):
        models.find("lenet_5")
    with pytest.raises(ModelError, match="did you mean pooling"):
        models.find("lenet5").build(10, poling="max")
    with pytest.raises(ModelError, match="takes int"):
        models.find("lenet5").build(10, kernel="5")


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="registered already"):
        models.register(dataclasses.replace(models.find("lenet5")))
