"""One grade of several: the weighted mean of the grades given in parts of one piece of work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from grader.scoring.grading import Steps


@dataclass(frozen=True, kw_only=True)
class Part:
    """A grade that was given, as its steps write it, and what it weighs."""

    given: float
    written: str
    weight: float


@dataclass(frozen=True, kw_only=True)
class Joint:
    """The weighted mean of parts, and the step that it becomes."""

    mean: float
    given: float
    written: str


def joint_grade(parts: Sequence[Part], steps: Steps | None) -> Joint | None:
    """The mean of grades, each times its weight; None where nothing weighs anything.

    Args:
        steps: those that every part has; None: the parts are plain scores.

    Raises:
        ValueError: a weight is negative or not finite.

    >>> half = Part(given=2.0, written="2", weight=1)
    >>> joint_grade([half, Part(given=1.0, written="1", weight=3)], None).mean
    1.25
    """
    if any(not math.isfinite(each.weight) or each.weight < 0 for each in parts):
        raise ValueError("a weight must be a finite number, and not negative")
    total = math.fsum(each.weight for each in parts)
    if not total:
        return None
    mean = math.fsum(each.weight * each.given for each in parts) / total
    if steps is None:
        return Joint(mean=mean, given=mean, written=f"{mean:.4f}")
    given = steps.given(mean)
    return Joint(mean=mean, given=given, written=steps.written(given))
