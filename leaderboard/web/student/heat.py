"""What a model looked at: heat maps, asked for and shown on the page of a submission."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from grader import Verdict
from grader.evaluation import pixels_sha256
from leaderboard.accounts import access as policy
from leaderboard.assignments import samples
from leaderboard.errors import NotAllowedNow, NotFound
from leaderboard.evaluations import heat
from leaderboard.messages import sentences
from leaderboard.models import HeatMaps, Kind, Shown, Submission
from leaderboard.rules import catalog
from leaderboard.state import current_state
from leaderboard.web import pictures
from leaderboard.web.student import overlays

heat_pages = Blueprint("heat", __name__)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One picture with what the model looked at, what it said and what is true."""

    picture: Markup
    said: str
    true: str

    @property
    def is_right(self) -> bool:
        return self.said == self.true


@dataclass(frozen=True, kw_only=True)
class Part:
    """The heat maps of the sample, or of hidden images, as the page shows them.

    `failed` says why there are none; `is_waiting`: they are being made; `may_ask`: they can be.
    """

    shown: str
    looks: list[Look]
    failed: str
    is_waiting: bool
    may_ask: bool


def parts(access: policy.Access, found: Submission) -> list[Part]:
    """What this reader may see, or ask for, of a submission's heat maps."""
    if found.kind is not Kind.CODE:
        return []
    made = [_part(found, shown) for shown in _readable(access, found)]
    return [each for each in made if each.looks or each.failed or each.is_waiting or each.may_ask]


@heat_pages.post("/s/<public_id>/heat")
@policy.sign_in_required
def ask(public_id: str) -> ResponseReturnValue:
    """Have a run made that explains: its team of the sample, staff of hidden images too."""
    access, found = policy.submission_access(g.session, policy.require_user(), public_id)
    shown = _known(request.form.get("shown", "sample"), access, found)
    try:
        heat.ask(g.session, current_state(), found, shown, actor=access.user)
        flash(_("It will be made when nothing else is to do."), "good")
    except NotAllowedNow as error:
        flash(sentences.in_words(error.detail), "bad")
    return redirect(url_for("report.submission", public_id=public_id, _anchor="heat"), code=303)


@heat_pages.get("/s/<public_id>/heat/<shown>")
@policy.sign_in_required
def sheet(public_id: str, shown: str) -> ResponseReturnValue:
    """The pictures with their heat maps on one sheet."""
    access, found = policy.submission_access(g.session, policy.require_user(), public_id)
    made = heat.of(g.session, found, _known(shown, access, found))
    drawn = _drawn(found, made) if made else None
    if drawn is None:
        raise NotFound
    response = Response(drawn.sheet, mimetype=drawn.mimetype)
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _readable(access: policy.Access, found: Submission) -> list[Shown]:
    """Whose maps they may see: a program can draw hidden images into theirs."""
    if access.is_staff:
        return [Shown.SAMPLE, Shown.HIDDEN]
    is_theirs = access.team is not None and access.team.id == found.team_id
    # in an exam no run shows what its program says, by a map no more than by a log
    return [Shown.SAMPLE] if is_theirs and current_state().settings.run_logs != "hidden" else []


def _known(name: str, access: policy.Access, found: Submission) -> Shown:
    for each in _readable(access, found):
        if each.value == name:
            return each
    raise NotFound


def _part(found: Submission, shown: Shown) -> Part:
    made = heat.of(g.session, found, shown)
    looks = _looks(found, made) if made and made.verdict == Verdict.OK else []
    failed = ""
    if made is not None and made.verdict == Verdict.IE:
        failed = _("It could not be made here. Nobody's program was at fault.")
    elif made is not None and made.verdict not in (None, Verdict.OK):
        failed = sentences.in_words(made.detail, made.detail_said) or str(made.verdict)
    elif made is not None and made.verdict is not None and not looks:
        failed = _("The images are others now.")
    return Part(
        shown=shown.value,
        looks=looks,
        failed=failed,
        is_waiting=made is not None and made.verdict is None,
        may_ask=heat.may_ask(found, made),
    )


def _looks(found: Submission, made: HeatMaps) -> list[Look]:
    drawn = _drawn(found, made)
    if drawn is None:
        return []
    classes = catalog.rules(found.assignment).classes
    url = url_for("heat.sheet", public_id=found.public_id, shown=made.shown.value, v=made.id)
    looks = [
        Look(
            picture=pictures.one(drawn, url, place, title=classes[true]),
            said=classes[said],
            true=classes[true],
        )
        for place, (said, true) in enumerate(zip(made.labels, drawn.labels, strict=True))
    ]
    return sorted(looks, key=lambda each: each.is_right)


def _drawn(found: Submission, made: HeatMaps) -> samples.Sample | None:
    """The sheet; None while the images are not those that were explained."""
    loaded = current_state().catalog.load(found.assignment)
    labels, rows = heat.labels_of(loaded, made.shown), made.image_rows
    if not made.squares or max(rows) >= len(labels):
        return None
    images = heat.images_of(loaded, made.shown, rows)
    if pixels_sha256(images) != made.images_sha256:
        return None
    over = overlays.overlaid(images, made.squares)
    return samples.drawn(over, tuple(labels[rows].tolist()))
