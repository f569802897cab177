"""One image set in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """One image set, unpacked.

    Attributes:
        train_images, test_images: uint8 N×C×H×W. train_labels, test_labels: int64 N.
        origin: where the bytes came from, in words.
        sha256: manifest, by file name of the unpacked content.
        notice: what must be said wherever a result on this set is shown; empty for a set that is
            what its name says.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    origin: str
    sha256: Mapping[str, str]
    notice: str = ""

    @property
    def fingerprint(self) -> str:
        """One SHA-256 over the manifest."""
        lines = "".join(f"{self.sha256[name]}  {name}\n" for name in sorted(self.sha256))
        return hashlib.sha256(lines.encode()).hexdigest()


def sha256_of(array: NDArray[np.generic]) -> str:
    """SHA-256 of an array's bytes in row order."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
