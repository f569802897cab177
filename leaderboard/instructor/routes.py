"""Pages of the course staff: a course at a glance, all submissions, rejudge, release, grades."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from grader import Verdict
from leaderboard import (
    catalog,
    dashboard,
    declarations,
    gradebook,
    queue,
    release,
    submissions,
    workers,
)
from leaderboard.auth import policy
from leaderboard.db import utcnow
from leaderboard.models import Cause, Role
from leaderboard.state import current_state

staff_pages = Blueprint("staff", __name__, url_prefix="/staff")


@staff_pages.get("/")
@policy.sign_in_required
def home() -> ResponseReturnValue:
    """The courses that the reader is staff of."""
    accesses = policy.my_courses(g.session, policy.require_user())
    return render_template("staff/home.html", accesses=[each for each in accesses if each.is_staff])


@staff_pages.get("/c/<course>/")
@policy.sign_in_required
def course(course: str) -> ResponseReturnValue:
    """A course at a glance: its assignments, the queue, the workers."""
    user = policy.require_user()
    access = policy.course_access(g.session, user, course, at_least=Role.ASSISTANT)
    return render_template(
        "staff/course.html",
        access=access,
        students=dashboard.students(g.session, access.course),
        summaries=dashboard.summaries(g.session, access.course),
        **_health(),
    )


@staff_pages.get("/c/<course>/a/<slug>/")
@policy.sign_in_required
def assignment(course: str, slug: str) -> ResponseReturnValue:
    """Everybody's submissions with both scores, by team and verdict."""
    user = policy.require_user()
    access, found = policy.assignment_access(g.session, user, course, slug, at_least=Role.ASSISTANT)
    query = {
        "team": request.args.get("team", "").strip()[:100],
        "verdict": request.args.get("verdict", "")[:20],
    }
    page = dashboard.submissions(
        g.session,
        found,
        team=query["team"],
        verdict=query["verdict"],
        before_id=request.args.get("before", type=int),
    )
    return render_template(
        "staff/assignment.html",
        access=access,
        assignment=found,
        query=query,
        page=page,
        summary=dashboard.summary(g.session, found),
        verdicts=["queued", "running", *Verdict],
        declares=declarations.is_asked(catalog.rules(found).rules),
        **_health(),
    )


def _health() -> dict[str, Any]:
    """The state of the queue and the workers, for `staff/_health.html`."""
    silence = current_state().settings.dead_after_seconds
    return {
        "health": queue.health(g.session),
        "workers": workers.live(g.session, now=utcnow(), dead_after_seconds=silence),
    }


@staff_pages.get("/c/<course>/a/<slug>/grades.csv")
@policy.sign_in_required
def grades(course: str, slug: str) -> ResponseReturnValue:
    """The grades as a table."""
    user = policy.require_user()
    _access, found = policy.assignment_access(
        g.session, user, course, slug, at_least=Role.ASSISTANT
    )
    return Response(
        gradebook.grades_csv(g.session, found),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{found.slug}-grades.csv"'},
    )


@staff_pages.get("/c/<course>/a/<slug>/release")
@policy.sign_in_required
def confirm_release(course: str, slug: str) -> ResponseReturnValue:
    """Say what releasing does, before it is done."""
    user = policy.require_user()
    access, found = policy.assignment_access(
        g.session, user, course, slug, at_least=Role.INSTRUCTOR
    )
    return render_template(
        "staff/release.html",
        access=access,
        assignment=found,
        summary=dashboard.summary(g.session, found),
    )


@staff_pages.post("/c/<course>/a/<slug>/release")
@policy.sign_in_required
def do_release(course: str, slug: str) -> ResponseReturnValue:
    """Show the private board to students, or hide it again."""
    user = policy.require_user()
    _access, found = policy.assignment_access(
        g.session, user, course, slug, at_least=Role.INSTRUCTOR
    )
    if request.form.get("show") == "no":
        release.unrelease(g.session, found, actor=user)
        flash(_("The private board is hidden from students again."), "good")
    else:
        release.release(g.session, found, actor=user)
        flash(_("The private board is released: students see it now."), "good")
    return redirect(url_for("staff.assignment", course=course, slug=slug), code=303)


@staff_pages.post("/s/<public_id>/rejudge")
@policy.sign_in_required
def rejudge(public_id: str) -> ResponseReturnValue:
    """Judge one submission again."""
    user = policy.require_user()
    _access, submission = policy.submission_access(
        g.session, user, public_id, at_least=Role.ASSISTANT
    )
    cause = Cause.RERUN if request.form.get("cause") == Cause.RERUN.value else Cause.RESCORE
    submissions.rejudge(g.session, current_state(), submission, cause=cause, actor=user)
    flash(_("It is judged again; the present result stands until the new one is there."), "good")
    return redirect(url_for("report.submission", public_id=public_id), code=303)
