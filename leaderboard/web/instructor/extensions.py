"""Instructors' page of extensions: who has a later date or more of something, and why."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.accounts import courses
from leaderboard.errors import BadRequest, NotFound
from leaderboard.messages import sentences
from leaderboard.models import Assignment, Reason, Role, Team, User
from leaderboard.rules import schedule
from leaderboard.teams import extensions, membership, outages, people
from leaderboard.web.reading import whole

extension_pages = Blueprint("extensions", __name__, url_prefix="/staff/c/<course>/extensions")


@extension_pages.get("/")
@policy.sign_in_required
def page(course: str) -> ResponseReturnValue:
    """Everything that was extended in the course, and the form for more."""
    return _page(_instructor(course))


@extension_pages.post("/")
@policy.sign_in_required
def grant(course: str) -> ResponseReturnValue:
    """Extend for a person or a team."""
    access = _instructor(course)
    try:
        more = _more(access)
        made = extensions.grant(g.session, access.course, _whom(access), more, actor=access.user)
    except BadRequest as error:
        flash(sentences.in_words(error.detail), "bad")
        return _page(access), error.http_status
    flash(_("Extended for %(name)s; the team was told.", name=made.team.name), "good")
    return redirect(url_for("extensions.page", course=course), code=303)


@extension_pages.post("/away")
@policy.sign_in_required
def away(course: str) -> ResponseReturnValue:
    """The server was away: extend an assignment for everybody."""
    access = _instructor(course)
    try:
        found = _assignment(access)
        if found is None:
            raise NotFound
        zone = schedule.terms(found, None).zone
        since, until = (
            schedule.moment_of(request.form.get(name, ""), zone) for name in ("since", "until")
        )
        count = outages.extend_all(g.session, found, since, until, actor=access.user)
    except BadRequest as error:
        flash(sentences.in_words(error.detail), "bad")
        return _page(access), error.http_status
    flash(
        ngettext(
            "Extended for %(num)s team; it was told.",
            "Extended for %(num)s teams; they were told.",
            count,
        ),
        "good",
    )
    return redirect(url_for("extensions.page", course=course), code=303)


@extension_pages.post("/<int:extension_id>/revoke")
@policy.sign_in_required
def revoke(course: str, extension_id: int) -> ResponseReturnValue:
    """End an extension."""
    access = _instructor(course)
    found = extensions.one(g.session, access.course, extension_id)
    extensions.revoke(g.session, found, actor=access.user)
    flash(_("The extension is revoked; the team was told."), "good")
    return redirect(url_for("extensions.page", course=course), code=303)


def _page(access: policy.Access) -> str:
    assignments = courses.assignments(g.session, access.course)
    students = [each for each in people.of(g.session, access.course) if not each.role.is_staff]
    return render_template(
        "staff/extensions.html",
        access=access,
        extensions=extensions.of_course(g.session, access.course),
        assignments={each.id: each for each in assignments},
        usual={each.id: schedule.terms(each, None) for each in assignments},
        students=students,
        teams=membership.all_of(g.session, access.course),
        reasons=list(Reason),
        form=request.form,
    )


def _instructor(course: str) -> policy.Access:
    user = policy.require_user()
    return policy.course_access(g.session, user, course, at_least=Role.INSTRUCTOR)


def _whom(access: policy.Access) -> User | Team:
    """Whom the form names: `user:7` or `team:3`."""
    kind, _colon, number = request.form.get("whom", "").partition(":")
    wanted = int(number) if number.isdecimal() and len(number) < 10 else 0
    found: User | Team | None
    if kind == "team":
        found = g.session.get(Team, wanted)
    else:
        found = people.student(g.session, access.course, wanted)
    if found is None:
        raise BadRequest(said("extension.students_only"))
    return found


def _more(access: policy.Access) -> extensions.More:
    about = _assignment(access)
    zone = schedule.terms(about, None).zone if about else access.course.time_zone
    reason = request.form.get("reason", "")
    return extensions.More(
        assignment=about,
        due=_moment("due", zone),
        closes=_moment("closes", zone),
        hours=request.form.get("hours", 0, type=whole),
        late_days=request.form.get("late_days", 0, type=whole),
        daily_limit=request.form.get("daily_limit", 0, type=whole),
        reason=Reason(reason) if reason in set(Reason) else Reason.OTHER,
        reference=request.form.get("reference", ""),
    )


def _assignment(access: policy.Access) -> Assignment | None:
    slug = request.form.get("assignment", "")
    return courses.assignment_of(g.session, access.course, slug) if slug else None


def _moment(name: str, zone: str) -> datetime | None:
    text = request.form.get(name, "")
    return schedule.moment_of(text, zone) if text.strip() else None
