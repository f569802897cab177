"""Test-time augmentation by the mirror image: one model that looks twice.

This file needs torch only: it travels into the code bundles.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def mirrored(kind: type[nn.Module]) -> type[nn.Module]:
    """The same kind of model, which answers with the mean for an image and its mirror image.

    Its weights have the same names.
    """

    class Mirrored(kind):  # type: ignore[valid-type,misc]  # a class that is a value
        def forward(self, images: Tensor) -> Tensor:
            forward: Any = super().forward
            logits: Tensor = (forward(images) + forward(images.flip(-1))) / 2
            return logits

    return Mirrored
