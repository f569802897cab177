"""The page that scores a whole assignment again: who would move, the start, how far it is."""

from __future__ import annotations

import time
from typing import Final

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from leaderboard.accounts import access as policy
from leaderboard.db import utcnow
from leaderboard.errors import NotAllowedNow
from leaderboard.evaluations import rescoring
from leaderboard.evaluations.rescoring import Move
from leaderboard.messages import sentences
from leaderboard.models import Assignment, Role, Split
from leaderboard.queue import workers
from leaderboard.state import current_state

rescore_pages = Blueprint("rescore", __name__, url_prefix="/staff")

_PREVIEW_SECONDS: Final = 2.0  # a page is no place to wait longer; the command has the time


def _silence_seconds() -> float:
    return current_state().settings.dead_after_seconds


class _TooLong(Exception):
    pass


@rescore_pages.get("/c/<course>/a/<slug>/rescore")
@policy.sign_in_required
def page(course: str, slug: str) -> ResponseReturnValue:
    """How far the rescore is; where none goes on, who would move if one were started."""
    access, found = _assignment(course, slug)
    latest = rescoring.latest(g.session, found)
    goes_on = latest is not None and latest.finished_at is None
    split = Split.PRIVATE if request.args.get("split") == Split.PRIVATE.value else Split.PUBLIC
    return render_template(
        "staff/rescore.html",
        access=access,
        assignment=found,
        latest=latest,
        goes_on=goes_on,
        has_worker=bool(
            workers.live(g.session, now=utcnow(), dead_after_seconds=_silence_seconds())
        ),
        split=split.value,
        covered=rescoring.covered(g.session, found),
        moves=None if goes_on else _preview(found, split),
    )


@rescore_pages.post("/c/<course>/a/<slug>/rescore")
@policy.sign_in_required
def start(course: str, slug: str) -> ResponseReturnValue:
    """Queue the rescore of everything scored so far."""
    access, found = _assignment(course, slug)
    try:
        rescoring.start(g.session, current_state(), found, actor=access.user)
    except NotAllowedNow as error:
        flash(sentences.in_words(error.detail), "bad")
    return redirect(url_for("rescore.page", course=course, slug=slug), code=303)


def _assignment(course: str, slug: str) -> tuple[policy.Access, Assignment]:
    user = policy.require_user()
    return policy.assignment_access(g.session, user, course, slug, at_least=Role.ASSISTANT)


def _preview(assignment: Assignment, split: Split) -> list[Move] | None:
    """Who would move; None where that takes too long for a page."""
    end = time.monotonic() + _PREVIEW_SECONDS

    def go_on(_done: int) -> None:
        if time.monotonic() > end:
            raise _TooLong

    try:
        return rescoring.preview(g.session, current_state(), assignment, split, go_on)
    except _TooLong:
        return None
