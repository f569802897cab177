"""EfficientNet-Lite: Tan and Le 2019, arXiv:1905.11946, without squeeze-excitation, with ReLU6.

This file needs torch only: it travels into the code bundles of its models.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

# expansion, channels, blocks, stride, kernel
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
STEM, HEAD = 32, 1280


class EfficientNetLite0(nn.Module):
    """A stem, seven stages of inverted bottlenecks, a 1×1 convolution, the mean over places.

    Modules stand in the order of TensorFlow's variables, and padding is TensorFlow's `SAME`, so
    that weights that were trained there fit.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an input too small to be halved five times.
    """

    def __init__(
        self, num_classes: int, channels: int = 3, size: int = 224, *, dropout: float = 0.2
    ) -> None:
        super().__init__()
        if size < 32:
            raise ValueError(f"images of {size}×{size} are too small to be halved five times")
        self.stem = _convolution(channels, STEM, 3, stride=2)
        self.blocks = nn.Sequential()
        inputs = STEM
        for expansion, outputs, count, stride, kernel in STAGES:
            for number in range(count):
                step = stride if number == 0 else 1
                self.blocks.append(_Block(inputs, outputs, expansion, kernel, step))
                inputs = outputs
        self.head = _convolution(inputs, HEAD, 1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(HEAD, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.head(self.blocks(self.stem(images)))
        logits: Tensor = self.fc(self.dropout(maps.mean(dim=(2, 3))))
        return logits


class _Block(nn.Module):
    """An inverted bottleneck (Sandler et al. 2018): wider, by channel, narrower, and added."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.steps = nn.Sequential()
        if expansion > 1:
            self.steps.append(_convolution(inputs, wide, 1))
        self.steps.append(_convolution(wide, wide, kernel, stride=stride, groups=wide))
        self.steps.append(_convolution(wide, outputs, 1, active=False))
        self.is_added = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = self.steps(maps)
        return maps + found if self.is_added else found


class _Same(nn.Conv2d):
    """A convolution that gives ⌈side / stride⌉; of an odd padding the larger half is at the end."""

    def forward(self, maps: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        pads = []
        for side in (maps.shape[3], maps.shape[2]):
            total = max(0, (-(-side // stride) - 1) * stride + kernel - side)
            pads += [total // 2, total - total // 2]
        return super().forward(functional.pad(maps, pads) if any(pads) else maps)


def _convolution(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, active: bool = True
) -> nn.Sequential:
    layers: list[nn.Module] = [
        _Same(inputs, outputs, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),
    ]
    return nn.Sequential(*layers, *([nn.ReLU6(inplace=True)] if active else []))
