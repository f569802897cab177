"""The two networks of report 000: a plain one, and one after AlexNet with batch normalisation.

This file needs torch only: it travels into the code bundles of its models.
"""

from __future__ import annotations

from torch import Tensor, nn


class MyNet(nn.Module):
    """Two 5×5 convolutions (10 and 20 maps), each max-pooled, one ReLU, then 500 units, K.

    There is no nonlinearity between the convolutions but the pooling: so the report has it.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an input too small for the kernels.
    """

    def __init__(self, num_classes: int, channels: int = 3, size: int = 224) -> None:
        super().__init__()
        side = ((size - 4) // 2 - 4) // 2
        if side < 1:
            raise ValueError(f"images of {size}×{size} are too small for two 5×5 kernels")
        self.features = nn.Sequential(
            nn.Conv2d(channels, 10, 5),
            nn.MaxPool2d(2),
            nn.Conv2d(10, 20, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(20 * side * side, 500),
            nn.ReLU(),
            nn.Linear(500, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images))
        return logits


class MyNetPro(nn.Module):
    """AlexNet's layers (Krizhevsky 2014) with batch normalisation after each convolution.

    `units` are those of the two hidden layers, `dropout` what is dropped before each.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an input too small for the kernels.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 3,
        size: int = 224,
        *,
        units: int = 4096,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        side = (size + 4 - 11) // 4 + 1
        for _ in range(3):
            side = (side - 3) // 2 + 1
        if side < 1:
            raise ValueError(f"images of {size}×{size} are too small for three poolings")
        self.features = nn.Sequential(
            *_normalised(nn.Conv2d(channels, 64, 11, stride=4, padding=2)),
            nn.MaxPool2d(3, stride=2),
            *_normalised(nn.Conv2d(64, 192, 5, padding=2)),
            nn.MaxPool2d(3, stride=2),
            *_normalised(nn.Conv2d(192, 384, 3, padding=1)),
            *_normalised(nn.Conv2d(384, 256, 3, padding=1)),
            *_normalised(nn.Conv2d(256, 256, 3, padding=1)),
            nn.MaxPool2d(3, stride=2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(256 * side * side, units),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(units, units),
            nn.ReLU(inplace=True),
            nn.Linear(units, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _normalised(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]
