"""`grader grade`: what grade a score is, by an assignment's scale, and why (staff)."""

from __future__ import annotations

from pathlib import Path

import click

from grader import Assignment
from grader.cli.terminal.base import TranslatedCommand, json_option
from grader.cli.terminal.console import in_words, show, show_json
from grader.scoring.explained import explained
from grader.scoring.grading import Grade, Knot
from grader.scoring.scale_file import load_scale


@click.command("grade", cls=TranslatedCommand)
@click.argument("score", type=float)
@click.option(
    "-a",
    "--assignment",
    "folder",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The assignment's folder, with scale.json in it.",
)
@click.option(
    "--days-late",
    type=click.IntRange(0, 10_000),
    default=0,
    help="Days late that no late day pays for.",
)
@json_option
def grade_command(score: float, folder: Path, days_late: int, as_json: bool) -> None:
    """Give the grade of a private SCORE, and what it was made of.

    \b
    Example: grader grade 0.903 -a fashion_mnist/ --days-late 1
    """
    assignment = Assignment.open(folder)
    scale = load_scale(folder, assignment)
    grade = scale.grade(
        score,
        days_late=days_late,
        penalty_per_day=assignment.schedule.late_penalty_per_day,
    )
    if as_json:
        show_json(as_dict(grade) | {"zone": scale.zone})
    else:
        show(in_words(explained(grade)))


def as_dict(grade: Grade) -> dict[str, object]:
    """The JSON form of a grade."""
    return {
        "score": grade.score,
        "exact": grade.exact,
        "below": _knot(grade.below),
        "above": _knot(grade.above),
        "factor": grade.factor,
        "days_late": grade.days_late,
        "penalty": grade.penalty,
        "grade": grade.given,
        "written": grade.written,
        "passed": grade.passed,
    }


def _knot(knot: Knot | None) -> dict[str, object] | None:
    if knot is None:
        return None
    return {
        "name": knot.name,
        "grade": knot.grade,
        "from": knot.score,
        "mean": knot.mean,
        "zone": knot.zone,
    }
