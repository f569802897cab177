"""Staff's page of a published assignment: another slug, or taken back. Publishing itself needs the
folder, and is a command's."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from leaderboard.accounts import access as policy
from leaderboard.assignments import changes, editions
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.messages import sentences
from leaderboard.models import Assignment, Role
from leaderboard.rules import catalog
from leaderboard.views import dashboard

published_pages = Blueprint(
    "published", __name__, url_prefix="/staff/c/<course>/a/<slug>/published"
)


@published_pages.get("/")
@policy.sign_in_required
def page(course: str, slug: str) -> ResponseReturnValue:
    """What is published, since when, and how it is changed."""
    return _page(*_assignment(course, slug))


@published_pages.post("/rename")
@policy.sign_in_required
def rename(course: str, slug: str) -> ResponseReturnValue:
    """Give it another slug; everything else stays."""
    access, found = _assignment(course, slug)
    wanted = request.form.get("slug", "").strip()
    try:
        editions.rename(g.session, found, wanted, actor=access.user)
    except BadRequest as error:
        return _page(access, found, problem=sentences.in_words(error.detail)), error.http_status
    flash(_("It is called %(slug)s now.", slug=wanted), "good")
    return redirect(url_for("published.page", course=course, slug=wanted), code=303)


@published_pages.post("/unpublish")
@policy.sign_in_required
def unpublish(course: str, slug: str) -> ResponseReturnValue:
    """Take it back, where nobody has handed anything in."""
    access, found = _assignment(course, slug)
    title = found.title
    try:
        editions.unpublish(g.session, found, actor=access.user)
    except NotAllowedNow as error:
        return _page(access, found, problem=sentences.in_words(error.detail)), error.http_status
    flash(_("%(title)s is no longer published.", title=title), "good")
    return redirect(url_for("staff.course", course=course), code=303)


def _assignment(course: str, slug: str) -> tuple[policy.Access, Assignment]:
    user = policy.require_user()
    return policy.assignment_access(g.session, user, course, slug, at_least=Role.INSTRUCTOR)


def _page(access: policy.Access, found: Assignment, *, problem: str = "") -> str:
    return render_template(
        "staff/published.html",
        access=access,
        assignment=found,
        rules=catalog.rules(found),
        summary=dashboard.summary(g.session, found),
        outdated=changes.outdated(g.session, found),
        problem=problem,
    )
