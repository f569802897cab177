"""What a run gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

RunVerdict = Literal["OK", "CE", "LE", "RE", "TLE", "MLE", "GMLE", "OLE", "PE", "IE"]

# When several faults are seen, the first of this list is the verdict: what the sandbox observed
# from outside comes before what the program said of itself.
PRECEDENCE: tuple[RunVerdict, ...] = ("IE", "TLE", "MLE", "GMLE", "OLE", "RE", "LE", "CE", "PE")


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Facts about one run; rows are in the order of the images that were given.

    `detail` may be shown to the student. `log` is what the program printed, only when logs were
    asked for. `reason` is for operators: why a run failed on our side (verdict IE).
    `wall_seconds` and `peak_memory_mb` are exact; a program can encode what it saw in them, so
    students get them coarsely or not at all.
    """

    verdict: RunVerdict
    labels: NDArray[np.int64] | None = None  # (N,)
    scores: NDArray[np.float32] | None = None  # (N, K)
    flags: tuple[str, ...] = ()
    log: str = ""
    wall_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    detail: str = ""
    facts: dict[str, float | int | str] = field(default_factory=dict)
    reason: str = ""


def worst(faults: dict[RunVerdict, str]) -> tuple[RunVerdict, str]:
    """The verdict of several faults, with its detail; OK where there is none."""
    for verdict in PRECEDENCE:
        if verdict in faults:
            return verdict, faults[verdict]
    return "OK", ""
