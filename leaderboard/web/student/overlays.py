"""Heat maps over pictures, drawn here of grey levels that a program sent."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sandbox import HEAT_SIDE

_SIDE: Final = 56  # of a drawn picture, in pixels
_OPACITY: Final = 0.6


def overlaid(images: NDArray[np.uint8], squares: bytes) -> NDArray[np.uint8]:
    """Each picture with its map over it, from black by red to yellow: uint8 (N, 56, 56, 3).

    `images` are uint8 (N, H, W) or (N, H, W, C); `squares` their maps, one after the other.
    """
    maps = np.frombuffer(squares, np.uint8).reshape(len(images), HEAT_SIDE, HEAT_SIDE)
    pairs = zip(images, maps, strict=True)
    return np.stack([_over(_enlarged(image), heat) for image, heat in pairs])


def _over(picture: NDArray[np.float32], heat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    large = Image.fromarray(heat).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    level = np.asarray(large, dtype=np.float32)[..., None] / 255
    colour = 255 * np.concatenate(
        [np.minimum(1, 2 * level), np.maximum(0, 2 * level - 1), 0.25 * (1 - level)], axis=2
    )
    grey = picture.mean(axis=2, keepdims=True)  # colour is the heat's alone
    mixed = (1 - _OPACITY) * grey + _OPACITY * colour
    drawn: NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return drawn


def _enlarged(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    plain = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    picture = Image.fromarray(plain).convert("RGB")
    return np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.NEAREST), dtype=np.float32)
