"""What a board's mode lets students see of a public score. Pure."""

from __future__ import annotations

from typing import Any

# of a score's JSON form, what is a figure over the whole split
_AGGREGATES = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "weighted_precision",
    "weighted_recall",
    "weighted_f1",
    "top5_accuracy",
    "log_loss",
    "macro_auc",
)


def shown_secondary(mode: str, value: float) -> float | None:
    """A metric beside the ranking one: on an exact board only, since several figures of one split,
    each coarse, narrow the exact score down."""
    return value if mode == "exact" else None


def visible_report(
    report: dict[str, Any],
    intervals: dict[str, list[float]],
    *,
    mode: str,
    feedback: str,
    metric: str,
    shown: float,
) -> dict[str, Any]:
    """The part of a public score's JSON form (`grader.Score.as_dict`) that students may see.

    `feedback` is aggregate, per_class or confusion (which includes per_class). A figure that the
    board's mode keeps back is None; anything that is not known to be allowed is left out.
    """
    visible: dict[str, Any] = {"n": report["n"]}
    for name in _AGGREGATES:
        value = report.get(name)
        if value is not None:  # else the predictions hold nothing to compute it from
            visible[name] = shown_secondary(mode, value)
    visible[metric] = shown
    if mode == "exact":
        visible["intervals"] = intervals
    if mode == "exact" and feedback in ("per_class", "confusion"):
        visible["per_class"] = [_without_roc(row) for row in report["per_class"]]
    if mode == "exact" and feedback == "confusion":
        visible["per_class"] = [_with_coarse_roc(row) for row in report["per_class"]]
        visible["confusion"] = report["confusion"]
    return visible


def _without_roc(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "roc"}


def _with_coarse_roc(row: dict[str, Any]) -> dict[str, Any]:
    """In hundredths: beside one's own scores, a curve of full precision tells labels of images."""
    if row.get("roc") is None:
        return _without_roc(row)
    return {**row, "roc": [round(rate, 2) for rate in row["roc"]]}
