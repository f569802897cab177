"""The registry and every model in it, held against the papers."""

from __future__ import annotations

import ast
import dataclasses

import pytest
import torch
from torch import nn
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


def normalised(inputs: int, outputs: int, kernel: int, groups: int = 1) -> int:
    """A convolution without biases, and batch normalisation, which has two values a map."""
    return outputs * inputs * kernel**2 // groups + 2 * outputs


def excitation(channels: int) -> int:
    return linear(channels, channels // 16) + linear(channels // 16, channels)


# inputs and outputs of the blocks of a ResNet with 18 and 34 layers
STAGES_18 = [(64, 64), (64, 64), (64, 128), (128, 128)]
STAGES_18 += [(128, 256), (256, 256), (256, 512), (512, 512)]
STAGES_34 = [(64, 64)] * 3 + [(64, 128)] + [(128, 128)] * 3
STAGES_34 += [(128, 256)] + [(256, 256)] * 5 + [(256, 512)] + [(512, 512)] * 2


def basic(inputs: int, outputs: int) -> int:
    return normalised(inputs, outputs, 3) + normalised(outputs, outputs, 3)


def squeezed(inputs: int, outputs: int) -> int:
    return basic(inputs, outputs) + excitation(outputs)


def grouped(inputs: int, outputs: int) -> int:
    return normalised(inputs, 2 * outputs, 3) + normalised(2 * outputs, outputs, 3, groups=32)


def dual(inputs: int, outputs: int) -> int:
    wide = normalised(inputs, outputs, 5) + normalised(outputs, outputs, 5)
    return basic(inputs, outputs) + wide


def residual(block, stages: list[tuple[int, int]]) -> int:
    shortcuts = sum(normalised(*stage, 1) for stage in stages if stage[0] != stage[1])
    blocks = sum(block(*stage) for stage in stages)
    return normalised(3, 64, 7) + blocks + shortcuts + linear(512, 1000)


def shake_shake(width: int) -> int:
    stages = [(16, width)] + [(width, width)] * 3
    stages += [(width, 2 * width)] + [(2 * width, 2 * width)] * 3
    stages += [(2 * width, 4 * width)] + [(4 * width, 4 * width)] * 3
    shortcuts = sum(normalised(*stage, 1) for stage in stages if stage[0] != stage[1])
    branches = 2 * sum(basic(*stage) for stage in stages)
    return normalised(3, 16, 3) + branches + shortcuts + linear(4 * width, 10)


# by hand, from the layers that the papers and reports give
BY_HAND = {
    "lenet1": convolution(1, 4, 5) + convolution(4, 12, 5) + linear(12 * 4 * 4, 10),
    "lenet4": convolution(1, 4, 5)
    + convolution(4, 16, 5)
    + linear(16 * 5 * 5, 120)
    + linear(120, 10),
    "lenet5_published": convolution(1, 6, 5)
    + 2 * 6
    + 60 * 25
    + 16
    + 2 * 16
    + convolution(16, 120, 5)
    + linear(120, 84),
    "linear": linear(784, 10),
    "mlp": linear(784, 300) + linear(300, 10),
    "mlp_2": linear(784, 300) + linear(300, 100) + linear(100, 10),
    "lenet5": convolution(1, 6, 5)
    + convolution(6, 16, 5)
    + linear(16 * 5 * 5, 120)
    + linear(120, 84)
    + linear(84, 10),
    "lenet_tutorial": convolution(3, 6, 5)
    + convolution(6, 16, 5)
    + linear(400, 120)
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
    "small_cnn": sum(
        normalised(*layer, 3) for layer in [(1, 32), (32, 64), (64, 64), (64, 128), (128, 128)]
    )
    + linear(128 * 3 * 3, 10),
    "vgg16_small": sum(
        convolution(*layer, 3) + 2 * layer[1]
        for layer in [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256)]
        + [(256, 256)] * 2
        + [(256, 512)]
        + [(512, 512)] * 5
    )
    + linear(512, 10),
    "se_resnet18": residual(squeezed, STAGES_18),
    "se_resnet34": residual(squeezed, STAGES_34),
    "resnext18": residual(grouped, STAGES_18),
    "dlresnet18_a": residual(dual, STAGES_18),
    "dlresnet18_b": residual(dual, STAGES_18),
    "shake_shake": shake_shake(32),
}
# torchvision's documentation, "Table of all available classification weights"
PUBLISHED = {
    "alexnet": 61_100_840,
    "efficientnet_lite0": 4_652_008,
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    # 28.1 M in the paper's table; this is the authors' own model
    "se_resnet50": 28_088_024,
    "resnext50": 25_028_904,
    "resnext101": 88_791_336,
    "wide_resnet50": 68_883_240,
    "wide_resnet101": 126_886_696,
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    # less the auxiliary classifier: two normalised convolutions and a linear layer
    "inception_v3": 27_161_264
    - normalised(768, 128, 1)
    - normalised(128, 768, 5)
    - linear(768, 1000),
}
# channels, height and width of the last maps, in the papers' tables
LAST_MAPS = {
    "efficientnet_lite0": (1280, 7, 7),
    "linear": (10, 1, 1),
    "mlp": (300, 1, 1),
    "mlp_2": (300, 1, 1),
    "lenet5_published": (16, 5, 5),
    "lenet1": (12, 8, 8),
    "lenet4": (16, 10, 10),
    "lenet5": (16, 10, 10),
    "lenet_tutorial": (16, 10, 10),
    "simple_cnn": (20, 4, 4),
    "mynet": (20, 53, 53),
    "mynet_pro": (256, 6, 6),
    "nin": (192, 8, 8),
    "small_cnn": (128, 3, 3),
    "vgg16_small": (512, 2, 2),
    "shake_shake": (128, 8, 8),
    "alexnet": (256, 13, 13),
    "densenet121": (1024, 7, 7),
    "densenet161": (2208, 7, 7),
    "inception_v3": (2048, 8, 8),
    **{name: (512, 14, 14) for name in models.names() if models.find(name).builder == "VGG"},
    **dict.fromkeys(("resnet18", "resnet34", "se_resnet18", "se_resnet34"), (512, 7, 7)),
    **dict.fromkeys(("resnext18", "dlresnet18_a", "dlresnet18_b"), (512, 7, 7)),
    **dict.fromkeys(("resnet50", "resnet101", "resnet152", "se_resnet50"), (2048, 7, 7)),
    **dict.fromkeys(("resnext50", "resnext101"), (2048, 7, 7)),
    **dict.fromkeys(("wide_resnet50", "wide_resnet101"), (2048, 7, 7)),
}


def without_weights(entry: Entry, **options: models.registry.Option) -> nn.Module:
    """The model as registered, its shapes without its weights: quick however large it is."""
    with torch.device("meta"):
        return entry.build(entry.classes, **options)


def count(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


@EVERY_MODEL
def test_parameter_count_is_that_of_the_source(entry: Entry):
    source = {**BY_HAND, **PUBLISHED}[entry.name]

    assert count(without_weights(entry)) == entry.parameters == source


@pytest.mark.parametrize("name", ["se_resnet18", "se_resnet50"])
def test_squeeze_and_excitation_stands_before_the_shortcut(name: str):
    model = models.find(name).build(10, size=32).eval()
    block = model.layer1[1]
    for each in block.se.weigh:
        if isinstance(each, nn.Conv2d):
            nn.init.zeros_(each.weight)
            nn.init.constant_(each.bias, -100.0)  # a sigmoid of nothing: every channel weighs 0

    maps = torch.rand(2, block.conv1.in_channels, 8, 8)
    with torch.inference_mode():
        assert torch.equal(block(maps), maps)


def test_wider_shake_shake_has_the_papers_millions():
    wide = without_weights(models.find("shake_shake"), width=64)

    assert round(count(without_weights(models.find("shake_shake"))) / 1e6, 1) == 2.9
    assert round(count(wide) / 1e6, 1) == 11.7
    assert count(wide) == shake_shake(64)


@EVERY_MODEL
def test_last_maps_have_the_papers_shape(entry: Entry):
    model = without_weights(entry).eval()
    seen = []
    model.get_submodule(entry.cam_layer).register_forward_hook(
        lambda module, inputs, output: seen.append(tuple(output.shape[1:]))
    )

    scores = model(torch.empty(1, entry.channels, entry.size, entry.size, device="meta"))

    assert scores.shape == (1, entry.classes)
    assert seen == [LAST_MAPS[entry.name]]


@EVERY_MODEL
def test_named_modules_are_what_the_entry_says(entry: Entry):
    model = without_weights(entry)
    weighted = [each for each in model.modules() if isinstance(each, nn.Conv2d | nn.Linear)]

    assert model.get_submodule(entry.first_conv) is weighted[0]
    assert model.get_submodule(entry.classifier) is weighted[-1]
    assert weighted[0].in_channels == entry.channels
    assert weighted[-1].weight.shape[0] == entry.classes


@EVERY_MODEL
def test_smallest_input_goes_forward_and_backward(entry: Entry):
    model = entry.build(7, channels=2, size=entry.smallest)

    scores = model(torch.rand(4, 2, entry.smallest, entry.smallest))
    functional.cross_entropy(scores, torch.tensor([0, 1, 2, 6])).backward()

    assert scores.shape == (4, 7)
    assert torch.isfinite(scores).all()
    assert all(weight.grad is not None for weight in model.parameters() if weight.requires_grad)
    with pytest.raises(ValueError, match="too small"), torch.device("meta"):
        entry.build(7, size=entry.smallest - 1)


@pytest.mark.parametrize(
    "name",
    ["lenet1", "lenet4", "lenet5", "simple_cnn", "small_cnn", "mynet", "nin", "shake_shake"],
)
def test_overfits_32_images(name: str):
    torch.manual_seed(0)
    entry = models.find(name)
    images, labels = torch.rand(32, 1, 16, 16) - 0.5, torch.arange(32) % 10
    # sigmoids learn this too, but in minutes; dropout only slows it down
    easier = {"activation": "relu", "pooling": "max", "dropout": 0.0, "blocks": 1}
    narrower = {"width": 24 if name == "shake_shake" else 48}
    options = {key: value for key, value in {**easier, **narrower}.items() if key in entry.options}
    model = entry.build(10, channels=1, size=16, **options)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)

    for _ in range(200):
        loss = functional.cross_entropy(model(images), labels)
        if loss.item() < 0.05:
            return
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    pytest.fail(f"after 200 steps the loss is still {loss.item()}")


@EVERY_MODEL
def test_family_file_needs_its_library_only(entry: Entry):
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(entry.source_file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }

    plain = {"__future__", "collections", "math", "typing", "torch"}
    assert {name.split(".")[0] for name in imported} <= {*plain, entry.library}


@pytest.mark.parametrize("name", ["lenet1", "lenet4", "lenet5"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("pooling", ["avg", "max"])
@pytest.mark.parametrize(("kernel", "pool"), [(3, 2), (4, 2), (5, 2), (5, 1)])
def test_every_lenet_of_the_report_can_be_built(
    name: str, activation: str, pooling: str, kernel: int, pool: int
):
    model = models.find(name).build(
        10, activation=activation, pooling=pooling, kernel=kernel, pool=pool
    )

    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(("kernel", "convs", "flattened"), [(5, 1, 320), (3, 1, 500), (3, 2, 320)])
def test_every_simple_cnn_of_the_report_can_be_built(kernel: int, convs: int, flattened: int):
    model = models.find("simple_cnn").build(10, kernel=kernel, convs=convs)

    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert model.classifier[1].in_features == flattened


@pytest.mark.parametrize(
    ("options", "maps"),
    [
        ({"stem": "imagenet"}, 1),
        ({"stem": "3x3"}, 1),
        ({"stem": "small"}, 4),
        ({"stem": "small", "head_units": 512}, 4),
    ],
)
def test_every_stem_of_the_ablation_can_be_built(options: dict[str, str | int], maps: int):
    model = models.find("resnet18").build(20, size=32, **options)
    seen = []
    model.layer4.register_forward_hook(lambda _, inputs, output: seen.append(output.shape[-1]))

    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 20)
    assert seen == [maps]


def test_shortcuts_without_normalisation_are_those_of_dive_into_deep_learning():
    entry = models.find("resnet18")

    plain = without_weights(entry, shortcut_norm=False)

    # two values of batch normalisation a map become one bias
    assert count(without_weights(entry)) - count(plain) == 128 + 256 + 512
    assert plain(torch.empty(1, 3, 96, 96, device="meta")).shape == (1, 1000)


def test_shake_shake_is_random_in_training_only():
    torch.manual_seed(0)
    model = models.find("shake_shake").build(10, blocks=1)
    images = torch.rand(4, 3, 32, 32)

    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))


def test_shake_goes_back_by_another_share_than_forward():
    from reference.models.shake_shake import Shake

    first = torch.tensor([1.0], requires_grad=True)
    second = torch.tensor([10.0], requires_grad=True)

    mixed = Shake.apply(first, second, torch.tensor([0.25]), torch.tensor([0.75]))
    mixed.backward(torch.tensor([2.0]))

    assert mixed.item() == 0.25 * 1 + 0.75 * 10
    assert (first.grad.item(), second.grad.item()) == (0.75 * 2, 0.25 * 2)


def test_torchvisions_weights_fit_by_name_and_shape():
    import torchvision

    for name, builder in {
        "resnet34": torchvision.models.resnet34,
        "resnext50": torchvision.models.resnext50_32x4d,
        "wide_resnet50": torchvision.models.wide_resnet50_2,
        "vgg16_bn": torchvision.models.vgg16_bn,
        "alexnet": torchvision.models.alexnet,
        "densenet161": torchvision.models.densenet161,
        "inception_v3": lambda: torchvision.models.inception_v3(
            aux_logits=False, init_weights=False
        ),
    }.items():
        with torch.device("meta"):
            theirs = builder().state_dict()
        ours = without_weights(models.find(name)).state_dict()
        shapes = {key: value.shape for key, value in ours.items()}
        assert shapes == {key: value.shape for key, value in theirs.items()}


def test_unknown_names_are_told_the_nearest():
    with pytest.raises(ModelError, match="did you mean lenet5"):
        models.find("lenet_5")
    with pytest.raises(ModelError, match="did you mean pooling"):
        models.find("lenet5").build(10, poling="max")
    with pytest.raises(ModelError, match="takes int"):
        models.find("lenet5").build(10, kernel="5")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lenet5", {"activation": "selu"}, "activation 'selu' is not one of sigmoid"),
        ("resnet18", {"stem": "big"}, "stem 'big' is not one of imagenet"),
        ("resnet18", {"block": "plain"}, "block 'plain' is not one of basic"),
        ("vgg16", {"depth": 12}, "no VGG of depth 12: 11, 13, 16, 19"),
    ],
)
def test_a_value_that_is_none_of_the_choices_is_refused(
    name: str, options: dict[str, str | int], message: str
):
    with pytest.raises(ValueError, match=message):
        models.find(name).build(10, **options)


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="registered already"):
        models.register(dataclasses.replace(models.find("lenet5")))
