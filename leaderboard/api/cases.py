"""The routes of cases: instructors' steps, and the team's right of reply."""

from __future__ import annotations

from flask import Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from leaderboard.accounts import access as policy
from leaderboard.api.blueprint import blueprint, body, items, text_of
from leaderboard.cases import hearing, opening, reading, voiding
from leaderboard.models import Case, Role
from leaderboard.rules import schedule
from leaderboard.state import current_state
from leaderboard.views import evidence
from leaderboard.views.shapes import as_json

_A_CASE = "/staff/courses/<course>/cases/<int:case_id>"


@blueprint.get("/courses/<course>/cases/<int:case_id>")
def get_case(course: str, case_id: int) -> ResponseReturnValue:
    """A case that the team was told of."""
    _access, case = _told(course, case_id, "read")
    return jsonify(as_json(reading.report(case)))


@blueprint.post("/courses/<course>/cases/<int:case_id>/reply")
def reply_in_case(course: str, case_id: int) -> ResponseReturnValue:
    """Reply to the notice."""
    access, case = _told(course, case_id, "submit")
    hearing.reply(g.session, case, text_of(body(), "text"), actor=access.user)
    return jsonify(as_json(reading.report(case))), 201


@blueprint.get("/staff/courses/<course>/cases")
def list_cases(course: str) -> ResponseReturnValue:
    """The course's cases, those to be decided first; evidence is in each one's own reply."""
    access = _instructor(course)
    undecided = request.args.get("undecided") == "true"
    found = reading.of_course(g.session, access.course, undecided=undecided)
    return items(tuple(map(reading.staff_report, found)))


@blueprint.post("/staff/submissions/<public_id>/cases")
def open_case(public_id: str) -> ResponseReturnValue:
    """Open a case about a submission by hand; `text` says what was seen."""
    user = policy.require_scope("staff")
    _, found = policy.submission_access(g.session, user, public_id, at_least=Role.INSTRUCTOR)
    case = opening.open_by_hand(g.session, found, text_of(body(), "text"), actor=user)
    return _reply(case), 201


@blueprint.get(_A_CASE)
def get_staff_case(course: str, case_id: int) -> ResponseReturnValue:
    """One case with its evidence."""
    _access, case = _to_decide(course, case_id)
    return _reply(case)


@blueprint.post(f"{_A_CASE}/notice")
def give_notice(course: str, case_id: int) -> ResponseReturnValue:
    """Tell the team, with a date until which it may reply."""
    access, case = _to_decide(course, case_id)
    fields = body()
    until = schedule.moment_of(text_of(fields, "reply_until"), access.course.time_zone)
    text = text_of(fields, "text")
    hearing.give_notice(g.session, case, text, reply_until=until, actor=access.user)
    return _reply(case)


@blueprint.post(f"{_A_CASE}/close")
def close_case(course: str, case_id: int) -> ResponseReturnValue:
    """End an unfounded case; `text` is the reason."""
    access, case = _to_decide(course, case_id)
    hearing.close(g.session, case, text_of(body(), "text"), actor=access.user)
    return _reply(case)


@blueprint.post(f"{_A_CASE}/void")
def void_submission(course: str, case_id: int) -> ResponseReturnValue:
    """Let the submission of a team that was heard count no more; `text` is the reason."""
    access, case = _to_decide(course, case_id)
    voiding.void(g.session, current_state(), case, text_of(body(), "text"), actor=access.user)
    return _reply(case)


@blueprint.post(f"{_A_CASE}/restore")
def restore_submission(course: str, case_id: int) -> ResponseReturnValue:
    """Let a voided submission count again; `text` is the reason."""
    access, case = _to_decide(course, case_id)
    voiding.restore(g.session, current_state(), case, text_of(body(), "text"), actor=access.user)
    return _reply(case)


def _reply(case: Case) -> Response:
    return jsonify(as_json(reading.staff_report(case, evidence.of_case(g.session, case))))


def _told(course: str, case_id: int, scope: str) -> tuple[policy.Access, Case]:
    access = policy.place_in(g.session, policy.require_scope(scope), course)
    return access, reading.one_of(g.session, access.course, case_id, access.user)


def _instructor(course: str) -> policy.Access:
    user = policy.require_scope("staff")
    return policy.course_access(g.session, user, course, at_least=Role.INSTRUCTOR)


def _to_decide(course: str, case_id: int) -> tuple[policy.Access, Case]:
    access = _instructor(course)
    return access, reading.one(g.session, access.course, case_id)
