"""Arrays of pictures in whatever axes and values they are kept, as uint8 N×H×W or N×H×W×3."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grader.errors import AssignmentError
from grader.pictures.decoding import BACKGROUND
from grader.words.message import Message, said

_CHANNELS: Final = (1, 3, 4)
_BYTE, _TWO_BYTES = 0xFF, 0xFFFF


def as_pictures(
    array: NDArray[np.generic], name: str
) -> tuple[NDArray[np.uint8], tuple[Message, ...]]:
    """Give uint8 (N, H, W) or (N, H, W, 3), and what was done to the values.

    Takes N×H×W, N×H×W×C, N×C×H×W and flat rows of square pictures, C being 1, 3 or 4; values of
    8 or 16 bits, whole numbers up to 255 of any type, and floats from 0 to 1.

    Raises:
        AssignmentError: the shape is none of these, or the values have no known scale.
    """
    shaped = _in_axes(array, name)
    pixels, told = _in_bytes(shaped, name)
    if pixels.ndim == 4 and pixels.shape[3] == 1:
        pixels = pixels[:, :, :, 0]
    if pixels.ndim == 4 and pixels.shape[3] == 4:
        return _on_background(pixels), (*told, said("pictures.array_transparent", file=name))
    return pixels, told


def _in_axes(array: NDArray[np.generic], name: str) -> NDArray[np.generic]:
    if array.ndim == 2:
        for channels in (1, 3):
            side = math.isqrt(array.shape[1] // channels)
            if side > 1 and channels * side * side == array.shape[1]:
                flat = array.reshape(len(array), channels, side, side)
                return flat[:, 0] if channels == 1 else flat.transpose(0, 2, 3, 1)
    if array.ndim == 3:
        return array
    if array.ndim == 4 and array.shape[3] in _CHANNELS:
        return array
    if array.ndim == 4 and array.shape[1] in _CHANNELS:
        return array.transpose(0, 2, 3, 1)
    raise AssignmentError([said("pictures.array_shape", file=name, shape=str(array.shape))])


def _in_bytes(
    array: NDArray[np.generic], name: str
) -> tuple[NDArray[np.uint8], tuple[Message, ...]]:
    if array.dtype == np.uint8:
        return np.asarray(array, dtype=np.uint8), ()
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(_BYTE), ()
    if array.dtype.kind not in "iuf" or not array.size:
        raise AssignmentError([said("pictures.array_type", file=name, type=str(array.dtype))])
    low, high = float(np.min(array)), float(np.max(array))
    if array.dtype.kind == "f" and low >= 0 and high <= 1:
        scaled = np.rint(array.astype(np.float32) * _BYTE).astype(np.uint8)
        return scaled, (said("pictures.array_floats", file=name),)
    if low >= 0 and high <= _BYTE and _is_whole(array):
        return array.astype(np.uint8), ()
    if array.dtype.kind in "iu" and low >= 0 and high <= _TWO_BYTES:
        scaled = (array.astype(np.uint16) >> 8).astype(np.uint8)
        return scaled, (said("pictures.array_deep", file=name, high=int(high)),)
    problem = said("pictures.array_range", file=name, low=f"{low:g}", high=f"{high:g}")
    raise AssignmentError([problem])


def _is_whole(array: NDArray[np.generic]) -> bool:
    return array.dtype.kind in "iu" or bool((array.astype(np.float64) % 1 == 0).all())


def _on_background(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay N×H×W×4 on the background: uint8 (N, H, W, 3)."""
    alpha = pixels[..., 3:].astype(np.float32) / _BYTE
    ground = np.array(BACKGROUND, dtype=np.float32)
    return np.rint(pixels[..., :3] * alpha + ground * (1 - alpha)).astype(np.uint8)
