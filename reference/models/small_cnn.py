"""A small CNN for small images: as much accuracy as a minute on two CPU cores can buy.

This file needs torch only: it travels into the code bundles of its models.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class SmallCNN(nn.Module):
    """Stages of 3×3 convolution, batch normalisation (Ioffe and Szegedy 2015) and ReLU.

    `widths` are the maps of the stages, `convs` the convolutions of each. The first convolution of
    a stage is followed at once by 2×2 max pooling: normalising a quarter of the pixels is most of
    why this is quicker on a CPU than the usual order, and costs no accuracy.

    With `unshuffle` = r neighbours in r×r become r² channels of images with an rth of the side (Shi
    et al. 2016, the other way round), and the first stage does not pool: r = 2 leaves out the
    largest convolution and the largest pooling.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an input too small for the poolings.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 1,
        size: int = 28,
        *,
        widths: tuple[int, ...] = (32, 64, 128),
        convs: tuple[int, ...] = (1, 2, 2),
        unshuffle: int = 1,
    ) -> None:
        super().__init__()
        if size % unshuffle:
            raise ValueError(
                f"images of {size}×{size} can't be divided into {unshuffle}×{unshuffle}"
            )
        self.unshuffle = unshuffle
        pooled = unshuffle == 1
        side = size // unshuffle // 2 ** (len(widths) - 1 + pooled)
        if side < 1:
            raise ValueError(f"images of {size}×{size} are too small for {len(widths)} stages")
        layers: list[nn.Module] = []
        inputs = channels * unshuffle**2
        for outputs, count in zip(widths, convs, strict=True):
            layers += _stage(inputs, outputs, count, pooled=pooled or bool(layers))
            inputs = outputs
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(inputs * side * side, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        if self.unshuffle > 1:
            images = functional.pixel_unshuffle(images, self.unshuffle)
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _stage(inputs: int, outputs: int, count: int, *, pooled: bool) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for index in range(count):
        layers.append(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
        if index == 0 and pooled:
            layers.append(nn.MaxPool2d(2))
        layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        inputs = outputs
    return layers
