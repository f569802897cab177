"""Finds files that are there twice, and keeps of each picture what others are compared with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

SIDE: Final = 32
"""Of the small grey picture that is kept of each, in pixels."""
_LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601-2


class Fingerprints:
    """What is kept of each picture of a collection to compare it with the others.

    contents: uint8 (N, 16), digests of the files. digests: uint8 (N, 16), of the decoded pixels at
    their own size. blank: bool (N,), whether all pixels are of one colour. small: uint8
    (N, 32, 32), the picture in grey, averaged over areas. colours: float32 (N, 3), the mean of red,
    green and blue.
    """

    def __init__(self, count: int) -> None:
        self.contents = np.zeros((count, 16), dtype=np.uint8)
        self.digests = np.zeros((count, 16), dtype=np.uint8)
        self.blank = np.zeros(count, dtype=np.bool_)
        self.small = np.zeros((count, SIDE, SIDE), dtype=np.uint8)
        self.colours = np.zeros((count, 3), dtype=np.float32)

    def look(self, row: int, content: bytes, pixels: NDArray[np.uint8]) -> None:
        """Take the fingerprint of one picture, uint8 (H, W) or (H, W, 3), and of its file."""
        self.contents[row] = _digest(content)
        if pixels.ndim == 3 and (pixels == pixels[:, :, :1]).all():
            pixels = pixels[:, :, 0]  # grey that was stored in colour
        self.digests[row] = _digest(repr(pixels.shape).encode() + pixels.tobytes())
        self.blank[row] = bool((pixels == pixels[:1, :1]).all())
        small = _averaged(pixels)
        self.colours[row] = small.mean(axis=(0, 1))
        grey = small[:, :, 0] if small.shape[2] == 1 else small @ _LUMA
        self.small[row] = np.rint(grey)


def _digest(content: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(hashlib.blake2b(content, digest_size=16).digest(), dtype=np.uint8)


def _averaged(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Average over areas to 32×32, each channel apart: float32 (32, 32, 1 or 3)."""
    height, width = pixels.shape[:2]
    rows = _shares(height) @ pixels.reshape(height, -1).astype(np.float32)
    columns = rows.reshape(SIDE, width, -1).transpose(0, 2, 1) @ _shares(width).T
    return columns.transpose(0, 2, 1)


@lru_cache(maxsize=4096)
def _shares(length: int) -> NDArray[np.float32]:
    """What each of `length` pixels adds to each of 32 areas: float32 (32, length)."""
    edges = np.linspace(0, length, SIDE + 1)
    left, right = edges[:-1, None], edges[1:, None]
    at = np.arange(length)
    overlap = np.clip(np.minimum(right, at + 1) - np.maximum(left, at), 0, None)
    shares: NDArray[np.float32] = (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Which rows stay of a collection with files that are equal, byte by byte.

    kept: int64, the rows that stay. doubled: those left out since one of their class stays.
    ambiguous: those left out since they lie in several classes, so that their label is not known.
    """

    kept: NDArray[np.int64]
    doubled: NDArray[np.int64]
    ambiguous: NDArray[np.int64]


def copies(
    found: Fingerprints, labels: NDArray[np.int64], is_test: NDArray[np.bool_] | None
) -> Copies:
    """Tell the first of each file from its copies.

    Where the source itself keeps pictures for testing, one of those stays.
    """
    group = numbered(found.contents)
    last = np.zeros(len(group), dtype=bool) if is_test is None else ~is_test
    order = np.lexsort((np.arange(len(group)), last, group))
    starts = np.flatnonzero(np.r_[True, np.diff(group[order]) > 0])
    lowest = np.minimum.reduceat(labels[order], starts)
    highest = np.maximum.reduceat(labels[order], starts)
    unclear = (lowest != highest)[group]
    first = np.zeros(len(group), dtype=bool)
    first[order[starts]] = True
    return Copies(
        kept=np.flatnonzero(first & ~unclear).astype(np.int64),
        doubled=np.flatnonzero(~first & ~unclear).astype(np.int64),
        ambiguous=np.flatnonzero(unclear).astype(np.int64),
    )


def numbered(digests: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number digests, uint8 (N, 16), so that equal ones have one number: int64 (N,).

    >>> numbered(np.array([[1] * 16, [0] * 16, [1] * 16], dtype=np.uint8)).tolist()
    [1, 0, 1]
    """
    whole = np.ascontiguousarray(digests).view("V16").ravel()
    return np.unique(whole, return_inverse=True)[1].astype(np.int64)
