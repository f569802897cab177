"""Whether a score is of an assignment's present answers, metric and images.

What an earlier version published or scored is known by its answers alone.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

import grader
from leaderboard.models import Assignment, Evaluation, Kind, Submission

OUTDATED: Final = "OUTDATED"


def flags_of(assignment: Assignment, kind: Kind, evaluation: Evaluation | None) -> list[str]:
    """An evaluation's flags; OUTDATED where its score is of other answers, images or metric."""
    if evaluation is None:
        return []
    is_scored = evaluation.verdict == grader.Verdict.OK.value
    outdated = is_scored and not is_current(assignment, kind, evaluation)
    return [*evaluation.flags, *([OUTDATED] if outdated else [])]


def is_current(assignment: Assignment, kind: Kind, evaluation: Evaluation) -> bool:
    """Whether an evaluation is of the present answers, metric and, if it ran code, images."""
    if assignment.measure_sha256 is None or evaluation.measure_sha256 is None:
        is_alike = evaluation.answers_sha256 == assignment.answers_sha256
    else:
        is_alike = evaluation.measure_sha256 == assignment.measure_sha256
    known = (evaluation.images_sha256, assignment.images_sha256)
    return is_alike and (kind is Kind.CSV or None in known or known[0] == known[1])


def measured_alike() -> sa.ColumnElement[bool]:
    """The same of answers and metric, in a statement that has both tables."""
    return sa.func.coalesce(
        Evaluation.measure_sha256 == Assignment.measure_sha256,
        Evaluation.answers_sha256 == Assignment.answers_sha256,
    )


def of_the_images() -> sa.ColumnElement[bool]:
    """Whether code ran on the present images, in a statement that has all three tables."""
    return sa.or_(
        Submission.kind == Kind.CSV,
        sa.func.coalesce(Evaluation.images_sha256 == Assignment.images_sha256, sa.true()),
    )
