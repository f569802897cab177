"""How a submission, its score and its verdict look on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from grader.cli.chinese.messages import tr
from grader.cli.terminal.base import ExitCode
from grader.cli.terminal.console import (
    clean,
    in_words,
    show,
    show_problems,
    show_table,
    talk,
)
from grader.errors import Owner
from grader.metric_list import METRICS
from grader.verdicts import Verdict
from grader.words.message import said

if TYPE_CHECKING:
    from grader.client.replies import SubmissionReport

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
    if report.verdict is None and report.counted:
        show(tr("Cancelled while it ran on hidden images: it has no verdict, but is counted."))
        return
    show_verdict(report.verdict, report.detail, report.problems, report.flags)
    _show_case(report)
    show_scores({"public": report.public, "private": report.private})
    if report.verdict not in (None, Verdict.OK):
        show_log(report)


def _show_case(report: SubmissionReport) -> None:
    if report.voided is not None:
        show(tr(said("submission.voided")))
        if report.voided:
            show(f"  {clean(report.voided)}")
    if report.case is not None:
        page = f"/c/{clean(report.course)}/cases/{report.case}"
        show(tr("The teaching team has asked about it; read and reply at {page}", page=page))


def show_log(report: SubmissionReport) -> None:
    """Print what the sample run printed, or has printed so far."""
    if report.sample_log:
        talk(tr("Log of the sample run:"))
        talk(clean(report.sample_log))


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
        show(f"  {clean(in_words(detail))}")
    show_problems(problems)
    if "ND" in flags:
        show(tr("Flag ND: the same image got different answers; make the model deterministic."))
    if "DATA" in flags:
        show(
            tr(
                "Flag DATA: over 64 KB that are neither code nor values of a checkpoint; "
                "put weights into it."
            )
        )


def show_scores(splits: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Print a table with one column for each split that has scores."""
    shown = {name: score for name, score in splits.items() if score}
    if not shown:
        return
    metrics = [m for m in METRICS if any(s.get(m) is not None for s in shown.values())]
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
    if report.retry in ("waiting", "running"):
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


def when(value: datetime | str | None, zone: str | None) -> str:
    """A time as tables show it: the course's, to the minute, with its zone.

    Args:
        zone: the course's; where it is not known here, the time is this machine's.

    >>> when("2026-12-14T15:59:59+00:00", "Asia/Shanghai")
    '2026-12-14 23:59 Shanghai'
    """
    if not value:
        return ""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    try:
        own, name = ZoneInfo(zone or ""), f"{zone}".rpartition("/")[2].replace("_", " ")
    except (ZoneInfoNotFoundError, ValueError):  # an older server; a machine without zones
        return f"{time.astimezone():%Y-%m-%d %H:%M %Z}"
    return f"{time.astimezone(own):%Y-%m-%d %H:%M} {name}"


def when_utc(value: datetime | str | None, zone: str | None) -> str:
    """A time as programs read it: ISO 8601, in UTC."""
    if not value:
        return ""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    return time.astimezone(UTC).isoformat()


def interval(value: object) -> str:
    """An interval `[low, high]` as it is shown, empty where there is none."""
    if isinstance(value, Sequence) and len(value) == 2:
        return f"{value[0]:.4f}–{value[1]:.4f}"
    return ""


def _with_interval(score: Mapping[str, Any], metric: str) -> str:
    bounds = interval((score.get("intervals") or {}).get(metric))
    return f"{number(score.get(metric))} ({bounds})" if bounds else number(score.get(metric))
