"""The page of one submission, and the stream that says when it changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from grader import METRICS, Verdict
from grader.scoring.scoring import FALSE_POSITIVE_RATES
from leaderboard.accounts import access as policy
from leaderboard.assignments import samples
from leaderboard.boards import place
from leaderboard.boards.standings import Board
from leaderboard.cases import reading
from leaderboard.db import utcnow
from leaderboard.errors import NotAllowedNow, NotFound
from leaderboard.evaluations import sample_answers
from leaderboard.messages import sentences, words
from leaderboard.models import Split, Submission
from leaderboard.queue import watching
from leaderboard.rules import catalog, declarations, entrance
from leaderboard.state import current_state
from leaderboard.submissions import accept, cancelling, claims
from leaderboard.views import comparisons, evidence, stored
from leaderboard.views import report as views
from leaderboard.views.board import student_board
from leaderboard.views.comparisons import Comparison
from leaderboard.views.gradebook import entries
from leaderboard.views.shapes import as_json
from leaderboard.views.submission import ClassLine, Score, SubmissionReport
from leaderboard.web import charts, curves, formats, pictures
from leaderboard.web.reading import whole
from leaderboard.web.student import heat
from leaderboard.web.student.course import sheet_url

report_pages = Blueprint("report", __name__)


@dataclass(frozen=True, kw_only=True)
class ConfusionPart:
    """The confusion matrix as a picture, and its largest errors in words."""

    picture: Markup
    pairs: list[charts.Confusion]


@report_pages.get("/s/<public_id>")
@policy.sign_in_required
def submission(public_id: str) -> ResponseReturnValue:
    """The report of a submission, for its team and the course staff."""
    access, found = reading.submission_access(g.session, policy.require_user(), public_id)
    read = stored.read(g.session, [found], staff=views.reads_as_staff(access), bits=True)
    report = views.report(g.session, found, access, read=read)
    chosen = request.args.get("baseline", type=whole)
    baselines = comparisons.with_baselines(g.session, found, read=read, chosen=chosen)
    earlier = comparisons.with_earlier(g.session, found, read=read)
    board = student_board(g.session, found.assignment, access)
    ranked = board if found.assignment.released_at is None else _final_board(access, found)
    return render_template(
        "submission.html",
        access=access,
        assignment=found.assignment,
        place=place.place_of(ranked) if _stands(ranked, found) else None,
        right=_right(report.private or report.public),
        beaten=_beaten(baselines.nearest),
        last=earlier[0] if earlier else None,
        finals=_finals(access, found),
        weakest=_weakest(report.public),
        guesses=_guesses(access, found, read),
        heat_parts=heat.parts(access, found),
        entrance=entrance.of(g.session, found.assignment, access.team, utcnow()),
        report=report,
        grade=entries.grade_by(g.session, found, access.user) if access.team else None,
        steps=_steps(report),
        shown_metrics=[name for name in METRICS if name != report.metric],
        confusion=_confusion(report.public),
        strip=None if access.has_left else _place(board, report),
        roc=_roc(report.public),
        comparisons=[
            (_("Earlier submissions of the team"), earlier),
            (_("Nearest baselines") if baselines.is_choice else _("Baselines"), baselines.nearest),
            (_("Chosen baseline"), baselines.chosen),
        ],
        baselines=baselines,
        # the baseline account reads its own hand-ins as staff do, and is never suspected
        evidence=evidence.of(g.session, found, read=read) if access.is_staff else None,
        cases=reading.of_submission(g.session, found) if access.is_instructor else (),
        run_facts=_run_facts(report),
        declares=declarations.is_asked(catalog.rules(found.assignment).rules),
        claim_rows=_claim_rows(report),
        claims_text="\n".join(f'{name} = "{text}"' for name, text in report.claims.items()),
    )


@report_pages.post("/s/<public_id>/claims")
@policy.sign_in_required
def claim(public_id: str) -> ResponseReturnValue:
    """Keep what the team's report claims, to hold it against what was measured."""
    access, found = policy.submission_access(g.session, policy.require_user(), public_id)
    if access.team is None or access.team.id != found.team_id:
        raise NotFound
    claimed = claims.read(request.form.get("claims", ""))
    accept.set_claims(g.session, found, claimed, actor=access.user)
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


def _steps(report: SubmissionReport) -> list[words.Step]:
    failed_in = report.failed_in
    if report.verdict not in (None, Verdict.OK):
        failed_in = failed_in or "upload"
    return words.steps(report.kind, report.status, report.phase, failed_in)


@report_pages.get("/s/<public_id>/events")
@policy.sign_in_required
def follow(public_id: str) -> ResponseReturnValue:
    """Say whenever the report has changed; the page then fetches itself again."""
    access, found = policy.submission_access(g.session, policy.require_user(), public_id)
    return watching.response(
        current_state().watcher,
        found.id,
        access.user.id,
        lambda session, submission: as_json(views.pulse(session, submission)),
    )


def _confusion(public: Score | None) -> ConfusionPart | None:
    if not public or not public.confusion or not public.per_class:
        return None
    classes = [row.name for row in public.per_class]
    return ConfusionPart(
        picture=charts.confusion_matrix(
            public.confusion,
            classes,
            title=_("Confusion matrix of the public part; its largest errors are listed beside it"),
            true_label=_("true class"),
            predicted_label=_("predicted class"),
        ),
        pairs=charts.most_confused(public.confusion, classes, limit=3),
    )


def _beaten(baselines: Sequence[Comparison]) -> str | None:
    """The strongest baseline that this one is better than, where the answers carry that."""
    behind = [each for each in baselines if each.ahead > 0 and each.is_told_apart]
    return min(behind, key=lambda each: each.ahead).name if behind else None


def _final_board(access: policy.Access, found: Submission) -> Board:
    return student_board(g.session, found.assignment, access, split=Split.PRIVATE, per_page=1)


def _stands(board: Board, found: Submission) -> bool:
    """Whether it is this submission that stands on the board for the reader's team."""
    return board.mine is not None and board.mine.submission_public_id == found.public_id


def _right(score: Score | None) -> int | None:
    """How many images are right; None where the board's mode keeps that back."""
    share = score.figures.get("accuracy") if score else None
    if score is None or share is None or not score.n or score.intervals is None:
        return None
    return round(share * score.n)


def _finals(access: policy.Access, found: Submission) -> list[str] | None:
    """What the final submissions are if this one is added; None where it can't be, or is one."""
    assignment = found.assignment
    if access.team is None or access.team.id != found.team_id or assignment.released_at:
        return None
    if found.verdict != Verdict.OK or found.is_final_pick:
        return None
    picked = sa.select(Submission.public_id).where(
        Submission.assignment_id == assignment.id,
        Submission.team_id == found.team_id,
        Submission.is_final_pick,
    )
    chosen = list(g.session.scalars(picked))
    most = catalog.rules(assignment).submission.final_picks
    return [*chosen, found.public_id] if len(chosen) < most else None


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A picture of the public sample with what the model said; `percent` is how sure it was."""

    picture: Markup
    true: str
    said: str
    percent: int | None

    @property
    def is_right(self) -> bool:
        return self.true == self.said


def _guesses(access: policy.Access, found: Submission, read: stored.Stored) -> list[Guess]:
    """The public sample as the model saw it, its surest mistakes first.

    For those who handed it in and for the teaching team; only while the sample is the one that the
    model was shown.
    """
    evaluation, assignment = read.evaluation(found), found.assignment
    is_theirs = access.team is not None and access.team.id == found.team_id
    if evaluation is None or not (is_theirs or access.is_staff):
        return []
    said = sample_answers.read(evaluation.sample_answers)
    if said is None:
        return []
    shown = samples.of(current_state().blobs, assignment)
    if shown is None or shown.images_sha256 != said.images_sha256:
        return []
    classes, url = catalog.rules(assignment).classes, sheet_url(assignment)
    made = [
        Guess(
            picture=pictures.one(shown, url, place, title=classes[true]),
            true=classes[true],
            said=classes[label],
            percent=None if said.sure is None else round(100 * said.sure[place]),
        )
        for place, (true, label) in enumerate(zip(shown.labels, said.labels, strict=True))
    ]
    return sorted(made, key=lambda each: (each.is_right, -(each.percent or 0)))


def _weakest(public: Score | None) -> list[ClassLine]:
    """The classes, the one with the smallest share of its images right first."""
    return sorted((public.per_class if public else None) or (), key=lambda row: row.recall)


def _place(board: Board, report: SubmissionReport) -> Markup | None:
    """Where the public score lies among the best of the other teams."""
    mine = report.public.figures[report.metric] if report.public else None
    if mine is None:
        return None
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


def _roc(public: Score | None) -> Markup | None:
    """The ROC curves where scores were given and the assignment shows as much."""
    rows = (public.per_class if public else None) or ()
    drawn = {row.name: (0.0, *row.roc, 1.0) for row in rows if row.roc}
    if not drawn:
        return None
    return curves.roc(
        drawn,
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


def _claim_rows(report: SubmissionReport) -> list[ClaimRow]:
    return [
        ClaimRow(
            metric=found.metric,
            claimed=found.claimed,
            measured=found.measured,
            agrees=found.agrees,
            reason="; ".join(map(sentences.of_mistake, found.explanation)),
        )
        for found in report.claim_findings
    ]


def _run_facts(report: SubmissionReport) -> list[tuple[str, str]]:
    """What a code run took, as far as it was measured."""
    facts, timing = report.facts, report.timing
    shown = [
        (words.efficiency_title(name), formats.efficiency(facts[name], name))
        for name in ("parameters", "checkpoint_mb", "seconds_per_1000")
        if name in facts
    ]
    if "wall_seconds" in timing:
        shown.append((_("Time"), f"{timing['wall_seconds']:.1f} s"))
    return shown
