"""What is asked of one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sandbox.defences import EVERYTHING_ON
from sandbox.job import Job


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A job with its bundle and its images.

    `job` may have come from elsewhere; the rest is of this machine. `images` are those that it
    names, uint8. `silent`: nothing that the program says is told, not even of its start, as it may
    have heard of another run's images. `without` names defences that are switched off
    (`defences.py`), for the tests that show what they stop. `on_log`, with the job's `logs`, hears
    now and then what was printed so far; the run waits for it. `on_wait` is called at least twice a
    second; what it raises ends the run.
    """

    job: Job
    bundle: Path
    images: NDArray[np.uint8]
    silent: bool = False
    without: frozenset[str] = EVERYTHING_ON
    on_log: Callable[[str], None] | None = None
    on_wait: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        """Refuse what no run can be made of.

        Raises:
            ValueError: images of another type, or of another shape than the job's.
        """
        if self.images.dtype != "uint8" or self.images.shape != self.job.images_shape:
            raise ValueError(f"images must be uint8 of the job's shape {self.job.images_shape}")
