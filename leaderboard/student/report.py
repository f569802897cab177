"""The page of one submission, and the stream that says when it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from grader import Verdict
from grader.scoring import FALSE_POSITIVE_RATES
from leaderboard import (
    cancelling,
    catalog,
    charts,
    claims,
    comparisons,
    curves,
    declarations,
    events,
    pages,
    sentences,
    submissions,
    views,
    words,
)
from leaderboard.auth import policy
from leaderboard.errors import NotAllowedNow, NotFound
from leaderboard.models import Assignment
from leaderboard.state import current_state

report_pages = Blueprint("report", __name__)

_SHOWN_METRICS = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "top5_accuracy",
    "log_loss",
    "macro_auc",
)


@dataclass(frozen=True, kw_only=True)
class ConfusionPart:
    """The confusion matrix as a picture, and its largest errors in words."""

    picture: Markup
    pairs: list[charts.Confusion]


@report_pages.get("/s/<public_id>")
@policy.sign_in_required
def submission(public_id: str) -> ResponseReturnValue:
    """The report of a submission, for its team and the course staff."""
    access, found = policy.submission_access(g.session, policy.require_user(), public_id)
    report = views.report(g.session, found, access)
    chosen = request.args.get("baseline", type=int)
    baselines = comparisons.with_baselines(g.session, found, chosen=chosen)
    return render_template(
        "submission.html",
        access=access,
        assignment=found.assignment,
        report=report,
        steps=_steps(report),
        shown_metrics=[name for name in _SHOWN_METRICS if name != report["metric"]],
        confusion=_confusion(report["public"]),
        strip=_place(access, found.assignment, report),
        roc=_roc(report["public"]),
        comparisons=[
            (_("Earlier submissions of the team"), comparisons.with_earlier(g.session, found)),
            (_("Nearest baselines") if baselines.is_choice else _("Baselines"), baselines.nearest),
            (_("Chosen baseline"), baselines.chosen),
        ],
        baselines=baselines,
        run_facts=_run_facts(report),
        declares=declarations.is_asked(catalog.rules(found.assignment).rules),
        claim_rows=_claim_rows(report),
        claims_text="\n".join(f'{name} = "{text}"' for name, text in report["claims"].items()),
    )


@report_pages.post("/s/<public_id>/claims")
@policy.sign_in_required
def claim(public_id: str) -> ResponseReturnValue:
    """Keep what the team's report claims, to hold it against what was measured."""
    access, found = policy.submission_access(g.session, policy.require_user(), public_id)
    if access.team is None or access.team.id != found.team_id:
        raise NotFound
    claimed = claims.read(request.form.get("claims", ""))
    submissions.set_claims(g.session, found, claimed, actor=access.user)
    return redirect(url_for("report.submission", public_id=public_id, _anchor="claims"), code=303)


@report_pages.post("/s/<public_id>/cancel")
@policy.sign_in_required
def cancel(public_id: str) -> ResponseReturnValue:
    """Withdraw what waits or runs: its team, or staff."""
    access, found = policy.submission_access(g.session, policy.require_user(), public_id)
    try:
        cancelling.cancel(g.session, found, actor=access.user, is_staff=access.is_staff)
        flash(_("It is cancelled."), "good")
    except NotAllowedNow as error:  # most often its result was there first
        flash(sentences.in_words(error.detail), "bad")
    return redirect(url_for("report.submission", public_id=public_id), code=303)


def _steps(report: Mapping[str, Any]) -> list[words.Step]:
    failed_in = report["failed_in"]
    if report["verdict"] not in (None, Verdict.OK):
        failed_in = failed_in or "upload"
    return words.steps(report["kind"], report["status"], report["phase"], failed_in)


@report_pages.get("/s/<public_id>/events")
@policy.sign_in_required
def follow(public_id: str) -> ResponseReturnValue:
    """Say whenever the report has changed; the page then fetches itself again."""
    _access, found = policy.submission_access(g.session, policy.require_user(), public_id)
    return events.response(current_state().watcher, found.id, views.pulse)


def _confusion(public: Mapping[str, Any] | None) -> ConfusionPart | None:
    if not public or not public.get("confusion") or not public.get("per_class"):
        return None
    classes = [row["name"] for row in public["per_class"]]
    return ConfusionPart(
        picture=charts.confusion_matrix(
            public["confusion"],
            classes,
            title=_("Confusion matrix of the public part; its largest errors are listed beside it"),
            true_label=_("true class"),
            predicted_label=_("predicted class"),
        ),
        pairs=charts.most_confused(public["confusion"], classes),
    )


def _place(
    access: policy.Access, assignment: Assignment, report: Mapping[str, Any]
) -> Markup | None:
    """Where the public score lies among the best of the other teams."""
    if not report["public"]:
        return None
    board = views.student_board(g.session, assignment, access)
    mine = report["public"][report["metric"]]
    others = [row for row in board.rows if not row.is_mine]
    if not others:
        return None
    return charts.strip(
        charts.axis([mine, *(row.primary for row in others)]),
        teams=[row.primary for row in others if not row.is_baseline],
        baselines=[(row.team_name, row.primary) for row in others if row.is_baseline],
        mine=mine,
        title=_("This score among the best of the other teams and the baselines"),
    )


def _roc(public: Mapping[str, Any] | None) -> Markup | None:
    """The ROC curves where scores were given and the assignment shows as much."""
    rows = [row for row in (public or {}).get("per_class", ()) if row.get("roc")]
    if not rows:
        return None
    return curves.roc(
        {row["name"]: (0.0, *row["roc"], 1.0) for row in rows},
        (0.0, *FALSE_POSITIVE_RATES, 1.0),
        title=_("ROC curve of each class against the others, and their mean"),
        across=_("false positive rate"),
        upwards=_("true positive rate"),
    )


@dataclass(frozen=True, kw_only=True)
class ClaimRow:
    """One claim beside what was measured; `reason` is empty where they agree."""

    metric: str
    claimed: str
    measured: float | None
    agrees: bool
    reason: str


def _claim_rows(report: Mapping[str, Any]) -> list[ClaimRow]:
    return [
        ClaimRow(
            metric=found["metric"],
            claimed=found["claimed"],
            measured=found["measured"],
            agrees=found["agrees"],
            reason="; ".join(map(sentences.of_mistake, found["explanation"])),
        )
        for found in report["claim_findings"]
    ]


def _run_facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a code run took, as far as it was measured."""
    facts, timing = report.get("facts") or {}, report.get("timing") or {}
    shown = [
        (words.efficiency_title(name), pages.efficiency(facts[name], name))
        for name in ("parameters", "checkpoint_mb", "seconds_per_1000")
        if name in facts
    ]
    if "wall_seconds" in timing:
        shown.append((_("Time"), f"{timing['wall_seconds']:.1f} s"))
    return shown
