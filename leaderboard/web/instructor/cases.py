"""Instructors' pages of cases: what was flagged or asked, what the team says, what is decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from leaderboard.accounts import access as policy
from leaderboard.cases import hearing, opening, reading, voiding
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.messages import sentences
from leaderboard.models import Case, Role
from leaderboard.rules import schedule
from leaderboard.state import current_state
from leaderboard.views import evidence

case_pages = Blueprint("cases", __name__, url_prefix="/staff")


@case_pages.get("/c/<course>/cases/")
@policy.sign_in_required
def page(course: str) -> ResponseReturnValue:
    """Every case of the course, those to be decided first."""
    access = _instructor(course)
    found = reading.of_course(g.session, access.course)
    return render_template(
        "staff/cases.html", access=access, cases=[reading.staff_report(each) for each in found]
    )


@case_pages.get("/c/<course>/cases/<int:case_id>")
@policy.sign_in_required
def one(course: str, case_id: int) -> ResponseReturnValue:
    """One case with its evidence, and what can be done about it now."""
    access = _instructor(course)
    return _page(access, reading.one(g.session, access.course, case_id))


@case_pages.post("/s/<public_id>/case")
@policy.sign_in_required
def open_case(public_id: str) -> ResponseReturnValue:
    """Open a case about a submission by hand."""
    user = policy.require_user()
    access, found = policy.submission_access(g.session, user, public_id, at_least=Role.INSTRUCTOR)
    grounds = request.form.get("grounds", "")
    try:
        made = opening.open_by_hand(g.session, found, grounds, actor=user)
    except (BadRequest, NotAllowedNow) as error:
        flash(sentences.in_words(error.detail), "bad")
        return redirect(url_for("report.submission", public_id=public_id), code=303)
    return redirect(url_for("cases.one", course=access.course.code, case_id=made.id), code=303)


@case_pages.post("/c/<course>/cases/<int:case_id>/notice")
@policy.sign_in_required
def notice(course: str, case_id: int) -> ResponseReturnValue:
    """Tell the team, with a date until which it may reply."""

    def give(access: policy.Access, case: Case, text: str) -> None:
        until = _moment(access)
        hearing.give_notice(g.session, case, text, reply_until=until, actor=access.user)

    return _step(course, case_id, give, _("The team was told, by mail too."))


@case_pages.post("/c/<course>/cases/<int:case_id>/close")
@policy.sign_in_required
def close(course: str, case_id: int) -> ResponseReturnValue:
    """End an unfounded case."""

    def end(access: policy.Access, case: Case, text: str) -> None:
        hearing.close(g.session, case, text, actor=access.user)

    return _step(course, case_id, end, _("The case is closed; the submission stands."))


@case_pages.post("/c/<course>/cases/<int:case_id>/void")
@policy.sign_in_required
def void(course: str, case_id: int) -> ResponseReturnValue:
    """Let the submission count no more."""

    def decide(access: policy.Access, case: Case, text: str) -> None:
        voiding.void(g.session, current_state(), case, text, actor=access.user)

    return _step(course, case_id, decide, _("The submission is voided; the team was told."))


@case_pages.post("/c/<course>/cases/<int:case_id>/restore")
@policy.sign_in_required
def restore(course: str, case_id: int) -> ResponseReturnValue:
    """Let the submission count again."""

    def decide(access: policy.Access, case: Case, text: str) -> None:
        voiding.restore(g.session, current_state(), case, text, actor=access.user)

    return _step(course, case_id, decide, _("The submission counts again; the team was told."))


def _step(
    course: str, case_id: int, do: Callable[[policy.Access, Case, str], None], done: str
) -> ResponseReturnValue:
    """Do one step with the form's text; what is refused is said, and the text kept."""
    access = _instructor(course)
    case = reading.one(g.session, access.course, case_id)
    try:
        do(access, case, request.form.get("text", ""))
    except (BadRequest, NotAllowedNow) as error:
        flash(sentences.in_words(error.detail), "bad")
        return _page(access, case), error.http_status
    flash(done, "good")
    return redirect(url_for("cases.one", course=course, case_id=case_id), code=303)


def _page(access: policy.Access, case: Case) -> str:
    zone = ZoneInfo(access.course.time_zone)
    usual = (utcnow() + hearing.USUAL_TIME).astimezone(zone).replace(hour=23, minute=59)
    return render_template(
        "staff/case.html",
        access=access,
        case=reading.staff_report(case, evidence.of_case(g.session, case)),
        usual=f"{usual:%Y-%m-%dT%H:%M}",
        form=request.form,
    )


def _instructor(course: str) -> policy.Access:
    user = policy.require_user()
    return policy.course_access(g.session, user, course, at_least=Role.INSTRUCTOR)


def _moment(access: policy.Access) -> datetime:
    """In the course's time, where it names no other."""
    text = request.form.get("reply_until", "")
    return schedule.moment_of(text, access.course.time_zone)
