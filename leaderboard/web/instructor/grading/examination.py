"""Pages of an external examiner: the assignments of a course, and grades by pseudonym."""

from __future__ import annotations

from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue

from leaderboard.accounts import access as policy
from leaderboard.accounts import courses
from leaderboard.state import current_state
from leaderboard.views.gradebook.examination import examination

examination_pages = Blueprint("examination", __name__, url_prefix="/examination/c/<course>")


@examination_pages.get("/")
@policy.sign_in_required
def page(course: str) -> ResponseReturnValue:
    """The assignments whose grades can be examined."""
    access = policy.course_access(g.session, policy.require_user(), course)
    return render_template(
        "staff/examination.html",
        access=access,
        assignments=courses.assignments(g.session, access.course),
    )


@examination_pages.get("/a/<slug>/")
@policy.sign_in_required
def grades(course: str, slug: str) -> ResponseReturnValue:
    """Everybody's score, grade and why, by pseudonym."""
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    read = examination(g.session, found, access.user, secret=current_state().settings.secret_key)
    return render_template(
        "staff/examined.html",
        access=access,
        assignment=found,
        grades=read.grades,
        rows=read.rows,
    )
