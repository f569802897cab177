"""Pages of the enrolled: courses, assignment, public pack, a team's own submissions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from leaderboard import (
    catalog,
    courses,
    downloads,
    markdown,
    quota_ledger,
    sentences,
    submissions,
    views,
)
from leaderboard.auth import policy
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.models import Assignment
from leaderboard.standings import Board
from leaderboard.state import current_state

student_pages = Blueprint("student", __name__)

_LIST_LENGTH: Final = 100


@dataclass(frozen=True, kw_only=True)
class AssignmentCard:
    """An assignment in a list, with its deadline and where the reader's team stands."""

    assignment: Assignment
    due: datetime | None
    board: Board | None  # with the team's own row; None for those who have no team


@dataclass(frozen=True, kw_only=True)
class CourseEntry:
    """A course in a list, with its assignments."""

    access: policy.Access
    assignments: tuple[AssignmentCard, ...]


@student_pages.get("/")
@policy.sign_in_required
def home() -> ResponseReturnValue:
    """Every course of the reader with its assignments."""
    accesses = policy.my_courses(g.session, policy.require_user())
    return render_template("home.html", courses=[_entry(access) for access in accesses])


@student_pages.get("/c/<course>/")
@policy.sign_in_required
def course(course: str) -> ResponseReturnValue:
    """One course."""
    access = policy.course_access(g.session, policy.require_user(), course)
    return render_template("course.html", entry=_entry(access))


def _entry(access: policy.Access) -> CourseEntry:
    found = courses.assignments(g.session, access.course)
    return CourseEntry(access=access, assignments=tuple(_card(access, each) for each in found))


def _card(access: policy.Access, found: Assignment) -> AssignmentCard:
    board = views.student_board(g.session, found, access, per_page=1) if access.team else None
    due = catalog.rules(found).schedule.due
    return AssignmentCard(assignment=found, due=due, board=board)


@student_pages.get("/c/<course>/a/<slug>/")
@policy.sign_in_required
def assignment(course: str, slug: str) -> ResponseReturnValue:
    """Description, data, rules, limits, dates."""
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    return render_template(
        "assignment.html",
        access=access,
        assignment=found,
        rules=catalog.rules(found),
        description=markdown.render(found.readme, title=found.title),
        quota=team_quota(access, found),
        server_url=current_state().settings.public_url or request.host_url.rstrip("/"),
    )


def team_quota(access: policy.Access, found: Assignment) -> submissions.Quota | None:
    """Return what is left of the day's limit; None for those who have no team."""
    if access.team is None:
        return None
    return submissions.quota(g.session, found, access.team, utcnow())


@student_pages.get("/c/<course>/a/<slug>/pack.zip")
@policy.sign_in_required
def pack(course: str, slug: str) -> ResponseReturnValue:
    """The public pack, streamed."""
    _access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    return downloads.pack(found)


@student_pages.get("/c/<course>/a/<slug>/submissions")
@policy.sign_in_required
def team_submissions(course: str, slug: str) -> ResponseReturnValue:
    """Everything that the reader's team handed in, newest first."""
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    if access.team is None:
        raise NotFound
    theirs = courses.submissions_of_team(g.session, found, access.team, limit=_LIST_LENGTH)
    return render_template(
        "submissions.html",
        access=access,
        assignment=found,
        rules=catalog.rules(found),
        quota=team_quota(access, found),
        ledger=quota_ledger.of_day(g.session, found, access.team, utcnow()),
        reports=[views.student_report(g.session, each) for each in theirs],
    )


@student_pages.post("/c/<course>/a/<slug>/picks")
@policy.sign_in_required
def pick(course: str, slug: str) -> ResponseReturnValue:
    """Set the team's final picks."""
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    if access.team is None:
        raise NotFound
    try:
        submissions.pick_finals(
            g.session,
            found,
            access.team,
            request.form.getlist("pick"),
            actor=access.user,
            now=utcnow(),
        )
        flash(_("The final picks were saved."), "good")
    except (BadRequest, NotAllowedNow) as error:
        flash(sentences.in_words(error.detail), "bad")
    return redirect(url_for("student.team_submissions", course=course, slug=slug), code=303)
