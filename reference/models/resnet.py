"""Residual networks, each a block and its number a stage: He et al. 2016 and what came of it.

The network is torchvision's, so that its weights load into it; stem, head and some of the blocks
are ours. This file needs torch and torchvision only: it travels into the code bundles of its
models.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torchvision
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

Choice = TypeVar("Choice")

SE_REDUCTION = 16
DUAL_KERNEL = 5


class SqueezeExcitation(nn.Module):
    """Weighs channels by what they hold on average: Hu, Shen and Sun 2018, arXiv:1709.01507.

    Shapes: N×C×H×W → the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // SE_REDUCTION, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // SE_REDUCTION, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        weighed: Tensor = maps * self.weigh(maps)
        return weighed


class SEBasicBlock(BasicBlock):
    """Two 3×3 convolutions and squeeze-and-excitation before the shortcut is added."""

    def __init__(self, inplanes: int, planes: int, *arguments: object, **named: object) -> None:
        super().__init__(inplanes, planes, *arguments, **named)
        self.se = SqueezeExcitation(planes)

    def forward(self, maps: Tensor) -> Tensor:
        shortcut = maps if self.downsample is None else self.downsample(maps)
        out = self.relu(self.bn1(self.conv1(maps)))
        out = self.se(self.bn2(self.conv2(out)))
        added: Tensor = self.relu(out + shortcut)
        return added


class SEBottleneck(Bottleneck):
    """A bottleneck with squeeze-and-excitation before the shortcut is added."""

    def __init__(self, inplanes: int, planes: int, *arguments: object, **named: object) -> None:
        super().__init__(inplanes, planes, *arguments, **named)
        self.se = SqueezeExcitation(planes * self.expansion)

    def forward(self, maps: Tensor) -> Tensor:
        shortcut = maps if self.downsample is None else self.downsample(maps)
        out = self.relu(self.bn1(self.conv1(maps)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.se(self.bn3(self.conv3(out)))
        added: Tensor = self.relu(out + shortcut)
        return added


class _TwoLayerBlock(nn.Module):
    """What torchvision's network asks of a block; `residue` is what differs."""

    expansion = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.downsample = downsample
        self.relu = nn.ReLU(inplace=True)
        self.build(inplanes, planes, stride, groups, base_width)

    def build(self, inputs: int, outputs: int, stride: int, groups: int, base_width: int) -> None:
        raise NotImplementedError

    def residue(self, maps: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, maps: Tensor) -> Tensor:
        shortcut = maps if self.downsample is None else self.downsample(maps)
        added: Tensor = self.relu(self.residue(maps) + shortcut)
        return added


class GroupedBasicBlock(_TwoLayerBlock):
    """The block of report 004's ResNeXt18: a basic block, the second convolution in groups.

    ResNeXt (Xie et al. 2017, arXiv:1611.05431) has no form for blocks of two layers, where groups
    alone would be a wider basic block. Here the first convolution mixes all channels into
    `groups` × `base_width`/64 × `outputs`, and the second works within the groups.
    """

    def build(self, inputs: int, outputs: int, stride: int, groups: int, base_width: int) -> None:
        width = (
            outputs * base_width // 64 * groups
            if base_width >= 64
            else (outputs * base_width * groups // 64)
        )
        self.path = nn.Sequential(
            *_normalised(inputs, width, 3, stride),
            nn.ReLU(inplace=True),
            *_normalised(width, outputs, 3, 1, groups),
        )

    def residue(self, maps: Tensor) -> Tensor:
        out: Tensor = self.path(maps)
        return out


class DualPathBlock(_TwoLayerBlock):
    """DLResNet's first design (report 004): two whole paths, 3×3 and 5×5, added at the end.

    The report gives the second kernel as "another"; 5×5 is the next one.
    """

    def build(self, inputs: int, outputs: int, stride: int, groups: int, base_width: int) -> None:
        self.narrow, self.wide = (
            nn.Sequential(
                *_normalised(inputs, outputs, kernel, stride),
                nn.ReLU(inplace=True),
                *_normalised(outputs, outputs, kernel, 1),
            )
            for kernel in (3, DUAL_KERNEL)
        )

    def residue(self, maps: Tensor) -> Tensor:
        out: Tensor = self.narrow(maps) + self.wide(maps)
        return out


class DualLayerBlock(_TwoLayerBlock):
    """DLResNet's second design: the two paths are added after each layer, not only at the end."""

    def build(self, inputs: int, outputs: int, stride: int, groups: int, base_width: int) -> None:
        self.narrow1, self.wide1 = (
            nn.Sequential(*_normalised(inputs, outputs, kernel, stride))
            for kernel in (3, DUAL_KERNEL)
        )
        self.narrow2, self.wide2 = (
            nn.Sequential(*_normalised(outputs, outputs, kernel, 1)) for kernel in (3, DUAL_KERNEL)
        )

    def residue(self, maps: Tensor) -> Tensor:
        middle = self.relu(self.narrow1(maps) + self.wide1(maps))
        out: Tensor = self.narrow2(middle) + self.wide2(middle)
        return out


BLOCKS: dict[str, type[nn.Module]] = {
    "basic": BasicBlock,
    "bottleneck": Bottleneck,
    "se_basic": SEBasicBlock,
    "se_bottleneck": SEBottleneck,
    "grouped_basic": GroupedBasicBlock,
    "dual_path": DualPathBlock,
    "dual_layer": DualLayerBlock,
}
# the first convolution's kernel and stride, and whether a max-pooling follows; in all the network
# then makes images so many times smaller
STEMS: dict[str, tuple[int, int, bool]] = {
    "imagenet": (7, 2, True),
    "3x3": (3, 2, True),
    "small": (3, 1, False),
}
REDUCTIONS = {"imagenet": 32, "3x3": 32, "small": 8}


class ResNet(torchvision.models.ResNet):
    """Four stages of `layers` blocks, 64 to 512 channels wide, between a stem and a linear layer.

    Args:
        block, layers: a key of `BLOCKS`, and how many of them each stage has.
        groups, width_per_group: as Xie et al. 2017 and Zagoruyko and Komodakis 2016 vary them.
        stem: `imagenet` (7×7, stride 2, max-pooling); `3x3` with the smaller kernel only; `small`,
            which also keeps the resolution: no stride, no pooling. So report 003 has them.
        head_units: units of one more fully connected layer with ReLU; 0: none.
        shortcut_norm: batch normalisation where a shortcut changes the shape; without, as in
            *Dive into Deep Learning*, which report 002 took its ResNet-18 from.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an unknown block or stem, or an input smaller than one value of the last maps.
    """

    fc: Any  # a linear layer, or a pile of them

    def __init__(
        self,
        num_classes: int,
        channels: int = 3,
        size: int = 224,
        *,
        block: str = "basic",
        layers: tuple[int, ...] = (2, 2, 2, 2),
        groups: int = 1,
        width_per_group: int = 64,
        stem: str = "imagenet",
        head_units: int = 0,
        shortcut_norm: bool = True,
    ) -> None:
        kernel, stride, pooled = _choose("stem", stem, STEMS)
        if size < REDUCTIONS[stem]:
            raise ValueError(f"images of {size}×{size} are too small for the stem {stem!r}")
        super().__init__(
            _choose("block", block, BLOCKS),
            list(layers),
            num_classes=num_classes,
            groups=groups,
            width_per_group=width_per_group,
        )
        if (channels, stem) != (3, "imagenet"):
            self.conv1 = _initialised(
                nn.Conv2d(channels, 64, kernel, stride, padding=kernel // 2, bias=False)
            )
        if not pooled:
            self.maxpool = nn.Identity()
        if head_units:
            self.fc = nn.Sequential(
                nn.Linear(self.fc.in_features, head_units),
                nn.ReLU(inplace=True),
                nn.Linear(head_units, num_classes),
            )
        if not shortcut_norm:
            self._take_norms_off_shortcuts()

    def _take_norms_off_shortcuts(self) -> None:
        for module in self.modules():
            shortcut = getattr(module, "downsample", None)
            if isinstance(shortcut, nn.Sequential) and isinstance(shortcut[0], nn.Conv2d):
                plain = shortcut[0]
                module.downsample = _initialised(
                    nn.Conv2d(plain.in_channels, plain.out_channels, 1, plain.stride[0])
                )


def _normalised(
    inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1
) -> list[nn.Module]:
    convolution = nn.Conv2d(
        inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False
    )
    return [convolution, nn.BatchNorm2d(outputs)]


def _initialised(convolution: nn.Conv2d) -> nn.Conv2d:
    """With weights drawn as torchvision draws the others."""
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution


def _choose(what: str, name: str, choices: dict[str, Choice]) -> Choice:
    if name not in choices:
        raise ValueError(f"{what} {name!r} is not one of {', '.join(choices)}")
    return choices[name]
