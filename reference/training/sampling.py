"""Which images an epoch shows, and how often it shows those of each class."""

from __future__ import annotations

import torch
from torch import Tensor


def epoch_order(labels: Tensor, num_classes: int, draw: str, generator: torch.Generator) -> Tensor:
    """Rows of the training images in the order of one epoch, int64 N on the CPU.

    `every_image`: each once. `class_balanced`: N draws with replacement, a class first, of those
    that have images, then one of its images.
    """
    if draw == "every_image":
        return torch.randperm(len(labels), generator=generator)
    counts = torch.bincount(labels.cpu(), minlength=num_classes)
    weights = 1.0 / counts.double()[labels.cpu()]
    return torch.multinomial(weights, len(labels), replacement=True, generator=generator)


def shown(labels: Tensor, num_classes: int, draw: str) -> Tensor:
    """How many images of each class an epoch shows, in the mean: float64 K on the labels' device.

    >>> shown(torch.tensor([0, 0, 0, 1]), 2, "every_image").tolist()
    [3.0, 1.0]
    >>> shown(torch.tensor([0, 0, 0, 1]), 2, "class_balanced").tolist()
    [2.0, 2.0]
    """
    counts = torch.bincount(labels.cpu(), minlength=num_classes).double()
    if draw == "class_balanced":
        there = (counts > 0).double()
        counts = len(labels) * there / there.sum()
    return counts.to(labels.device)


def batches(order: Tensor, size: int) -> list[Tensor]:
    """Rows in parts of `size`; the last part is what is left.

    A single image that is left joins the part before it: batch normalisation of 1×1 maps has
    nothing to normalise one image by.
    """
    parts = list(order.split(size))
    if size > 1 and len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts
