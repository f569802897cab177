"""Shake-Shake regularisation: Gastaldi 2017, arXiv:1705.07485.

This file needs torch only: it travels into the code bundles of its models.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional


class Shake(torch.autograd.Function):
    """α·first + (1-α)·second going forward, and β in place of α going back."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, first: Tensor, second: Tensor, alpha: Tensor, beta: Tensor
    ) -> Tensor:
        ctx.save_for_backward(beta)
        return alpha * first + (1 - alpha) * second

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (beta,) = ctx.saved_tensors
        return beta * gradient, (1 - beta) * gradient, None, None


class ShakeBlock(nn.Module):
    """Two branches, mixed at random for each image in training and evenly in evaluation.

    This is the paper's Shake-Shake-Image: α and β are drawn anew for each image and each pass.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.branch1, self.branch2 = (_branch(inputs, outputs, stride) for _ in range(2))
        self.shortcut = _shortcut(inputs, outputs, stride)

    def forward(self, maps: Tensor) -> Tensor:
        first, second = self.branch1(maps), self.branch2(maps)
        shortcut: Tensor = self.shortcut(maps)
        if not self.training:
            even: Tensor = 0.5 * (first + second)
            return shortcut + even
        share = (len(maps), 1, 1, 1)
        alpha = torch.rand(share, device=maps.device, dtype=first.dtype)
        beta = torch.rand(share, device=maps.device, dtype=first.dtype)
        mixed: Tensor = Shake.apply(  # type: ignore[no-untyped-call]  # torch left it open
            first, second, alpha, beta
        )
        return shortcut + mixed


class HalvingShortcut(nn.Module):
    """Halves the size: every other value, and those one further, each through a 1×1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.here = nn.Conv2d(inputs, outputs // 2, 1, bias=False)
        self.beside = nn.Conv2d(inputs, outputs - outputs // 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        maps = functional.relu(maps)
        beside = functional.pad(maps[:, :, 1:, 1:], (0, 1, 0, 1))
        halves = [self.here(maps[:, :, ::2, ::2]), self.beside(beside[:, :, ::2, ::2])]
        joined: Tensor = self.norm(torch.cat(halves, dim=1))
        return joined


class ShakeShake(nn.Module):
    """Three stages of `blocks` two-branch blocks, `width` maps in the first: the paper's 26 2×32d.

    `width` 64 gives 26 2×64d, 96 the paper's best.

    Shapes: N×channels×size×size float → N×num_classes logits.

    Raises:
        ValueError: an input too small to be halved twice.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 3,
        size: int = 32,
        *,
        width: int = 32,
        blocks: int = 4,
    ) -> None:
        super().__init__()
        if size < 4:
            raise ValueError(f"images of {size}×{size} are too small to be halved twice")
        self.stem = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        )
        stages: list[nn.Module] = []
        inputs = 16
        for stage in range(3):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                stages.append(ShakeBlock(inputs, width * 2**stage, stride))
                inputs = width * 2**stage
        self.stages = nn.Sequential(*stages)
        self.classifier = nn.Linear(inputs, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        maps = functional.relu(self.stages(self.stem(images)))
        logits: Tensor = self.classifier(maps.mean(dim=(2, 3)))
        return logits


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 2:
        return HalvingShortcut(inputs, outputs)
    if inputs == outputs:
        return nn.Identity()
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
    )


def _branch(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
    )
