"""A student's own grade, once it is published, and the scale it is made by."""

from __future__ import annotations

from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue

from leaderboard.accounts import access as policy
from leaderboard.views.gradebook import entries

own_grade_pages = Blueprint("own_grade", __name__)


@own_grade_pages.get("/c/<course>/a/<slug>/grade")
@policy.sign_in_required
def page(course: str, slug: str) -> ResponseReturnValue:
    """The reader's grade with all that it was made of; nobody else's."""
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    grade = entries.own_grade(g.session, found, access.user)
    return render_template("grade.html", access=access, assignment=found, grade=grade)
