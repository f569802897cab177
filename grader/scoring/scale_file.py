"""scale.json of an assignment: the scores of its anchors' runs, from which its scale is made.

    {"anchors": {"lenet5": {"scores": [0.878, …], "test_error": 0.0039}, …}}

Which grade an anchor stands for is in assignment.toml, `[grading]`, and there alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from grader.assignments.assignment import Assignment
from grader.errors import AssignmentError
from grader.scoring.grading import Anchor, Scale, ScaleError, scale_of, steps_of
from grader.words.message import said
from grader.words.placed import placed

FILE: Final = "scale.json"
MOST_BYTES: Final = 1 << 20
_FORM: Final = '{"anchors": {"lenet5": {"scores": [0.878, 0.881], "test_error": 0.004}}}'


def load_scale(folder: Path, assignment: Assignment) -> Scale:
    """The grading scale of an assignment folder.

    Raises:
        AssignmentError: the assignment names no anchors, the file is missing or damaged, an anchor
            has no runs in it, or these anchors make no scale.
    """
    anchors = load_anchors(folder, assignment)
    metric, steps = assignment.scoring.metric, steps_of(assignment.grading)
    try:
        return scale_of(anchors, metric=metric, steps=steps)
    except ScaleError as error:
        raise AssignmentError([placed(FILE, problem) for problem in error.problems]) from error


def load_anchors(folder: Path, assignment: Assignment) -> tuple[Anchor, ...]:
    """The anchors of an assignment folder with the scores of their runs.

    Raises:
        AssignmentError: the assignment names no anchors, the file is missing or damaged, or an
            anchor has no runs in it.
    """
    grading = assignment.grading
    if not grading.anchors:
        raise AssignmentError([placed("assignment.toml", said("scale.no_anchors"))])
    runs = _runs(folder / FILE)
    missing = [name for name in grading.anchors if name not in runs]
    if missing:
        raise AssignmentError([placed(FILE, said("scale.no_runs", name=name)) for name in missing])
    return tuple(
        Anchor(name=name, grade=grade, scores=runs[name][0], test_error=runs[name][1])
        for name, grade in grading.anchors.items()
    )


def _runs(path: Path) -> Mapping[str, tuple[tuple[float, ...], float]]:
    """Scores and standard error by the test set, for each anchor."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise AssignmentError([placed(FILE, said("scale.too_large", most=MOST_BYTES >> 20))])
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: _numbers(each) for name, each in content["anchors"].items()}
    except FileNotFoundError as error:
        raise AssignmentError([placed(FILE, said("scale.missing"))]) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AssignmentError([placed(FILE, said("scale.other_form", form=_FORM))]) from error


def _numbers(table: Mapping[str, Any]) -> tuple[tuple[float, ...], float]:
    scores = tuple(float(score) for score in table["scores"])
    error = float(table.get("test_error", 0.0))
    if not scores or error < 0 or not all(math.isfinite(each) for each in (*scores, error)):
        raise ValueError("scores must be finite numbers, and there must be some")
    return scores, error
