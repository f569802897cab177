"""Stored scores as readers see them: what a board's mode lets students see, all of it for staff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from grader.metric_list import EVERY
from leaderboard.boards import intervals
from leaderboard.boards.scores import shown_secondary
from leaderboard.models import Assignment, SplitScore
from leaderboard.rules import catalog
from leaderboard.views.submission import ClassLine, Score, WholeScore


def visible(session: Session, assignment: Assignment, row: SplitScore) -> Score:
    """A score as its team may see it now: before the release as the assignment's `public_board` and
    `feedback` allow, then whole. A figure that the board's mode keeps back is None; anything that
    is not known to be allowed is left out."""
    is_released = assignment.released_at is not None
    scoring = catalog.rules(assignment).scoring
    mode = "exact" if is_released else scoring.public_board
    feedback = "confusion" if is_released else scoring.feedback
    is_exact, report = mode == "exact", row.report
    return Score(
        n=report["n"],
        figures={
            # what is not there the predictions hold nothing to compute from
            **{
                name: shown_secondary(mode, report[name])
                for name in EVERY
                if report.get(name) is not None
            },
            assignment.metric: row.primary if is_released else row.shown,
        },
        intervals=intervals.of_row(session, row) if is_exact else None,
        per_class=_classes(report["per_class"], with_roc=feedback == "confusion")
        if is_exact and feedback in ("per_class", "confusion")
        else None,
        confusion=report["confusion"] if is_exact and feedback == "confusion" else None,
    )


def whole(session: Session, row: SplitScore | None) -> WholeScore | None:
    """A score as staff see it: as it is stored."""
    if row is None:
        return None
    report = row.report
    return WholeScore(
        n=report["n"],
        figures={name: report[name] for name in report if name in EVERY},
        per_class=tuple(_class(each, each.get("roc")) for each in report["per_class"]),
        confusion=report["confusion"],
        intervals=intervals.of_row(session, row),
    )


def _classes(rows: Sequence[Mapping[str, Any]], *, with_roc: bool) -> tuple[ClassLine, ...]:
    """Curves in hundredths: beside one's own scores, one of full precision tells labels of
    images."""
    return tuple(
        _class(row, [round(rate, 2) for rate in row["roc"]])
        if with_roc and row.get("roc") is not None
        else _class(row, None)
        for row in rows
    )


def _class(row: Mapping[str, Any], roc: Sequence[float] | None) -> ClassLine:
    return ClassLine(
        name=row["name"],
        precision=row["precision"],
        recall=row["recall"],
        f1=row["f1"],
        support=row["support"],
        auc=row.get("auc"),
        roc=None if roc is None else tuple(roc),
    )
