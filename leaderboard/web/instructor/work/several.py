"""What is done to the submissions that are ticked in the table: judge again, cancel, write."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from leaderboard.accounts import access as policy
from leaderboard.errors import BadRequest
from leaderboard.messages import sentences
from leaderboard.models import Cause, Role
from leaderboard.state import current_state
from leaderboard.submissions import several

several_pages = Blueprint("several", __name__, url_prefix="/staff/c/<course>/a/<slug>/several")


@several_pages.post("/")
@policy.sign_in_required
def act(course: str, slug: str) -> ResponseReturnValue:
    """Do one thing to all that are ticked, and return to the table."""
    user = policy.require_user()
    access, found = policy.assignment_access(g.session, user, course, slug, at_least=Role.ASSISTANT)
    action, text = request.form.get("action", ""), request.form.get("text", "")
    try:
        chosen = several.chosen(g.session, found, request.form.getlist("submission"))
        if action == "write":
            count = several.write_to(g.session, chosen, text, actor=access.user)
            told = ngettext("%(num)s person was told.", "%(num)s people were told.", count)
        elif action == "cancel":
            count = several.cancel(g.session, chosen, actor=access.user)
            told = ngettext("%(num)s is cancelled.", "%(num)s are cancelled.", count)
        else:
            cause = Cause.RERUN if action == Cause.RERUN.value else Cause.RESCORE
            count = several.judge_again(
                g.session, current_state(), chosen, cause=cause, actor=access.user
            )
            told = ngettext("%(num)s is evaluated again.", "%(num)s are evaluated again.", count)
        flash(told, "good" if count else "warn")
    except BadRequest as error:
        flash(sentences.in_words(error.detail), "bad")
    return redirect(url_for("staff.assignment", course=course, slug=slug), code=303)
