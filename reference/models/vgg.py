"""VGG: Simonyan and Zisserman, ICLR 2015, arXiv:1409.1556.

This file needs torch and torchvision only: it travels into the code bundles of its models.
"""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

# configurations of the paper's table 1, by the number of weight layers
CONFIGURATIONS = {11: "A", 13: "B", 16: "D", 19: "E"}


class VGG(nn.Module):
    """The paper's network of `depth` weight layers, with batch normalisation or without.

    The layers are torchvision's by name and shape, so that its weights load into them.

    The first fully connected layer takes the maps as they come, which at 224×224 are 7×7 as in
    the paper; torchvision would stretch smaller ones to that size. `units` are those of the two
    hidden layers.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an unknown depth, or an input too small for five poolings.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 3,
        size: int = 224,
        *,
        depth: int = 16,
        batch_norm: bool = False,
        units: int = 4096,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        side = _side(size)
        self.features = _features(depth, channels, batch_norm=batch_norm)
        self.classifier = nn.Sequential(
            nn.Linear(512 * side * side, units),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(units, units),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(units, num_classes),
        )
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images).flatten(1))
        return logits


class SmallVGG(nn.Module):
    """VGG's convolutions for small images, with a single linear layer on top.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an unknown depth, or an input too small for five poolings.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 3,
        size: int = 32,
        *,
        depth: int = 16,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        side = _side(size)
        self.features = _features(depth, channels, batch_norm=batch_norm)
        self.classifier = nn.Linear(512 * side * side, num_classes)
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images).flatten(1))
        return logits


def _side(size: int) -> int:
    """Height and width of the last maps: five poolings, each halving."""
    if size < 32:
        raise ValueError(f"images of {size}×{size} are too small for five poolings")
    return size // 32


def _features(depth: int, channels: int, *, batch_norm: bool) -> nn.Sequential:
    if depth not in CONFIGURATIONS:
        known = ", ".join(map(str, CONFIGURATIONS))
        raise ValueError(f"there is no VGG of depth {depth}: {known}")
    layers: nn.Sequential = make_layers(cfgs[CONFIGURATIONS[depth]], batch_norm=batch_norm)
    layers[0] = nn.Conv2d(channels, 64, 3, padding=1)
    return layers


def _initialise(network: nn.Module) -> None:
    """He et al. 2015 for convolutions, small normal values for linear layers, as torchvision."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01)
            nn.init.zeros_(module.bias)
