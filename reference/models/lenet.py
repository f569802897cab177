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


class LeNet5(nn.Module):
    """LeNet-5 with full connections and a linear output: 6 and 16 maps, then 120, 84, K.

    The paper's input is 32×32; here 28×28 is padded by 2 in the first convolution, which gives
    the same 28×28 maps. Kernel, pooling and activation are parameters so that an ablation changes
    one argument.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an unknown activation or pooling, or an input too small for the kernels.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 1,
        size: int = 28,
        *,
        activation: str = "sigmoid",
        pooling: str = "avg",
        kernel: int = 5,
        pool: int = 2,
    ) -> None:
        super().__init__()
        act = _choose("activation", activation, ACTIVATIONS)
        pooled = _choose("pooling", pooling, POOLINGS)
        padding = kernel // 2
        side = ((size + 2 * padding - kernel + 1) // pool - kernel + 1) // pool
        if side < 1:
            raise ValueError(
                f"images of {size}×{size} are too small for kernel {kernel}, pool {pool}"
            )
        self.features = nn.Sequential(
            nn.Conv2d(channels, 6, kernel, padding=padding),
            act(),
            pooled(pool),
            nn.Conv2d(6, 16, kernel),
            act(),
            pooled(pool),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * side * side, 120),
            act(),
            nn.Linear(120, 84),
            act(),
            nn.Linear(84, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _choose(what: str, name: str, choices: dict[str, type[nn.Module]]) -> type[nn.Module]:
    if name not in choices:
        raise ValueError(f"{what} {name!r} is not one of {', '.join(choices)}")
    return choices[name]
