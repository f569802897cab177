"""The small plain CNN that a course hands out as its starting point.

This file needs torch only: it travels into the code bundles of its models.
"""

from __future__ import annotations

from torch import Tensor, nn


class SimpleCNN(nn.Module):
    """Two stages of convolution, 2×2 max pooling and ReLU (10 and 20 maps), then 50 units, K.

    `convs` is the number of convolutions before each pooling: 1 as handed out, 2 for the deeper
    form. No padding, so 28×28 becomes 4×4 with kernel 5 and one convolution a stage.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an input too small for the kernels.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 1,
        size: int = 28,
        *,
        kernel: int = 5,
        convs: int = 1,
    ) -> None:
        super().__init__()
        side = size
        for _ in range(2):
            side = (side - convs * (kernel - 1)) // 2
        if side < 1:
            raise ValueError(f"images of {size}×{size} are too small for kernel {kernel} ×{convs}")
        self.features = nn.Sequential(
            *_stage(channels, 10, kernel, convs),
            *_stage(10, 20, kernel, convs),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(20 * side * side, 50),
            nn.ReLU(),
            nn.Linear(50, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _stage(inputs: int, outputs: int, kernel: int, convs: int) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, kernel)]
    for _ in range(convs - 1):
        layers += [nn.ReLU(), nn.Conv2d(outputs, outputs, kernel)]
    return [*layers, nn.MaxPool2d(2), nn.ReLU()]
