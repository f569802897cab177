"""What is asked of one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sandbox.defences import EVERYTHING_ON
from sandbox.limits import Limits


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A bundle, images and limits.

    `images` are uint8 (N, H, W) or (N, H, W, C), N > 0. `logs`: what the program prints may be
    shown (the sample run). `seed` repeats a secret order. `without` names defences
    that are switched off (`defences.py`), for the tests that show what they stop. `on_log`, with
    `logs`, hears now and then what was printed so far; the run waits for it. `on_wait` is called
    at least twice a second; what it raises ends the run.
    """

    bundle: Path
    images: NDArray[np.uint8]
    num_classes: int
    limits: Limits
    logs: bool = False
    seed: int | None = None
    without: frozenset[str] = EVERYTHING_ON
    on_log: Callable[[str], None] | None = None
    on_wait: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        """Refuse what no run can be made of.

        Raises:
            ValueError: images of another type or shape, or none.
        """
        if self.images.dtype != "uint8" or self.images.ndim not in (3, 4) or not len(self.images):
            raise ValueError("images must be uint8 of shape (N, H, W) or (N, H, W, C), N > 0")
        if self.num_classes < 1:
            raise ValueError("there must be at least one class")
