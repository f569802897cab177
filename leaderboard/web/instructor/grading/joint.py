"""Staff's page of joint grades over the assignment groups of a course, and its file."""

from __future__ import annotations

from flask import Blueprint, Response, g, render_template
from flask.typing import ResponseReturnValue

from leaderboard.accounts import access as policy
from leaderboard.errors import NotFound
from leaderboard.models import Role
from leaderboard.views.gradebook.joint import joint_csv, joint_grades
from leaderboard.web.instructor.grading.exports import attached

joint_pages = Blueprint("joint", __name__, url_prefix="/staff/c/<course>/grades")


@joint_pages.get("/")
@policy.sign_in_required
def page(course: str) -> ResponseReturnValue:
    """Everybody's grades in each group, and the joint one."""
    access = _staff(course)
    found = joint_grades(g.session, access.course)
    return render_template("staff/joint.html", access=access, groups=found)


@joint_pages.get("/<group>.csv")
@policy.sign_in_required
def download(course: str, group: str) -> Response:
    """A group's as a CSV with a byte order mark."""
    access = _staff(course)
    for each in joint_grades(g.session, access.course):
        if each.group == group:
            content = joint_csv(each).encode("utf-8-sig")
            return attached(content, f"{group}-grades.csv", "text/csv")
    raise NotFound


def _staff(course: str) -> policy.Access:
    return policy.course_access(g.session, policy.require_user(), course, at_least=Role.ASSISTANT)
