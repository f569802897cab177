"""What a hand-in is tried against: a public pack, or (staff) an assignment folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader import Assignment, ExpectedRows, Limits, Pack, Requirements


@dataclass(frozen=True, kw_only=True)
class Target:
    """What the server asks of a hand-in, and what it is tried on, as far as students may know."""

    requirements: Requirements
    sample_limits: Limits
    expected: Callable[[], ExpectedRows]
    sample: Callable[[], tuple[NDArray[np.uint8], NDArray[np.int64]]]

    @classmethod
    def load(cls, folder: Path) -> Target:
        """The assignment folder or public pack in `folder`.

        Raises:
            AssignmentError: it is neither, or damaged.
        """
        if not (folder / "assignment.toml").is_file():
            pack = Pack.load(folder)
            return cls(
                requirements=Requirements.of_pack(pack),
                sample_limits=pack.sample_limits,
                expected=pack.expected,
                sample=pack.sample,
            )
        assignment = Assignment.load(folder)
        return cls(
            requirements=Requirements.of(assignment),
            sample_limits=assignment.sample_limits,
            expected=assignment.expected,
            sample=assignment.sample,
        )


def find_pack(path: Path) -> Path | None:
    """The public pack near a hand-in: beside it, in a folder `pack` there, or further up."""
    start = path.resolve()
    for folder in (start, *start.parents) if start.is_dir() else start.parents:
        for candidate in (folder, folder / "pack"):
            if (candidate / "assignment.json").is_file():
                return candidate
    return None
