"""The page of the queue: whose work waits and runs, on which worker; withdraw, put first."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from leaderboard.accounts import access as policy
from leaderboard.db import utcnow
from leaderboard.errors import NotAllowedNow
from leaderboard.messages import sentences
from leaderboard.models import Role, Submission
from leaderboard.operations.monitoring import disk
from leaderboard.queue import workers
from leaderboard.state import current_state
from leaderboard.submissions import cancelling, hurrying
from leaderboard.views.staff import jobs

job_pages = Blueprint("jobs", __name__, url_prefix="/staff")


@job_pages.get("/c/<course>/jobs/")
@policy.sign_in_required
def page(course: str) -> ResponseReturnValue:
    """What waits and runs in the course, and the server's workers."""
    user = policy.require_user()
    access = policy.course_access(g.session, user, course, at_least=Role.ASSISTANT)
    state = current_state()
    found = jobs.jobs(
        g.session,
        access.course,
        utcnow(),
        dead_after_seconds=state.settings.dead_after_seconds,
    )
    return render_template(
        "staff/jobs.html",
        access=access,
        found=found,
        disk=disk.look(state),
        why_no_code=workers.sandbox_refusal(g.session),
    )


@job_pages.post("/s/<public_id>/cancel")
@policy.sign_in_required
def cancel(public_id: str) -> ResponseReturnValue:
    """Withdraw what waits or runs, and return to the queue."""
    access, found = _submission(public_id)
    try:
        cancelling.cancel(g.session, found, actor=access.user, is_staff=True)
        flash(_("It is cancelled."), "good")
    except NotAllowedNow as error:  # most often its result was there first
        flash(sentences.in_words(error.detail), "bad")
    return redirect(url_for("jobs.page", course=access.course.code), code=303)


@job_pages.post("/s/<public_id>/first")
@policy.sign_in_required
def first(public_id: str) -> ResponseReturnValue:
    """Put what waits before everything else in its lane."""
    access, found = _submission(public_id)
    try:
        hurrying.put_first(g.session, current_state(), found, actor=access.user)
        flash(_("It goes first now."), "good")
    except NotAllowedNow as error:
        flash(sentences.in_words(error.detail), "bad")
    return redirect(url_for("jobs.page", course=access.course.code), code=303)


def _submission(public_id: str) -> tuple[policy.Access, Submission]:
    user = policy.require_user()
    return policy.submission_access(g.session, user, public_id, at_least=Role.ASSISTANT)
