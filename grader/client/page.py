"""A report and a leaderboard as HTML, for notebooks; what other people wrote is escaped.

Colours are laid over whatever the notebook's theme has, so that they read on light and dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final, Protocol

from grader.metric_list import METRICS
from grader.verdicts import Verdict

_MOST_CLASSES: Final = 30  # a larger matrix is not drawn
_RIGHT, _WRONG = "46, 160, 67", "219, 97, 9"


class Report(Protocol):
    """What of a submission is shown."""

    @property
    def id(self) -> str: ...
    @property
    def assignment(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def verdict(self) -> str | None: ...
    @property
    def detail(self) -> str: ...
    @property
    def flags(self) -> Sequence[str]: ...
    @property
    def problems(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def public(self) -> Mapping[str, Any] | None: ...
    @property
    def private(self) -> Mapping[str, Any] | None: ...


class Row(Protocol):
    """What of a team's place is shown."""

    @property
    def rank(self) -> int | None: ...
    @property
    def is_shared(self) -> bool: ...
    @property
    def team(self) -> str: ...
    @property
    def is_mine(self) -> bool: ...
    @property
    def primary(self) -> float | None: ...
    @property
    def entries(self) -> int: ...


def report_html(report: Report) -> str:
    """Verdict, problems, every score there is to see, classes and confusion matrix."""
    parts = [_heading(report), _problems(report.problems), _scores(report)]
    for name, score in (("public", report.public), ("private", report.private)):
        parts += [_classes(name, score or {}), _matrix(name, score or {})]
    return "".join(parts)


def board_html(metric: str, rows: Iterable[Row]) -> str:
    """Rows of a leaderboard, one's own in bold."""
    cells = [
        [
            "" if row.rank is None else f"{row.rank}{'=' * row.is_shared}",
            _bold(row.team, row.is_mine),
            _number(row.primary),
            str(row.entries),
        ]
        for row in rows
    ]
    return _table(("", "team", metric, "submissions"), cells)


def _heading(report: Report) -> str:
    title = report.status
    if report.verdict:
        title = f"{report.verdict}: {Verdict(report.verdict).title}"
    about = f"Submission {report.id} to {report.assignment}"
    lines = [f"<b>{escape(title)}</b>", escape(about)]
    lines += [escape(report.detail)] * bool(report.detail)
    lines += [escape(f"Flags: {', '.join(report.flags)}")] * bool(report.flags)
    return f"<p>{'<br>'.join(lines)}</p>"


def _problems(problems: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        [
            escape(str(each.get("line") or "")),
            escape(str(each.get("column") or "")),
            escape(str(each.get("message") or each.get("kind") or "")),
            escape(str(each.get("count") or 1)),
            escape(str(each.get("hint") or "")),
        ]
        for each in problems
    ]
    return _table(("line", "column", "problem", "times", "what to do"), rows) if rows else ""


def _scores(report: Report) -> str:
    shown = {name: score for name in ("public", "private") if (score := getattr(report, name))}
    metrics = [name for name in METRICS if any(s.get(name) is not None for s in shown.values())]
    rows = [
        [_bold(metric, metric == report.metric), *(_cell(s, metric) for s in shown.values())]
        for metric in metrics
    ]
    counts = [["images", *(str(score.get("n", "")) for score in shown.values())]]
    return _table(("", *shown), counts + rows) if shown else ""


def _cell(score: Mapping[str, Any], metric: str) -> str:
    bounds = (score.get("intervals") or {}).get(metric)
    if not isinstance(bounds, Sequence) or len(bounds) != 2:
        return _number(score.get(metric))
    return f"{_number(score.get(metric))} ({_number(bounds[0])}–{_number(bounds[1])})"


def _classes(split: str, score: Mapping[str, Any]) -> str:
    names = ("precision", "recall", "f1", "support")
    rows = [
        [escape(str(each["name"])), *(_number(each.get(name)) for name in names)]
        for each in score.get("per_class") or ()
    ]
    return _table((f"{split}: class", *names), rows) if rows else ""


def _matrix(split: str, score: Mapping[str, Any]) -> str:
    """Rows are true classes, columns what was predicted; shaded by the share of the row."""
    matrix = score.get("confusion") or ()
    if not 0 < len(matrix) <= _MOST_CLASSES:
        return ""
    per_class = score.get("per_class") or [{"name": str(index)} for index in range(len(matrix))]
    names = [str(each["name"]) for each in per_class]
    rows = [
        [escape(name), *(_shaded(count, sum(row), at == k) for k, count in enumerate(row))]
        for at, (name, row) in enumerate(zip(names, matrix, strict=True))
    ]
    return _table((f"{split}: true ↓ predicted →", *names), rows)


def _shaded(count: int, total: int, is_right: bool) -> str:
    share = count / total if total else 0.0
    colour = _RIGHT if is_right else _WRONG
    style = f"background: rgba({colour}, {share:.2f}); padding: 0 .4em"
    return f'<span style="{style}">{count}</span>'


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the header is text, cells are HTML."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _bold(text: str, is_bold: bool) -> str:
    return f"<b>{escape(text)}</b>" if is_bold else escape(text)


def _number(value: object) -> str:
    """
    >>> _number(0.75), _number(12), _number(None)
    ('0.7500', '12', '')
    """
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else escape(str(value))
