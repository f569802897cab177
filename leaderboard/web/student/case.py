"""The page of a case for the team that was told of it, and its right of reply."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from leaderboard.accounts import access as policy
from leaderboard.cases import hearing, reading
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.messages import sentences
from leaderboard.models import Case

own_case_pages = Blueprint("own_case", __name__)


@own_case_pages.get("/c/<course>/cases/<int:case_id>")
@policy.sign_in_required
def page(course: str, case_id: int) -> ResponseReturnValue:
    """What the course staff ask about a submission, and what was said to it."""
    access, case = _told(course, case_id)
    return _page(access, case)


@own_case_pages.post("/c/<course>/cases/<int:case_id>/reply")
@policy.sign_in_required
def reply(course: str, case_id: int) -> ResponseReturnValue:
    """Reply to the notice."""
    access, case = _told(course, case_id)
    try:
        hearing.reply(g.session, case, request.form.get("text", ""), actor=access.user)
    except (BadRequest, NotAllowedNow) as error:
        flash(sentences.in_words(error.detail), "bad")
        return _page(access, case), error.http_status
    flash(_("Your reply is kept; the instructors were told."), "good")
    return redirect(url_for("own_case.page", course=course, case_id=case_id), code=303)


def _page(access: policy.Access, case: Case) -> str:
    return render_template("case.html", access=access, case=reading.report(case), form=request.form)


def _told(course: str, case_id: int) -> tuple[policy.Access, Case]:
    access = policy.place_in(g.session, policy.require_user(), course)
    return access, reading.one_of(g.session, access.course, case_id, access.user)
