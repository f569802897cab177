"""How a submission, its score and its verdict look on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from grader.cli.base import ExitCode
from grader.cli.console import clean, detail_in_words, show, show_problems, show_table, talk
from grader.cli.messages import tr
from grader.errors import Owner
from grader.replies import SubmissionReport
from grader.verdicts import Verdict

SHOWN_METRICS = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "top5_accuracy",
    "log_loss",
    "macro_auc",
)
STATUSES = ("queued", "running", "finished", "cancelled")
PHASES = ("checking", "sample", "hidden", "scoring")


def exit_code_for(report: SubmissionReport) -> ExitCode:
    """0 for a score, 3 for a verdict of the student's making, 4 for one of ours."""
    return exit_code_for_verdict(report.verdict)


def exit_code_for_verdict(verdict: str | None) -> ExitCode:
    """The exit code of a verdict; a cancelled submission, which has none, ended without a score."""
    if verdict is None:
        return ExitCode.REJECTED
    whose = Verdict(verdict).whose
    if whose is None:
        return ExitCode.OK
    return ExitCode.REJECTED if whose is Owner.STUDENT else ExitCode.OURS


def show_receipt(report: SubmissionReport) -> None:
    """Print the proof of an on-time hand-in."""
    show(tr("Submission {id}", id=report.id))
    if report.receipt:
        show(tr("Receipt: accepted {time}", time=clean(report.receipt.accepted_at)))
        show(f"  SHA-256 {clean(report.receipt.sha256)}")
        show(f"  {tr('signature')} {clean(report.receipt.signature)}")


def show_report(report: SubmissionReport) -> None:
    """Print the verdict with its reasons, and every score there is to see."""
    if report.verdict is None and report.raw.get("counted"):
        show(tr("Cancelled while it ran on hidden images: it has no verdict, but is counted."))
        return
    show_verdict(report.verdict, report.detail, report.problems, report.flags)
    show_scores({"public": report.public, "private": report.private})
    if report.verdict not in (None, Verdict.OK):
        show_log(report)


def show_log(report: SubmissionReport) -> None:
    """Print what the sample run printed, or has printed so far."""
    if report.raw.get("sample_log"):
        talk(tr("Log of the sample run:"))
        talk(clean(str(report.raw["sample_log"])))


def show_verdict(
    verdict: str | None,
    detail: str,
    problems: Sequence[Mapping[str, Any]],
    flags: Sequence[str] = (),
) -> None:
    """Print what became of it, and why."""
    if verdict is None:
        show(tr("Cancelled: it has no verdict and cost nothing."))
        return
    show(f"{verdict}: {tr(Verdict(verdict).title)}")
    if detail:
        show(f"  {clean(detail_in_words(detail))}")
    show_problems(problems)
    if "ND" in flags:
        show(tr("Flag ND: the same image got different answers; make the model deterministic."))


def show_scores(splits: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Print a table with one column for each split that has scores."""
    shown = {name: score for name, score in splits.items() if score}
    if not shown:
        return
    metrics = [m for m in SHOWN_METRICS if any(s.get(m) is not None for s in shown.values())]
    rows = [[tr("images"), *(str(score.get("n", "")) for score in shown.values())]]
    for metric in metrics:
        rows.append([metric, *(_with_interval(score, metric) for score in shown.values())])
    show_table([tr("metric"), *(tr(name) for name in shown)], rows)


def phase_of(report: SubmissionReport) -> str:
    """What happens to a submission now, in words."""
    words = tr(report.status)
    if report.status == "queued" and report.queue_place is not None:
        words += ", " + tr("place {place}", place=report.queue_place)
        if report.queue_eta_seconds is not None:
            words += ", " + tr("about {seconds:.0f} s", seconds=report.queue_eta_seconds)
    elif report.status == "running" and report.phase:
        words += ": " + tr(report.phase)
    if report.raw.get("retry") in ("waiting", "running"):
        words = f"{_tried_again(report)} ({words})"
    return words


def _tried_again(report: SubmissionReport) -> str:
    return tr(
        "{verdict}; it is tried again once when the machine is quiet, free of quota",
        verdict=report.verdict,
    )


def number(value: object) -> str:
    """A metric as it is shown: five decimals, a dash where there is none."""
    return f"{value:.5f}" if isinstance(value, int | float) else "-"


def when(value: datetime | str | None) -> str:
    """A time as it is shown: local and to the minute on a terminal, ISO 8601 to anything else."""
    if not value:
        return ""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not sys.stdout.isatty():
        return time.isoformat()
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def interval(value: object) -> str:
    """An interval `[low, high]` as it is shown, empty where there is none."""
    if isinstance(value, Sequence) and len(value) == 2:
        return f"{value[0]:.4f}–{value[1]:.4f}"
    return ""


def _with_interval(score: Mapping[str, Any], metric: str) -> str:
    bounds = interval((score.get("intervals") or {}).get(metric))
    return f"{number(score.get(metric))} ({bounds})" if bounds else number(score.get(metric))
