"""LeNet: LeCun, Bottou, Bengio and Haffner, *Gradient-based learning applied to document
recognition*, Proc. IEEE 86(11), 1998.

This file needs torch only: it travels into the code bundles of its models.
"""

from __future__ import annotations

from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
}
POOLINGS: dict[str, type[nn.Module]] = {"avg": nn.AvgPool2d, "max": nn.MaxPool2d}


class LeNet(nn.Module):
    """Two convolutions of `maps`, each activated and pooled, then layers of `units`, then K.

    The connections are full and the output is linear, as is usual since; the paper's maps see
    some of the earlier ones only, and its outputs are radial basis functions. What report 002
    varies are parameters, so that an ablation changes one argument.

    Args:
        activation: `sigmoid`, `tanh` or `relu`. dense_activation: that of the fully connected
            layers; `same`: as the others. pooling: `avg` or `max`.
        kernel: of both convolutions. first_kernel: of the first alone; 0: as the other.
        pool, stride: of the poolings; a stride of 0 is that of `pool`.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an unknown activation or pooling, or an input too small for the kernels.
    """

    maps: tuple[int, int]
    units: tuple[int, ...]
    padded: bool

    def __init__(
        self,
        num_classes: int,
        channels: int = 1,
        size: int = 28,
        *,
        activation: str = "sigmoid",
        dense_activation: str = "same",
        pooling: str = "avg",
        kernel: int = 5,
        first_kernel: int = 0,
        pool: int = 2,
        stride: int = 0,
    ) -> None:
        super().__init__()
        act = _choose("activation", activation, ACTIVATIONS)
        dense = dense_activation if dense_activation != "same" else activation
        dense_act = _choose("activation", dense, ACTIVATIONS)
        pooled = _choose("pooling", pooling, POOLINGS)
        padding = kernel // 2 if self.padded else 0
        kernels = (first_kernel or kernel, kernel)
        stride = stride or pool
        side = size + 2 * padding
        for each in kernels:
            side = (side - each + 1 - pool) // stride + 1
        if side < 1:
            raise ValueError(
                f"images of {size}×{size} are too small for kernel {kernel}, pool {pool}"
            )
        first, second = self.maps
        self.features = nn.Sequential(
            nn.Conv2d(channels, first, kernels[0], padding=padding),
            act(),
            pooled(pool, stride),
            nn.Conv2d(first, second, kernels[1]),
            act(),
            pooled(pool, stride),
        )
        layers: list[nn.Module] = [nn.Flatten()]
        inputs = second * side * side
        for outputs in self.units:
            layers += [nn.Linear(inputs, outputs), dense_act()]
            inputs = outputs
        self.classifier = nn.Sequential(*layers, nn.Linear(inputs, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images))
        return logits


class LeNet1(LeNet):
    """4 and 12 maps, then the classes; 28×28 goes in as it is."""

    maps = (4, 12)
    units = ()
    padded = False


class LeNet4(LeNet):
    """4 and 16 maps, 120 units; the paper's 32×32 is 28×28 padded by 2 in the first convolution."""

    maps = (4, 16)
    units = (120,)
    padded = True


class LeNet5(LeNet):
    """6 and 16 maps, 120 and 84 units; the paper's 32×32 is 28×28 padded by 2."""

    maps = (6, 16)
    units = (120, 84)
    padded = True


def _choose(what: str, name: str, choices: dict[str, type[nn.Module]]) -> type[nn.Module]:
    if name not in choices:
        raise ValueError(f"{what} {name!r} is not one of {', '.join(choices)}")
    return choices[name]
