"""AlexNet for one device: Krizhevsky 2014, arXiv:1404.5997.

This file needs torch and torchvision only: it travels into the code bundles of its models.
"""

from __future__ import annotations

import torchvision
from torch import nn


class AlexNet(torchvision.models.AlexNet):
    """torchvision's AlexNet; its first fully connected layer takes the maps as they come.

    At 224×224 these are 6×6 as in the paper; torchvision would stretch smaller ones to that size.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an input too small for three poolings.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 3,
        size: int = 224,
        *,
        units: int = 4096,
        dropout: float = 0.5,
    ) -> None:
        side = (size + 4 - 11) // 4 + 1
        for _ in range(3):
            side = (side - 3) // 2 + 1
        if side < 1:
            raise ValueError(f"images of {size}×{size} are too small for three poolings")
        super().__init__(num_classes=num_classes, dropout=dropout)
        if channels != 3:
            self.features[0] = nn.Conv2d(channels, 64, 11, stride=4, padding=2)
        self.avgpool = nn.Identity()
        self.classifier[1] = nn.Linear(256 * side * side, units)
        self.classifier[4] = nn.Linear(units, units)
        self.classifier[6] = nn.Linear(units, num_classes)
