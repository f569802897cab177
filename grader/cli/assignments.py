"""What a hand-in is checked against: a public pack, or (staff) an assignment folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader import METRICS, Assignment, ExpectedRows, Limits, Pack, Predictions, Problem
from grader.metrics import are_probabilities


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """What the server asks of a hand-in, as far as students may know it."""

    classes: tuple[str, ...]
    kinds: tuple[str, ...]
    metric: str
    max_upload_mb: int
    sample_limits: Limits
    expected: Callable[[], ExpectedRows]
    sample: Callable[[], tuple[NDArray[np.uint8], NDArray[np.int64]]]

    @classmethod
    def load(cls, folder: Path) -> Requirements:
        """Those of the assignment folder or public pack in `folder`.

        Raises: AssignmentError where it is neither, or damaged.
        """
        if not (folder / "assignment.toml").is_file():
            pack = Pack.load(folder)
            return cls(
                classes=pack.classes,
                kinds=pack.kinds,
                metric=pack.metric,
                max_upload_mb=pack.max_upload_mb,
                sample_limits=pack.sample_limits,
                expected=pack.expected,
                sample=pack.sample,
            )
        assignment = Assignment.load(folder)
        return cls(
            classes=assignment.classes,
            kinds=assignment.submission.kinds,
            metric=assignment.scoring.metric,
            max_upload_mb=assignment.submission.max_upload_mb,
            sample_limits=assignment.sample_limits,
            expected=assignment.expected,
            sample=assignment.sample,
        )

    def wrong_kind(self, kind: str) -> Problem | None:
        """The problem that a hand-in of this kind has; None where it is taken."""
        if kind in self.kinds:
            return None
        message = f"this assignment takes {' or '.join(self.kinds)}, not {kind}"
        return Problem(kind="kind_not_accepted", message=message)

    def lacks_scores(self, predictions: Predictions) -> Problem | None:
        """The problem that the ranking metric can't be computed from these predictions."""
        metric, scores = METRICS[self.metric], predictions.scores
        if not metric.needs_scores:
            return None
        if scores is not None and (metric.needs != "probabilities" or are_probabilities(scores)):
            return None
        message = f"{metric.title} needs {metric.needs}: one column a class"
        return Problem(kind="metric_unavailable", message=message, line=1)


def find_pack(path: Path) -> Path | None:
    """The public pack near a hand-in: beside it, in a folder `pack` there, or further up."""
    start = path.resolve()
    for folder in (start, *start.parents) if start.is_dir() else start.parents:
        for candidate in (folder, folder / "pack"):
            if (candidate / "assignment.json").is_file():
                return candidate
    return None
