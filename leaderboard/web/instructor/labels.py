"""The pages on which instructors decide labels: one picture at a time, then who would move."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

import grader
from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.assignments import samples
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound, RequestError
from leaderboard.evaluations.rescoring import Move
from leaderboard.labels import corrected, deciding, publishing
from leaderboard.messages import sentences
from leaderboard.models import Assignment, LabelChoice, Role, Split
from leaderboard.state import current_state
from leaderboard.views.staff import difficulty
from leaderboard.views.staff.labels import label_work

label_pages = Blueprint("labels", __name__, url_prefix="/staff/c/<course>/a/<slug>/labels")

_PREVIEW_SECONDS: Final = 2.0  # a page is no place to wait longer; the command has the time


class _TooLong(Exception):
    pass


@label_pages.get("/")
@policy.sign_in_required
def page(course: str, slug: str) -> ResponseReturnValue:
    """The next picture whose label is doubtful, or the one that is asked for."""
    return _page(*_assignment(course, slug))


@label_pages.get("/picture")
@policy.sign_in_required
def picture(course: str, slug: str) -> ResponseReturnValue:
    """One picture of the hidden test set, for instructors."""
    _access, found = _assignment(course, slug)
    drawn = _drawn(found, request.args.get("image", ""))
    if drawn is None:
        raise NotFound
    response = Response(drawn, mimetype="image/png")
    response.headers["Cache-Control"] = "no-store"
    return response


@label_pages.post("/")
@policy.sign_in_required
def decide(course: str, slug: str) -> ResponseReturnValue:
    """Decide one image; the next picture follows."""
    access, found = _assignment(course, slug)
    form = request.form
    try:
        if form.get("choice") not in set(LabelChoice):
            raise BadRequest(said("label.no_choice"))
        made = deciding.decide(
            g.session,
            current_state(),
            found,
            form.get("image", ""),
            LabelChoice(form["choice"]),
            label=form.get("label") or None,
            reason=form.get("reason", ""),
            actor=access.user,
        )
    except RequestError as error:
        return _page(access, found, sentences.in_words(error.detail)), error.http_status
    flash(_outcome(made.choice, made.image), "good")
    return redirect(url_for("labels.page", course=course, slug=slug), code=303)


@label_pages.get("/decided")
@policy.sign_in_required
def decided(course: str, slug: str) -> ResponseReturnValue:
    """What is decided, who would move once that was asked for, and what is left to do."""
    access, found = _assignment(course, slug)
    work = label_work(g.session, found)
    moves, problem = _moves(found) if work.moves_shown else (None, "")
    return render_template(
        "staff/decided.html",
        access=access,
        assignment=found,
        work=work,
        moves=moves,
        problem=problem,
        own=[each.id for each in deciding.waiting(g.session, found) if each.decided_by == _me()],
    )


@label_pages.post("/preview")
@policy.sign_in_required
def show(course: str, slug: str) -> ResponseReturnValue:
    """Ask who would move; from then on the decisions are marked as made before that was seen."""
    access, found = _assignment(course, slug)
    return _then(found, lambda: publishing.show(g.session, found, actor=access.user))


@label_pages.post("/<int:decision_id>/confirm")
@policy.sign_in_required
def confirm(course: str, slug: str, decision_id: int) -> ResponseReturnValue:
    """Confirm what another instructor decided."""
    access, found = _assignment(course, slug)
    about = deciding.one(g.session, found, decision_id)
    return _then(found, lambda: deciding.confirm(g.session, about, actor=access.user))


@label_pages.post("/<int:decision_id>/drop")
@policy.sign_in_required
def drop(course: str, slug: str, decision_id: int) -> ResponseReturnValue:
    """Take a decision back."""
    access, found = _assignment(course, slug)
    about = deciding.one(g.session, found, decision_id)
    why = request.form.get("reason", "")
    return _then(found, lambda: deciding.drop(g.session, about, why, actor=access.user))


@label_pages.post("/publish")
@policy.sign_in_required
def publish(course: str, slug: str) -> ResponseReturnValue:
    """Publish the corrected answers, and have everything rescored."""
    access, found = _assignment(course, slug)
    seen = request.form.get("edition", "")
    try:
        publishing.publish(g.session, current_state(), found, seen=seen, actor=access.user)
    except (BadRequest, NotAllowedNow) as error:
        flash(sentences.in_words(error.detail), "bad")
        return redirect(url_for("labels.decided", course=course, slug=found.slug), code=303)
    flash(_("The corrected answers are published. Teams whose score moves are told."), "good")
    return redirect(url_for("rescore.page", course=course, slug=found.slug), code=303)


def _then(found: Assignment, step: Callable[[], None]) -> ResponseReturnValue:
    """Do one step, and show what is decided; a refusal is told there."""
    try:
        step()
    except (BadRequest, NotAllowedNow) as error:
        flash(sentences.in_words(error.detail), "bad")
    target = url_for("labels.decided", course=found.course.code, slug=found.slug)
    return redirect(target, code=303)


def _assignment(course: str, slug: str) -> tuple[policy.Access, Assignment]:
    user = policy.require_user()
    return policy.assignment_access(g.session, user, course, slug, at_least=Role.INSTRUCTOR)


def _me() -> int:
    return policy.require_user().id


def _page(access: policy.Access, found: Assignment, problem: str = "") -> str:
    loaded = current_state().catalog.load(found)
    work = label_work(g.session, found)
    done = {each.image for each in work.decisions}
    queue = [each for each in _doubtful(found) if each.id not in done]
    asked = request.values.get("image", "") or (queue[0].id if queue else "")
    if asked and asked not in loaded.answer_key().ids:
        raise NotFound
    return render_template(
        "staff/labels.html",
        access=access,
        assignment=found,
        work=work,
        image=asked,
        has_picture=(loaded.folder / "test").is_dir(),
        hard=next((each for each in _doubtful(found) if each.id == asked), None),
        label=corrected.labels_of(loaded.answer_key()).get(asked, ""),
        classes=loaded.classes,
        left=len(queue),
        problem=problem,
        form=request.form,
    )


def _doubtful(found: Assignment) -> tuple[difficulty.HardImage, ...]:
    return difficulty.examine(g.session, current_state(), found).found.images


def _drawn(found: Assignment, image: str) -> bytes | None:
    loaded = current_state().catalog.load(found)
    try:
        place, pixels = loaded.ids().index(image), loaded.test_images()
    except (ValueError, grader.AssignmentError):
        return None  # there is no such image, or predictions alone are taken here
    return samples.picture(pixels[place])


def _moves(found: Assignment) -> tuple[Mapping[Split, list[Move]] | None, str]:
    """Who would move; None where that takes too long for a page, or can't be told, and why."""
    end = time.monotonic() + _PREVIEW_SECONDS

    def go_on(_done: int) -> None:
        if time.monotonic() > end:
            raise _TooLong

    try:
        return publishing.moves(g.session, current_state(), found, go_on), ""
    except _TooLong:
        return None, ""
    except NotAllowedNow as error:
        return None, sentences.in_words(error.detail)


def _outcome(choice: LabelChoice, image: str) -> str:
    if choice is LabelChoice.KEEP:
        return _("%(image)s keeps its label.", image=image)
    if choice is LabelChoice.WITHDRAW:
        return _("%(image)s is to be withdrawn; nothing is published yet.", image=image)
    return _("%(image)s is to get another label; nothing is published yet.", image=image)
