"""The routes by which instructors extend dates and allowances of a person or a team."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, g, jsonify
from flask.typing import ResponseReturnValue

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.api.blueprint import blueprint, body, items, text_of
from leaderboard.api.bodies import Done
from leaderboard.errors import BadRequest
from leaderboard.models import Assignment, Extension, Reason, Role
from leaderboard.rules import schedule
from leaderboard.teams import extensions, outages
from leaderboard.views.course import extension_entries
from leaderboard.views.shapes import as_json

_REASONS = {each.value: each for each in Reason}


@blueprint.get("/staff/courses/<course>/extensions")
def list_extensions(course: str) -> ResponseReturnValue:
    """Every extension of the course with its reason, newest first."""
    access = _instructor(course)
    found = extensions.of_course(g.session, access.course)
    return items(extension_entries(g.session, found))


@blueprint.post("/staff/courses/<course>/extensions")
def grant_extension(course: str) -> ResponseReturnValue:
    """Extend for `whom`: a student's e-mail address, or a team's name."""
    access, fields = _instructor(course), body()
    whom = extensions.whom(g.session, access.course, text_of(fields, "whom"))
    more = _more(fields, _assignment(access, course, fields))
    made = extensions.grant(g.session, access.course, whom, more, actor=access.user)
    return _reply(made), 201


@blueprint.post("/staff/courses/<course>/assignments/<slug>/away")
def extend_all(course: str, slug: str) -> ResponseReturnValue:
    """The server was away from `since` to `until`: extend the assignment for everybody."""
    user = policy.require_scope("staff")
    _, found = policy.assignment_access(g.session, user, course, slug, at_least=Role.INSTRUCTOR)
    fields, zone = body(), schedule.terms(found, None).zone
    since, until = (schedule.moment_of(text_of(fields, name), zone) for name in ("since", "until"))
    count = outages.extend_all(g.session, found, since, until, actor=user)
    return jsonify(as_json(Done(count=count)))


@blueprint.delete("/staff/courses/<course>/extensions/<int:extension_id>")
def revoke_extension(course: str, extension_id: int) -> ResponseReturnValue:
    """End an extension. Repeatable."""
    access = _instructor(course)
    found = extensions.one(g.session, access.course, extension_id)
    extensions.revoke(g.session, found, actor=access.user)
    return _reply(found)


def _reply(extension: Extension) -> Response:
    [entry] = extension_entries(g.session, [extension])
    return jsonify(as_json(entry))


def _instructor(course: str) -> policy.Access:
    user = policy.require_scope("staff")
    return policy.course_access(g.session, user, course, at_least=Role.INSTRUCTOR)


def _assignment(access: policy.Access, course: str, fields: dict[str, Any]) -> Assignment | None:
    if fields.get("assignment") is None:
        return None
    slug = text_of(fields, "assignment")
    return policy.assignment_access(g.session, access.user, course, slug)[1]


def _more(fields: dict[str, Any], assignment: Assignment | None) -> extensions.More:
    reason = text_of(fields, "reason", default=Reason.OTHER.value)
    if reason not in _REASONS:
        raise BadRequest(said("request.reason", reasons=", ".join(_REASONS)))
    return extensions.More(
        assignment=assignment,
        due=_moment(fields, "due", assignment),
        closes=_moment(fields, "closes", assignment),
        hours=_whole(fields, "hours"),
        late_days=_whole(fields, "late_days"),
        daily_limit=_whole(fields, "daily_limit"),
        reason=_REASONS[reason],
        reference=text_of(fields, "reference", default=""),
    )


def _moment(fields: dict[str, Any], name: str, assignment: Assignment | None) -> datetime | None:
    if fields.get(name) is None:
        return None
    zone = schedule.terms(assignment, None).zone if assignment else "UTC"
    return schedule.moment_of(text_of(fields, name), zone)


def _whole(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadRequest(said("request.number", field=repr(name)))
    return value
