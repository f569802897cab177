"""A team's question about the grade that a submission got it."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from leaderboard.accounts import access as policy
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.grades import regrades
from leaderboard.messages import sentences
from leaderboard.models import Submission
from leaderboard.views.gradebook.regrades import thread

own_regrade_pages = Blueprint("own_regrade", __name__)


@own_regrade_pages.get("/s/<public_id>/regrade")
@policy.sign_in_required
def page(public_id: str) -> ResponseReturnValue:
    """What was asked and answered, and the form to ask or go on."""
    return _page(*_own(public_id))


@own_regrade_pages.post("/s/<public_id>/regrade")
@policy.sign_in_required
def write(public_id: str) -> ResponseReturnValue:
    """Ask, or go on."""
    access, found = _own(public_id)
    text = request.form.get("text", "")
    try:
        asked = regrades.of_submission(g.session, found)
        if asked is None:
            regrades.ask(g.session, found, text, actor=access.user)
        else:
            regrades.reply(g.session, asked, text, actor=access.user, is_staff=False)
    except (BadRequest, NotAllowedNow) as error:
        flash(sentences.in_words(error.detail), "bad")
        return _page(access, found), error.http_status
    flash(_("The teaching team was told; you will be when they answer."), "good")
    return redirect(url_for("own_regrade.page", public_id=public_id), code=303)


def _page(access: policy.Access, found: Submission) -> str:
    asked = regrades.of_submission(g.session, found)
    until = regrades.asked_until(g.session, found, access.user)
    may_ask = asked is None and until is not None and utcnow() <= until
    return render_template(
        "regrade.html",
        access=access,
        assignment=found.assignment,
        submission=found,
        thread=thread(asked, named=False) if asked else None,
        until=until,
        may_write=may_ask or (asked is not None and asked.closed_at is None),
        form=request.form,
    )


def _own(public_id: str) -> tuple[policy.Access, Submission]:
    access, found = policy.submission_access(g.session, policy.require_user(), public_id)
    if access.team is None or access.team.id != found.team_id:
        raise NotFound
    return access, found
