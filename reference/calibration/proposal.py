"""Anchors that a teacher can take as they are: the table `[grading]`, and scale.json. Pure.

Of all baselines that were trained long enough often enough, as many as the grading module takes
together: ends with ten seeds, others with five, each told apart from the next.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grader.metric_list import METRICS
from grader.scoring.grading import Anchor, Scale, ScaleError, scale_of, steps_of
from grader.settings.tables import Grading

WORST_OF_100, BEST_OF_100 = 40.0, 100.0


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Anchors with their grades, and the scale that they make."""

    anchors: tuple[Anchor, ...]
    scale: Scale


def propose(anchors: Sequence[Anchor], *, metric: str, grading: Grading) -> Proposal:
    """The most anchors that make a scale; of as many, those that lie furthest apart.

    The worst gets the worst grade of the scheme (40 of 100), since below it the scale is flat; the
    best the best grade, since above it is flat too; the others lie evenly between.

    Raises:
        ScaleError: no two of them do; what is wrong with all of them together.
    """
    sign = 1 if METRICS[metric].higher_is_better else -1
    ordered = sorted(anchors, key=lambda each: sign * each.mean)
    for count in range(len(ordered), 1, -1):
        chosen = [
            made
            for some in itertools.combinations(ordered, count)
            if (made := _made(some, metric=metric, grading=grading)) is not None
        ]
        if chosen:
            return max(chosen, key=_apart)
    steps = steps_of(grading)
    scale_of(_graded(ordered, grading), metric=metric, steps=steps)
    raise AssertionError("all of them make a scale, and were tried")


def grades(grading: Grading, count: int) -> tuple[float, ...]:
    """Grades of so many anchors, the worst first.

    >>> grades(Grading(), 3), grades(Grading(steps="1.0-5.0"), 2)
    ((40.0, 70.0, 100.0), (5.0, 1.0))
    """
    if grading.steps == "pass":
        # the second passes: whoever is halfway to it has failed
        mark = 50.0 if grading.pass_mark is None else grading.pass_mark
        return (0.0, *(mark * (1 + place) for place in range(count - 1)))
    worst, best = WORST_OF_100, BEST_OF_100
    if grading.steps == "1.0-5.0":
        worst, best = 5.0, 1.0
    elif grading.steps == "letters" and grading.letters:
        worst, best = min(grading.letters.values()), max(grading.letters.values())
    elif grading.best == "low":
        worst, best = BEST_OF_100 - WORST_OF_100, 0.0
    return tuple(round(float(each), 1) for each in np.linspace(worst, best, count))


def grading_toml(proposal: Proposal, grading: Grading) -> str:
    """The table `[grading]` with these anchors; what was set in it already stays."""
    anchors = ", ".join(f"{_key(each.name)} = {each.grade:g}" for each in proposal.anchors)
    lines = ["[grading]", f"anchors = {{ {anchors} }}"]
    usual = Grading()
    for name in ("steps", "best", "letters", "pass_mark", "rounding", "weight", "training_minutes"):
        value = getattr(grading, name)
        if value != getattr(usual, name):
            lines.append(f"{name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def scale_json(proposal: Proposal) -> str:
    """The file scale.json with the runs of these anchors (grader.scoring.scale_file)."""
    anchors = {
        each.name: {
            "scores": [round(value, 6) for value in each.scores],
            "test_error": round(each.test_error, 6),
        }
        for each in proposal.anchors
    }
    return json.dumps({"anchors": anchors}, indent=1, ensure_ascii=False) + "\n"


def _made(some: Sequence[Anchor], *, metric: str, grading: Grading) -> Proposal | None:
    anchors = _graded(some, grading)
    try:
        scale = scale_of(anchors, metric=metric, steps=steps_of(grading))
    except ScaleError:
        return None  # others are tried, and in the end all together say what is wrong
    return Proposal(anchors=anchors, scale=scale)


def _graded(some: Sequence[Anchor], grading: Grading) -> tuple[Anchor, ...]:
    given = grades(grading, len(some))
    return tuple(replace(each, grade=grade) for each, grade in zip(some, given, strict=True))


def _apart(proposal: Proposal) -> tuple[float, float]:
    """The whole way from the worst to the best, then the narrowest gap."""
    means = [each.mean for each in proposal.anchors]
    return abs(means[-1] - means[0]), min(abs(b - a) for a, b in itertools.pairwise(means))


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else json.dumps(name)


def _toml(value: object) -> str:
    """A value of `[grading]`; JSON's strings and numbers are TOML's too."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
