"""Inception-v3: Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, CVPR 2016, arXiv:1512.00567.

This file needs torch and torchvision only: it travels into the code bundles of its models.
"""

from __future__ import annotations

import torchvision
from torchvision.models.inception import BasicConv2d


class InceptionV3(torchvision.models.Inception3):
    """torchvision's Inception-v3 without the auxiliary classifier, so that it gives logits only.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an input smaller than 75×75, where the last maps would be empty.
    """

    def __init__(
        self, num_classes: int, channels: int = 3, size: int = 299, *, dropout: float = 0.5
    ) -> None:
        if size < 75:
            raise ValueError(f"images of {size}×{size} are too small; it takes 75×75 and more")
        super().__init__(
            num_classes=num_classes, aux_logits=False, init_weights=False, dropout=dropout
        )
        if channels != 3:
            self.Conv2d_1a_3x3 = BasicConv2d(channels, 32, kernel_size=3, stride=2)
