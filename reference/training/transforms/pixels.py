"""What is done to the pixels of a batch, each image with its own value; nothing random.

Images are uint8 N×C×H×W and stay it: results are rounded and clipped. The formulas are those of
torchvision's functional transforms for tensors, which take one value for a whole batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

# ITU-R 601-2 luma, as Pillow and torchvision weigh
LUMA = (0.2989, 0.587, 0.114)


def resize(images: Tensor, size: int) -> Tensor:
    """N×C×H×W → N×C×size×size, bilinear, with antialiasing when it gets smaller."""
    resized = functional.interpolate(
        images.float(), (size, size), mode="bilinear", align_corners=False, antialias=True
    )
    return _as_bytes(resized)


def resized_crop(images: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Cut out each image's box (top, left, height, width in pixels) and resize it, bilinear.

    Shapes: N×C×H×W and N×4 → N×C×size×size.
    """
    height, width = images.shape[-2:]
    top, left, box_height, box_width = boxes.float().unbind(1)
    theta = torch.zeros(len(images), 2, 3, device=images.device)
    theta[:, 0, 0] = box_width / width
    theta[:, 1, 1] = box_height / height
    theta[:, 0, 2] = (2 * left + box_width) / width - 1
    theta[:, 1, 2] = (2 * top + box_height) / height - 1
    grid = functional.affine_grid(theta, [len(images), 1, size, size], align_corners=False)
    return _sampled(images, grid, padding="border")


def rotate(images: Tensor, degrees: Tensor, mode: str = "bilinear") -> Tensor:
    """Turn each image counter-clockwise about its centre; what comes in is black.

    `mode`: `bilinear`, or `nearest`, torchvision's own default.
    """
    height, width = images.shape[-2:]
    angle = degrees * (math.pi / 180)
    cosine, sine = angle.cos(), angle.sin()
    theta = torch.zeros(len(images), 2, 3, device=images.device)
    # coordinates run from -1 to 1 along both sides, however long each is
    theta[:, 0, 0], theta[:, 0, 1] = cosine, -sine * height / width
    theta[:, 1, 0], theta[:, 1, 1] = sine * width / height, cosine
    grid = functional.affine_grid(theta, [len(images), 1, height, width], align_corners=False)
    return _sampled(images, grid, padding="zeros", mode=mode)


def adjust_brightness(images: Tensor, factors: Tensor) -> Tensor:
    """Multiply each image by its factor."""
    return _as_bytes(images.float() * _by_image(factors))


def adjust_contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Move each pixel away from (factor > 1) or towards (< 1) the mean grey of its image."""
    mean = grayscale(images)[:, :1].float().mean((1, 2, 3), keepdim=True)
    return _blended(images.float(), mean, factors)


def adjust_saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Move each pixel away from or towards its own grey; grey images stay as they are."""
    return _blended(images.float(), grayscale(images).float(), factors)


def adjust_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue of each pixel by this share of a full turn; grey images stay as they are."""
    if images.shape[1] != 3:
        return images
    hue, saturation, value = _to_hsv(images.float() / 255)
    turned = (hue + turns.view(-1, 1, 1)) % 1.0
    return _as_bytes(_to_rgb(turned, saturation, value) * 255)


def grayscale(images: Tensor) -> Tensor:
    """Luma in every channel; images of one channel stay as they are."""
    if images.shape[1] != 3:
        return images
    weights = torch.tensor(LUMA, device=images.device).view(1, 3, 1, 1)
    # torchvision cuts the fraction off here
    luma = (images.float() * weights).sum(1, keepdim=True).to(torch.uint8)
    return luma.expand_as(images)


def _to_hsv(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """RGB in 0…1, N×3×H×W → hue (of a full turn), saturation and value, each N×H×W.

    Smith 1978, *Color gamut transform pairs*.
    """
    red, green, blue = images.unbind(1)
    value, least = images.amax(1), images.amin(1)
    spread = value - least
    divisor = torch.where(spread > 0, spread, 1.0)
    hue = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    saturation = spread / torch.where(value > 0, value, 1.0)
    return (hue / 6) % 1.0, saturation, value


def _to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """The inverse of `_to_hsv`: N×3×H×W.

    Channel n is v − v·s·max(0, min(k, 4−k, 1)) with k = (n + 6h) mod 6, n = 5, 3, 1.
    """
    channels = []
    for offset in (5.0, 3.0, 1.0):
        k = (offset + 6 * hue) % 6
        channels.append(value - value * saturation * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, dim=1)


def _sampled(images: Tensor, grid: Tensor, *, padding: str, mode: str = "bilinear") -> Tensor:
    sampled = functional.grid_sample(
        images.float(), grid, mode=mode, padding_mode=padding, align_corners=False
    )
    return _as_bytes(sampled.round())


def _blended(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    share = _by_image(factors)
    return _as_bytes(share * images + (1 - share) * others)


def _by_image(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def _as_bytes(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)
