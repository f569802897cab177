"""`grader score`: score a hand-in here and now, with no server (staff)."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grader import (
    Assignment,
    Evaluation,
    Runner,
    Scores,
    Submission,
    evaluate,
)
from grader.assignments.feedback import tells_much
from grader.assignments.readiness import check_runs_code
from grader.cli.chinese.messages import tr
from grader.cli.terminal.base import TranslatedCommand, json_option
from grader.cli.terminal.console import in_words, show, show_json, talk
from grader.cli.terminal.views import exit_code_for_verdict, show_scores, show_verdict
from grader.cli.trying.runners import sandbox_runner
from grader.scoring.significance import score_intervals

if TYPE_CHECKING:
    from grader.claims.claims import Finding


@click.command("score", cls=TranslatedCommand)
@click.argument("assignment_dir", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@json_option
def score_command(assignment_dir: Path, path: Path, as_json: bool) -> None:
    """Score PATH, a CSV or a bundle, against the answers in ASSIGNMENT_DIR.

    \b
    Example: grader score fashion_mnist/ predictions.csv --json
    """
    assignment = Assignment.load(assignment_dir)
    if tells_much(test_images=assignment.data.test_images, feedback=assignment.scoring.feedback):
        bits = round(assignment.feedback_bits())
        talk(
            tr(
                "The test images are hidden, but feedback lets out up to {bits} bits of them an "
                "evaluation; `aggregate` with public_board `rounded`: 7.",
                bits=bits,
            )
        )
    submission = Submission.detect(path)
    runner = _runner_for(assignment) if submission.kind == "code" else None
    evaluation = evaluate(
        submission, assignment, runner, on_phase=lambda phase: talk(f"{tr(phase)} …")
    )
    report = evaluation.as_dict()
    for split, intervals in _intervals(evaluation).items():
        report[split]["intervals"] = intervals
    if submission.kind == "code" and evaluation.scores:
        findings = _held_claims(path, evaluation.scores)
        report |= {"claims": [finding.as_dict() for finding in findings]} if findings else {}
    if as_json:
        show_json(report)
    else:
        _show(evaluation, report)
    sys.exit(exit_code_for_verdict(evaluation.verdict))


def _runner_for(assignment: Assignment) -> Runner:
    if "code" in assignment.submission.kinds:
        check_runs_code(assignment)
    return sandbox_runner()


def _intervals(evaluation: Evaluation) -> dict[str, dict[str, list[float]]]:
    """95 % intervals of each split's metrics, the same each time for the same predictions."""
    if not evaluation.scores or not evaluation.predictions:
        return {}
    draw = partial(score_intervals, seed=evaluation.predictions.seed)
    splits = {"public": evaluation.scores.public, "private": evaluation.scores.private}
    with ThreadPoolExecutor() as pool:  # NumPy draws without holding the interpreter
        drawn = pool.map(draw, [score.confusion for score in splits.values()])
    return {
        split: {metric: interval.as_list() for metric, interval in intervals.items()}
        for split, intervals in zip(splits, drawn, strict=True)
    }


def _held_claims(path: Path, scores: Scores) -> tuple[Finding, ...]:
    """What the bundle's claims.toml claims, against the private score."""
    from grader.bundles.bundle import inspect_bundle
    from grader.claims.claims import Evidence, WrongClaim, examine, parse_claims

    table = inspect_bundle(path).claims
    if not table:
        return ()
    try:
        claims = parse_claims(table)
    except WrongClaim as error:
        talk(tr("Warning: {warning}", warning=f"claims.toml: {in_words(error.problem)}"))
        return ()
    return examine(claims, Evidence.of_scores(scores.private, scores.public))


def _show(evaluation: Evaluation, report: dict[str, Any]) -> None:
    problems = [problem.as_dict() for problem in evaluation.problems]
    show_verdict(evaluation.verdict, evaluation.detail, problems, evaluation.flags)
    show_scores({split: report.get(split) for split in ("public", "private")})
    for claim in report.get("claims", ()):
        show(f"  {claim['sentence']}")
