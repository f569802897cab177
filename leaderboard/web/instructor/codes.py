"""Staff's sheets of codes: printed or handed out, so that people sign in without any mail."""

from __future__ import annotations

from flask import Blueprint, g, render_template, request
from flask.typing import ResponseReturnValue

from leaderboard.accounts import access as policy
from leaderboard.db import utcnow
from leaderboard.errors import NotFound
from leaderboard.models import Role
from leaderboard.state import current_state
from leaderboard.teams import people, sign_in_codes
from leaderboard.web.reading import whole

code_pages = Blueprint("codes", __name__, url_prefix="/staff/c/<course>/people/codes")


@code_pages.get("/")
@policy.sign_in_required
def page(course: str) -> ResponseReturnValue:
    """Who has no password yet."""
    access = _instructor(course)
    waiting = sign_in_codes.without_password(g.session, access.course)
    return render_template("staff/codes.html", access=access, waiting=waiting)


@code_pages.post("/")
@policy.sign_in_required
def make(course: str) -> ResponseReturnValue:
    """Make codes for all of them, or for one student, and show them, this once."""
    access = _instructor(course)
    user_id = request.form.get("user", 0, type=whole)
    users = sign_in_codes.without_password(g.session, access.course)
    if user_id:
        student = people.student(g.session, access.course, user_id)
        if student is None:
            raise NotFound
        users = (student,)
    settings = current_state().settings
    now = utcnow()
    slips = sign_in_codes.issue(
        g.session, settings.secret_key, access.course, users, actor=access.user, now=now
    )
    base = settings.public_url or request.host_url.rstrip("/")
    sheet = render_template(
        "staff/codes.html",
        access=access,
        slips=slips,
        address=f"{base}/code",
        until=now + sign_in_codes.LASTS,
    )
    return sheet, {"Cache-Control": "no-store"}


def _instructor(course: str) -> policy.Access:
    return policy.course_access(g.session, policy.require_user(), course, at_least=Role.INSTRUCTOR)
