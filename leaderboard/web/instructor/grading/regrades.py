"""Staff's pages of questions about grades: the list, one of them, and saved replies."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.grades import regrades
from leaderboard.messages import sentences
from leaderboard.models import Outcome, Regrade, Role
from leaderboard.rules import schedule
from leaderboard.views.gradebook.regrades import thread
from leaderboard.web.reading import whole

regrade_pages = Blueprint("regrades", __name__, url_prefix="/staff/c/<course>/regrades")


@regrade_pages.get("/")
@policy.sign_in_required
def page(course: str) -> ResponseReturnValue:
    """Every question of the course, those to be answered first."""
    return _list(_staff(course))


@regrade_pages.get("/<int:regrade_id>")
@policy.sign_in_required
def one(course: str, regrade_id: int) -> ResponseReturnValue:
    """One question, and what can be done about it."""
    access = _staff(course)
    return _page(access, _one(access, regrade_id))


@regrade_pages.post("/<int:regrade_id>")
@policy.sign_in_required
def reply(course: str, regrade_id: int) -> ResponseReturnValue:
    """Answer, and close it if an outcome is given."""

    def do(access: policy.Access, found: Regrade) -> None:
        text, step = request.form.get("text", ""), request.form.get("step", "")
        if not text.strip():
            text = _saved(access)
        if step in set(Outcome):
            regrades.settle(g.session, found, Outcome(step), text, actor=access.user)
        else:
            regrades.reply(g.session, found, text, actor=access.user, is_staff=True)

    return _act(course, regrade_id, do, _("The team was told."))


@regrade_pages.post("/<int:regrade_id>/assign")
@policy.sign_in_required
def assign(course: str, regrade_id: int) -> ResponseReturnValue:
    """Say who answers, and until when."""

    def do(access: policy.Access, found: Regrade) -> None:
        wanted = request.form.get("owner", 0, type=whole)
        team = regrades.teaching_team(g.session, access.course)
        owner = next((each for each in team if each.id == wanted), None)
        if wanted and owner is None:
            raise BadRequest(said("regrade.no_staff"))
        due_at = schedule.moment_of(request.form.get("due_at", ""), access.course.time_zone)
        regrades.assign(g.session, found, owner=owner, due_at=due_at, actor=access.user)

    return _act(course, regrade_id, do, _("It is noted who answers, and until when."))


@regrade_pages.post("/replies")
@policy.sign_in_required
def save(course: str) -> ResponseReturnValue:
    """Keep a reply for reuse."""
    access = _staff(course)
    title, text = request.form.get("title", ""), request.form.get("text", "")
    try:
        regrades.save_reply(g.session, access.course, title, text, actor=access.user)
    except BadRequest as error:
        flash(sentences.in_words(error.detail), "bad")
        return _list(access), error.http_status
    return redirect(url_for("regrades.page", course=course), code=303)


@regrade_pages.post("/replies/<int:reply_id>/forget")
@policy.sign_in_required
def forget(course: str, reply_id: int) -> ResponseReturnValue:
    """Keep a reply no longer."""
    access = _staff(course)
    regrades.forget_reply(g.session, access.course, reply_id, actor=access.user)
    return redirect(url_for("regrades.page", course=course), code=303)


def _act(
    course: str, regrade_id: int, do: Callable[[policy.Access, Regrade], None], done: str
) -> ResponseReturnValue:
    access = _staff(course)
    found = _one(access, regrade_id)
    try:
        do(access, found)
    except (BadRequest, NotAllowedNow) as error:
        flash(sentences.in_words(error.detail), "bad")
        return _page(access, found), error.http_status
    flash(done, "good")
    return redirect(url_for("regrades.one", course=course, regrade_id=regrade_id), code=303)


def _one(access: policy.Access, regrade_id: int) -> Regrade:
    found = regrades.one(g.session, access.course, regrade_id)
    if not policy.sees_team(g.session, access, found.submission.team_id):
        raise NotFound
    return found


def _saved(access: policy.Access) -> str:
    wanted = request.form.get("saved", 0, type=whole)
    kept = regrades.saved_replies(g.session, access.course)
    return next((each.text for each in kept if each.id == wanted), "")


def _list(access: policy.Access) -> str:
    found = regrades.of_course(g.session, access.course, access.sections)
    return render_template(
        "staff/regrades.html",
        access=access,
        threads=[thread(each, named=True) for each in found],
        replies=regrades.saved_replies(g.session, access.course),
        now=utcnow(),
        form=request.form,
    )


def _page(access: policy.Access, found: Regrade) -> str:
    due_at = found.due_at.astimezone(schedule.zone_of(access.course))
    return render_template(
        "staff/regrade.html",
        access=access,
        thread=thread(found, named=True),
        owner_id=found.owner_id,
        due_at=f"{due_at:%Y-%m-%dT%H:%M}",
        team=regrades.teaching_team(g.session, access.course),
        replies=regrades.saved_replies(g.session, access.course),
        form=request.form,
    )


def _staff(course: str) -> policy.Access:
    return policy.course_access(g.session, policy.require_user(), course, at_least=Role.ASSISTANT)
