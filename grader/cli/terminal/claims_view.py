"""How the findings about a report look, on a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from grader.claims.claims import Explanation, Finding
from grader.claims.figures import MEANS
from grader.claims.reports import Checked, ReportCheck
from grader.claims.split_sizes import SplitFit
from grader.cli.chinese.messages import tr
from grader.cli.terminal.console import clean, in_words, show
from grader.words.message import said


def show_check(check: ReportCheck) -> None:
    """Print what each table says of its headline, and what follows for the ranking."""
    for each in check.checked:
        _show_checked(each)
    for ranking in check.rankings:
        if ranking.turned:
            show(
                tr(
                    "Ranking by {metric}: claimed {claimed}; by the tables {true}",
                    metric=ranking.metric,
                    claimed=" > ".join(map(clean, ranking.claimed)),
                    true=" > ".join(map(clean, ranking.true)),
                )
            )
    for one, other in check.overlapping:
        text = "{one} and {other}: the 95% intervals of their accuracies overlap"
        show(tr(text, one=clean(one), other=clean(other)))
    if check.unmatched:
        names = ", ".join(clean(headline.name) for headline in check.unmatched)
        show(tr("Claims without a table to hold them against: {names}", names=names))


def show_findings(findings: Sequence[Finding]) -> None:
    """Print one line for each claim."""
    for finding in findings:
        show(f"  {_sentence(finding)}")


def show_fits(fits: Sequence[SplitFit]) -> None:
    """Print the splits on which a public and a private score are possible."""
    if not fits:
        show(tr("No round split of the test set allows both scores."))
    elif len(fits) == 1:
        show(tr("Of the round splits only one fits both scores:"))
    for fit in fits:
        share = round(100 * fit.public_n / (fit.public_n + fit.private_n))
        text = "{public}/{private}: {right}/{n} and {private_right}/{private_n} right"
        line = tr(
            text,
            public=share,
            private=100 - share,
            right=fit.public_right,
            n=fit.public_n,
            private_right=fit.private_right,
            private_n=fit.private_n,
        )
        if fit.cut_off:
            line += tr(", if the digits were cut off, not rounded")
        show(f"  {line}")
        drop = 100 * (fit.public_right / fit.public_n - fit.private_right / fit.private_n)
        noise = "within noise" if fit.is_noise else "more than noise"
        text = "  public − private: {drop:+.2f} points, z = {z:.2f}: {noise}"
        show(tr(text, drop=drop, z=fit.z, noise=tr(noise)))


def check_as_dict(check: ReportCheck) -> dict[str, Any]:
    """The JSON form of a report's check."""
    return {
        "tables": [_checked_as_dict(each) for each in check.checked],
        "rankings": [{**asdict(each), "turned": each.turned} for each in check.rankings],
        "overlapping": [list(pair) for pair in check.overlapping],
        "unmatched": [headline.name for headline in check.unmatched],
    }


def fit_as_dict(fit: SplitFit) -> dict[str, Any]:
    """The JSON form of a split."""
    return {**asdict(fit), "z": fit.z, "noise": fit.is_noise}


def _show_checked(checked: Checked) -> None:
    figures = checked.figures
    text = "{name} (line {line}, {classes} classes, {images} images)"
    show(
        tr(
            text,
            name=clean(checked.name),
            line=checked.line,
            classes=figures.num_classes,
            images=figures.total,
        )
    )
    show_findings(checked.findings)
    for finding in checked.own:
        show("  " + tr("The table's own last rows: {finding}", finding=_sentence(finding)))
    for line in checked.odd_rows:
        show("  " + tr("Line {line}: its figures do not go together.", line=line))
    precision, recall, f1 = (f"{checked.mean(metric).value:.3f}" for metric in MEANS)
    bounds = checked.accuracy_interval()
    text = (
        "Over all {classes} classes: precision {precision}, recall {recall}, F1 {f1}; "
        "accuracy {accuracy:.4f} (95% {low:.3f}–{high:.3f})"
    )
    values = {"precision": precision, "recall": recall, "f1": f1}
    accuracy = figures.accuracy().value
    show(
        "  "
        + tr(
            text,
            classes=figures.num_classes,
            accuracy=accuracy,
            low=bounds.low,
            high=bounds.high,
            **values,
        )
    )


def _sentence(finding: Finding) -> str:
    """One claim in the reader's language."""
    values = {"metric": finding.claim.metric, "claimed": clean(finding.claim.printed.text)}
    if finding.measured is None:
        return tr("{metric}: claimed {claimed}; nothing here measures that", **values)
    measured = finding.measured.value
    if finding.agrees and finding.cut_off:
        text = "{metric}: claimed {claimed}, measured {measured:.4f}: agrees, cut off"
        return tr(text, **values, measured=measured)
    if finding.agrees:
        text = "{metric}: claimed {claimed}, measured {measured:.4f}: agrees"
        return tr(text, **values, measured=measured)
    text = "{metric}: claimed {claimed}, measured {measured:.4f}: {reason}"
    return tr(text, **values, measured=measured, reason=_reason(finding))


def _reason(finding: Finding) -> str:
    if not finding.explanation:
        return tr(said("claims.no_mistake"))
    reason = _in_words(finding.explanation)
    if finding.others:
        reason += tr(" (or: {other}", other=_in_words(finding.others[0]))
        more = len(finding.others) - 1
        reason += tr("; and {count} more ways)", count=more) if more else ")"
    return reason


def _in_words(explanation: Explanation) -> str:
    return "; ".join(in_words(each.said) for each in explanation)


def _checked_as_dict(checked: Checked) -> dict[str, Any]:
    bounds = checked.accuracy_interval()
    return {
        "name": checked.name,
        "line": checked.line,
        "classes": checked.figures.num_classes,
        "images": checked.figures.total,
        "accuracy": checked.figures.accuracy().value,
        "accuracy_interval": bounds.as_list(),
        **{metric: checked.mean(metric).value for metric in MEANS},
        "findings": [finding.as_dict() for finding in checked.findings],
        "own": [finding.as_dict() for finding in checked.own],
        "odd_rows": list(checked.odd_rows),
    }
