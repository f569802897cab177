"""What happens to an image before the model sees it, outside training: nothing random.

This file needs torch only: it travels into the code bundles.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def prepare(
    images: Tensor, size: int, mean: tuple[float, ...], std: tuple[float, ...], enlarge: int = 0
) -> Tensor:
    """Scale uint8 pixels to float32, resize to `size`×`size` where needed, normalise by channel.

    With `enlarge` images are resized to that side, and the middle `size`×`size` of them is cut out.
    `mean` and `std` are in units of the full range, 0 to 1. Resizing is bilinear.

    Shapes: N×C×H×W uint8 → N×C×size×size float32, in channels-last memory order.
    """
    pixels = images.to(torch.float32)
    side = enlarge or size
    if pixels.shape[-2:] != (side, side):
        pixels = functional.interpolate(pixels, (side, side), mode="bilinear", align_corners=False)
    first = (side - size) // 2
    pixels = pixels[..., first : first + size, first : first + size]
    shape = (1, -1, 1, 1)
    centre = torch.tensor(mean, device=images.device).mul(255).view(shape)
    spread = torch.tensor(std, device=images.device).mul(255).view(shape)
    return ((pixels - centre) / spread).contiguous(memory_format=torch.channels_last)
