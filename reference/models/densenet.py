"""DenseNet: Huang, Liu, van der Maaten and Weinberger, CVPR 2017, arXiv:1608.06993.

This file needs torch and torchvision only: it travels into the code bundles of its models.
"""

from __future__ import annotations

import torchvision
from torch import nn


class DenseNet(torchvision.models.DenseNet):
    """torchvision's DenseNet: each layer of a block takes what all earlier ones gave.

    `growth` is the number of maps that a layer adds, `layers` how many a block has, `stem` the
    maps of the first convolution.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an input too small to be halved five times.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 3,
        size: int = 224,
        *,
        growth: int = 32,
        layers: tuple[int, ...] = (6, 12, 24, 16),
        stem: int = 64,
    ) -> None:
        if size < 32:
            raise ValueError(f"images of {size}×{size} are too small to be halved five times")
        super().__init__(growth, layers, stem, num_classes=num_classes)
        if channels != 3:
            first = nn.Conv2d(channels, stem, 7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(first.weight)
            self.features.conv0 = first
