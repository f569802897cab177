"""Batched image transforms, those of training and those of evaluation separate by type.

Evaluation takes no generator and holds no random step, so a random crop of the test set (the
mistake of report 001) can't be written down. Random draws come from a CPU generator, so that a
seed gives the same images on every device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from reference.preprocessing import prepare


@dataclass(frozen=True, kw_only=True)
class EvaluationTransform:
    """Pixels to the model's input, the same every time.

    `mean` and `std` are by channel, in units of the full range.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Tensor) -> Tensor:
        """N×C×H×W uint8 → N×C×size×size float32."""
        return prepare(images, self.size, self.mean, self.std)


@dataclass(frozen=True, kw_only=True)
class TrainingTransform:
    """Random shift, mirror image and cutout, then what evaluation does.

    Attributes:
        shift: pixels by which an image may move each way; what comes in is black.
        flip: mirror half of the images left to right.
        cutout: side in pixels of one square a picture set to the mean (DeVries and Taylor 2017);
            its centre may lie anywhere, so part of it may fall outside.
    """

    evaluation: EvaluationTransform
    shift: int = 0
    flip: bool = False
    cutout: int = 0

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """N×C×H×W uint8 → N×C×size×size float32; advances `generator`."""
        if self.shift:
            images = random_shift(images, self.shift, generator)
        if self.flip:
            images = random_flip(images, generator)
        if self.cutout:
            images = random_cutout(images, self.cutout, self.evaluation.mean, generator)
        return self.evaluation(images)


def random_shift(images: Tensor, reach: int, generator: torch.Generator) -> Tensor:
    """Pad by `reach` black pixels and cut each image out at its own random place."""
    count, _, height, width = images.shape
    padded = functional.pad(images, (reach,) * 4)
    places = padded.unfold(2, height, 1).unfold(3, width, 1)
    offsets = torch.randint(2 * reach + 1, (2, count), generator=generator).to(images.device)
    return places[torch.arange(count, device=images.device), :, offsets[0], offsets[1]]


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image left to right with probability one half."""
    mirrored = torch.rand(len(images), generator=generator).lt(0.5).to(images.device)
    return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(-1), images)


def random_cutout(
    images: Tensor, side: int, fill: tuple[float, ...], generator: torch.Generator
) -> Tensor:
    """Set one `side`×`side` square of each image to `fill` (by channel, full range 1)."""
    count, _, height, width = images.shape
    rows = _span(torch.randint(height, (count,), generator=generator), height, side)
    columns = _span(torch.randint(width, (count,), generator=generator), width, side)
    hole = (rows.view(count, 1, height, 1) & columns.view(count, 1, 1, width)).to(images.device)
    colour = torch.tensor(fill, device=images.device).mul(255).round().to(images.dtype)
    return torch.where(hole, colour.view(1, -1, 1, 1), images)


def _span(centres: Tensor, length: int, side: int) -> Tensor:
    """Which of `length` positions lie in the `side` positions around each centre."""
    positions = torch.arange(length).view(1, -1) - centres.view(-1, 1)
    return (positions >= -(side // 2)) & (positions < side - side // 2)
