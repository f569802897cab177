"""The routes of questions about grades, and of saved replies."""

from __future__ import annotations

from flask import Response, g, jsonify
from flask.typing import ResponseReturnValue

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.accounts import courses
from leaderboard.api.blueprint import blueprint, body, items, text_of
from leaderboard.errors import BadRequest, NotFound
from leaderboard.grades import regrades
from leaderboard.models import Outcome, Regrade, Role, Submission
from leaderboard.rules import schedule
from leaderboard.views.gradebook.regrades import thread, to_reuse
from leaderboard.views.shapes import as_json

_THREADS = "/staff/courses/<course>/regrades"
_REPLIES = "/staff/courses/<course>/saved-replies"


@blueprint.get("/submissions/<public_id>/regrade")
def get_regrade(public_id: str) -> ResponseReturnValue:
    """One's team's question about the grade that a submission got."""
    _, found = _own(public_id, "read")
    asked = regrades.of_submission(g.session, found)
    if asked is None:
        raise NotFound
    return _reply(asked, named=False)


@blueprint.post("/submissions/<public_id>/regrade")
def ask_regrade(public_id: str) -> ResponseReturnValue:
    """Ask about the grade that a submission got, or go on in the thread."""
    access, found = _own(public_id, "submit")
    text, asked = text_of(body(), "text"), regrades.of_submission(g.session, found)
    if asked is None:
        asked = regrades.ask(g.session, found, text, actor=access.user)
    else:
        regrades.reply(g.session, asked, text, actor=access.user, is_staff=False)
    return _reply(asked, named=False), 201


@blueprint.get(_THREADS)
def list_regrades(course: str) -> ResponseReturnValue:
    """The course's questions, those to be answered first."""
    access = _staff(course)
    found = regrades.of_course(g.session, access.course)
    return items(tuple(thread(each, named=True) for each in found))


@blueprint.post(f"{_THREADS}/<int:regrade_id>")
def answer_regrade(course: str, regrade_id: int) -> ResponseReturnValue:
    """Answer; with an `outcome` it is closed."""
    access, found = _one(course, regrade_id)
    fields = body()
    text = text_of(fields, "text")
    outcome = text_of(fields, "outcome") if fields.get("outcome") is not None else None
    if outcome is None:
        regrades.reply(g.session, found, text, actor=access.user, is_staff=True)
    elif outcome in set(Outcome):
        regrades.settle(g.session, found, Outcome(outcome), text, actor=access.user)
    else:
        raise BadRequest(said("regrade.outcome", outcomes=", ".join(Outcome)))
    return _reply(found, named=True)


@blueprint.post(f"{_THREADS}/<int:regrade_id>/assign")
def assign_regrade(course: str, regrade_id: int) -> ResponseReturnValue:
    """Say who answers, by e-mail address, and until when."""
    access, found = _one(course, regrade_id)
    fields = body()
    email = text_of(fields, "owner") if fields.get("owner") is not None else ""
    owner = courses.user_by_email(g.session, email) if email else None
    due_at = schedule.moment_of(text_of(fields, "due_at"), access.course.time_zone)
    regrades.assign(g.session, found, owner=owner, due_at=due_at, actor=access.user)
    return _reply(found, named=True)


@blueprint.get(_REPLIES)
def list_saved_replies(course: str) -> ResponseReturnValue:
    """The replies that the course's staff keep."""
    access = _staff(course)
    return items(tuple(map(to_reuse, regrades.saved_replies(g.session, access.course))))


@blueprint.post(_REPLIES)
def save_reply(course: str) -> ResponseReturnValue:
    """Keep a reply; one of the same title is replaced."""
    access, fields = _staff(course), body()
    title, text = text_of(fields, "title"), text_of(fields, "text")
    made = regrades.save_reply(g.session, access.course, title, text, actor=access.user)
    return jsonify(as_json(to_reuse(made))), 201


@blueprint.delete(f"{_REPLIES}/<int:reply_id>")
def forget_reply(course: str, reply_id: int) -> ResponseReturnValue:
    """Keep a reply no longer. Repeatable."""
    access = _staff(course)
    regrades.forget_reply(g.session, access.course, reply_id, actor=access.user)
    return list_saved_replies(course)


def _reply(found: Regrade, *, named: bool) -> Response:
    return jsonify(as_json(thread(found, named=named)))


def _own(public_id: str, scope: str) -> tuple[policy.Access, Submission]:
    user = policy.require_scope(scope)
    access, found = policy.submission_access(g.session, user, public_id)
    if access.team is None or access.team.id != found.team_id:
        raise NotFound
    return access, found


def _one(course: str, regrade_id: int) -> tuple[policy.Access, Regrade]:
    access = _staff(course)
    return access, regrades.one(g.session, access.course, regrade_id)


def _staff(course: str) -> policy.Access:
    user = policy.require_scope("staff")
    return policy.course_access(g.session, user, course, at_least=Role.ASSISTANT)
