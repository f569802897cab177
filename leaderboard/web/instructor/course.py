"""Pages of the course staff: a course at a glance, all submissions, rejudge, release, grades."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from grader import Verdict
from grader.assignments.feedback import tells_much
from leaderboard.accounts import access as policy
from leaderboard.assignments import changes, release
from leaderboard.db import utcnow
from leaderboard.models import Cause, Role, SubmissionStatus
from leaderboard.operations.monitoring import disk, telling
from leaderboard.queue import estimates, workers
from leaderboard.rules import catalog, declarations, schedule
from leaderboard.rules.schedule import Phase
from leaderboard.state import current_state
from leaderboard.submissions import accept
from leaderboard.views import dashboard, gradebook
from leaderboard.views.staff import filters, listing, overview

staff_pages = Blueprint("staff", __name__, url_prefix="/staff")


@staff_pages.get("/")
@policy.sign_in_required
def home() -> ResponseReturnValue:
    """The courses that the reader is staff of."""
    accesses = policy.my_courses(g.session, policy.require_user())
    teaches = [each for each in accesses if each.is_staff]
    alarms = telling.open_ones(g.session) if teaches else ()
    return render_template("staff/home.html", accesses=teaches, alarms=alarms)


@staff_pages.get("/c/<course>/")
@policy.sign_in_required
def course(course: str) -> ResponseReturnValue:
    """A course at a glance: what needs a decision, its assignments, the queue, what is next."""
    user = policy.require_user()
    access = policy.course_access(g.session, user, course, at_least=Role.ASSISTANT)
    return render_template(
        "staff/course.html",
        access=access,
        overview=overview.overview(
            g.session, access.course, utcnow(), with_cases=access.is_instructor
        ),
        alarms=telling.open_ones(g.session),
        disk=disk.look(current_state()),
        **_health(),
    )


@staff_pages.get("/c/<course>/a/<slug>/")
@policy.sign_in_required
def assignment(course: str, slug: str) -> ResponseReturnValue:
    """Everybody's submissions with both scores, by team and verdict."""
    user = policy.require_user()
    access, found = policy.assignment_access(g.session, user, course, slug, at_least=Role.ASSISTANT)
    query = {name: request.args.get(name, "").strip()[:100] for name in filters.NAMES}
    given = {name: value for name, value in query.items() if value}
    wanted = filters.read(query, schedule.zone_of(access.course), only_sections=access.sections)
    page = listing.page(g.session, found, wanted, after=request.args.get("after", ""))
    rules = catalog.rules(found)
    return render_template(
        "staff/assignment.html",
        access=access,
        assignment=found,
        query=query,
        given=given,
        has_more_filters=bool(given.keys() - {"search", "verdict", "order"}),
        page=page,
        orders=_orders(),
        flags=listing.FLAGS,
        sections=access.sections or listing.sections(g.session, access.course),
        summary=dashboard.summary(g.session, found),
        is_over=schedule.phase(found, None, utcnow()) in (Phase.CLOSED, Phase.RELEASED),
        behind=changes.behind(g.session, [found.id])[found.id],
        verdicts=[
            *(each for each in SubmissionStatus if each is not SubmissionStatus.FINISHED),
            *Verdict,
        ],
        declares=declarations.is_asked(rules.rules),
        tells_much=tells_much(test_images=rules.data.test_images, feedback=rules.scoring.feedback),
        **_health(),
    )


def _orders() -> list[tuple[str, str]]:
    titles = {
        listing.Order.NEWEST: _("newest first"),
        listing.Order.OLDEST: _("oldest first"),
        listing.Order.PUBLIC: _("best public score first"),
        listing.Order.PRIVATE: _("best final score first"),
    }
    return [(order.value, title) for order, title in titles.items()]


def _health() -> dict[str, Any]:
    """The state of the queue and the workers, for `staff/_health.html`."""
    silence = current_state().settings.dead_after_seconds
    return {
        "health": estimates.health(g.session),
        "workers": workers.live(g.session, now=utcnow(), dead_after_seconds=silence),
        "why_no_code": workers.sandbox_refusal(g.session),
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
    end = schedule.last_end(g.session, found)
    return render_template(
        "staff/release.html",
        access=access,
        assignment=found,
        summary=dashboard.summary(g.session, found),
        open_until=end if end is not None and end > utcnow() else None,
        is_endless=end is None,
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
        flash(_("The final results are hidden from students again."), "good")
    else:
        release.release(g.session, found, actor=user)
        flash(_("The final results are published: students see them now."), "good")
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
    accept.rejudge(g.session, current_state(), submission, cause=cause, actor=user)
    flash(_("It is evaluated again; the present result stands until the new one is there."), "good")
    return redirect(url_for("report.submission", public_id=public_id), code=303)
