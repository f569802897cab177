"""Reading a student's pages as that student, and stopping it."""

from __future__ import annotations

from flask import Blueprint, g, redirect, url_for
from flask.typing import ResponseReturnValue

from leaderboard.accounts import access as policy
from leaderboard.accounts.rights import reading_as
from leaderboard.errors import NotFound
from leaderboard.models import Role
from leaderboard.teams import people

reading_pages = Blueprint("reading", __name__)


@reading_pages.post("/staff/c/<course>/people/<int:user_id>/read-as")
@policy.sign_in_required
def begin(course: str, user_id: int) -> ResponseReturnValue:
    """Read the course's pages as a student of it does."""
    access = policy.course_access(
        g.session, policy.require_user(), course, at_least=Role.INSTRUCTOR
    )
    person = people.one(g.session, access.course, user_id)
    if person is None:
        raise NotFound
    reading_as.begin(g.session, access.course, person.user, reader=access.user)
    return redirect(url_for("student.course", course=course), code=303)


@reading_pages.post("/reading/stop")
@policy.sign_in_required
def stop() -> ResponseReturnValue:
    """Be oneself again."""
    reading_as.end()
    return redirect(url_for("student.home"), code=303)
