"""The page of those who have not handed in yet, and the button that reminds them."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from leaderboard.accounts import access as policy
from leaderboard.db import utcnow
from leaderboard.errors import NotAllowedNow
from leaderboard.messages import sentences
from leaderboard.models import Assignment, Role
from leaderboard.rules import schedule
from leaderboard.state import current_state
from leaderboard.teams import reminding

missing_pages = Blueprint("missing", __name__, url_prefix="/staff/c/<course>/a/<slug>/missing")


@missing_pages.get("/")
@policy.sign_in_required
def page(course: str, slug: str) -> ResponseReturnValue:
    """Who has not handed in."""
    access, found = _assignment(course, slug)
    now = utcnow()
    reminded_at = reminding.reminded_at(g.session, found)
    return render_template(
        "staff/missing.html",
        access=access,
        assignment=found,
        people=reminding.missing(g.session, found, access.sections),
        terms=schedule.terms(found, None),
        reminded_at=reminded_at,
        may_remind=access.sees_everyone
        and reminding.may_remind(found, now)
        and (reminded_at is None or now >= reminded_at + reminding.PAUSE),
        sends_mail=current_state().settings.sends_mail,
    )


@missing_pages.post("/")
@policy.sign_in_required
def remind(course: str, slug: str) -> ResponseReturnValue:
    """Remind all of them."""
    access, found = _assignment(course, slug)
    try:
        count = reminding.remind(g.session, found, actor=access.user)
        flash(
            ngettext("%(num)s person was reminded.", "%(num)s people were reminded.", count), "good"
        )
    except NotAllowedNow as error:
        flash(sentences.in_words(error.detail), "bad")
    return redirect(url_for("missing.page", course=course, slug=slug), code=303)


def _assignment(course: str, slug: str) -> tuple[policy.Access, Assignment]:
    user = policy.require_user()
    return policy.assignment_access(g.session, user, course, slug, at_least=Role.ASSISTANT)
