"""LeNet: LeCun, Bottou, Bengio and Haffner, *Gradient-based learning applied to document
recognition*, Proc. IEEE 86(11), 1998.

This file needs torch only: it travels into the code bundles of its models.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
}
POOLINGS: dict[str, type[nn.Module]] = {"avg": nn.AvgPool2d, "max": nn.MaxPool2d}

MAPS_1, UNITS = 6, 84
# the paper's Table I: which maps of S2 each map of C3 sees
CONNECTIONS = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)


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
    """4 and 12 maps, then the classes; 28×28 goes in as it is.

    3,246 parameters, where the paper counts some 2,600: its second maps see part of the first.
    """

    maps = (4, 12)
    units = ()
    padded = False


class LeNet4(LeNet):
    """4 and 16 maps, 120 units; the paper's 32×32 is 28×28 padded by 2 in the first convolution.

    51,050 parameters. The paper counts some 17,000, which 16 maps of 5×5 and 120 full units exceed.
    """

    maps = (4, 16)
    units = (120,)
    padded = True


class LeNet5(LeNet):
    """6 and 16 maps, 120 and 84 units; the paper's 32×32 is 28×28 padded by 2.

    61,706 parameters; `LeNet5Published` has the paper's 60,000.
    """

    maps = (6, 16)
    units = (120, 84)
    padded = True


class LeNetTutorial(LeNet):
    """6 and 16 maps without padding, 120 and 84 units: the network of PyTorch's tutorial.

    At 32×32 its first layer of units takes 16 maps of 5×5, 400 inputs. With ReLU and max pooling.
    """

    maps = (6, 16)
    units = (120, 84)
    padded = False


class Perceptron(nn.Module):
    """Every pixel to every unit, layers of `units` with ReLU between, then K; none: linear.

    The first layer is written as a convolution as large as the image, which is the same.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: images without a pixel.
    """

    def __init__(
        self, num_classes: int, channels: int = 1, size: int = 28, *, units: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"images of {size}×{size} are too small")
        first, *others = (*units, num_classes)
        self.layers = nn.Sequential(nn.Conv2d(channels, first, size), nn.Flatten())
        for outputs in others:
            self.layers.extend([nn.ReLU(), nn.Linear(first, outputs)])
            first = outputs

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images)
        return logits


class LeNet5Published(nn.Module):
    """Trainable pooling, partly connected maps, scaled tanh, and radial basis functions at the end.

    The logits are minus the squared distances of the 84 units from each class's code, so that
    cross-entropy is the paper's equation 9 without its constant: the distance from the right code,
    and a penalty for being near the others. The paper's codes are drawings of ASCII characters;
    here they are rows of ±1 that differ in about half of their places (Walsh functions), which
    serve for any classes, and stand still. 28×28 is padded to the paper's 32×32.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an input too small for the kernels.
    """

    def __init__(self, num_classes: int, channels: int = 1, size: int = 28) -> None:
        super().__init__()
        side = (size // 2 - 4) // 2
        if side < 1:
            raise ValueError(f"images of {size}×{size} are too small for two convolutions")
        self.c1 = nn.Conv2d(channels, MAPS_1, 5, padding=2)
        self.s2 = Subsampling(MAPS_1)
        self.c3 = PartlyConnected()
        self.s4 = Subsampling(len(CONNECTIONS))
        self.c5 = nn.Conv2d(len(CONNECTIONS), 120, side)
        self.f6 = nn.Linear(120, UNITS)
        self.rbf = RadialBasis(UNITS, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.s2(squash(self.c1(images)))
        maps = self.s4(squash(self.c3(maps)))
        units = squash(self.f6(squash(self.c5(maps)).flatten(1)))
        logits: Tensor = self.rbf(units)
        return logits


class Subsampling(nn.Module):
    """The sum of each 2×2 times a coefficient, plus a bias, both learnt a map; then squashed."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.full((maps, 1, 1), 0.25))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        return squash(4 * functional.avg_pool2d(maps, 2) * self.coefficient + self.bias)


class PartlyConnected(nn.Module):
    """C3: each map a 5×5 convolution of its own choice of maps."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Conv2d(len(seen), 1, 5) for seen in CONNECTIONS)

    def forward(self, maps: Tensor) -> Tensor:
        pairs = zip(self.maps, CONNECTIONS, strict=True)
        return torch.cat([convolution(maps[:, list(seen)]) for convolution, seen in pairs], dim=1)


class RadialBasis(nn.Linear):
    """Minus the squared distance from each class's code, which does not learn."""

    def __init__(self, units: int, num_classes: int) -> None:
        super().__init__(units, num_classes, bias=False)
        codes = [
            [1.0 - 2 * (((number & place).bit_count()) % 2) for place in range(1, units + 1)]
            for number in range(1, num_classes + 1)
        ]
        self.weight = nn.Parameter(torch.tensor(codes), requires_grad=False)

    def forward(self, units: Tensor) -> Tensor:
        return -(units[:, None, :] - self.weight).square().sum(dim=2)


def squash(values: Tensor) -> Tensor:
    """1.7159 · tanh(2x/3), so that ±1 goes to ±1 (the paper's appendix A)."""
    return 1.7159 * torch.tanh(2 / 3 * values)


def _choose(what: str, name: str, choices: dict[str, type[nn.Module]]) -> type[nn.Module]:
    if name not in choices:
        raise ValueError(f"{what} {name!r} is not one of {', '.join(choices)}")
    return choices[name]
