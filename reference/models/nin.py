"""Network in network: Lin, Chen and Yan, ICLR 2014, arXiv:1312.4400.

This file needs torch only: it travels into the code bundles of its models.
"""

from __future__ import annotations

from torch import Tensor, nn


class NiN(nn.Module):
    """Three blocks of one convolution and two 1×1 convolutions; the last gives one map a class.

    The mean of a class's map is its score: there is no fully connected layer. These are the layers
    of the paper's CIFAR networks; `width` are the maps of its convolutions, in proportion 1, 5/6
    and 1/2 in the first block.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an input too small for the poolings.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 3,
        size: int = 32,
        *,
        width: int = 192,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if size < 4:
            raise ValueError(f"images of {size}×{size} are too small for two poolings")
        self.features = nn.Sequential(
            *_block(channels, (width, width * 5 // 6, width // 2), kernel=5),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.Dropout(dropout),
            *_block(width // 2, (width, width, width), kernel=5),
            nn.AvgPool2d(3, stride=2, padding=1),
            nn.Dropout(dropout),
            *_block(width, (width, width), kernel=3),
        )
        self.classifier = nn.Conv2d(width, num_classes, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):  # He et al. 2015: with torch's own nothing is learnt
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.classifier(self.features(images))
        return maps.mean(dim=(2, 3))


def _block(inputs: int, widths: tuple[int, ...], kernel: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for index, outputs in enumerate(widths):
        side = kernel if index == 0 else 1
        layers += [nn.Conv2d(inputs, outputs, side, padding=side // 2), nn.ReLU(inplace=True)]
        inputs = outputs
    return layers
