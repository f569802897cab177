"""A course at a glance, its queue, those who have not handed in: routes for staff."""

from __future__ import annotations

from flask import g, jsonify
from flask.typing import ResponseReturnValue

from leaderboard.accounts import access as policy
from leaderboard.api.blueprint import blueprint, items
from leaderboard.api.bodies import MissingPerson, Reminded
from leaderboard.db import utcnow
from leaderboard.models import Assignment, Role
from leaderboard.state import current_state
from leaderboard.submissions import hurrying
from leaderboard.teams import reminding
from leaderboard.views import report
from leaderboard.views.shapes import as_json
from leaderboard.views.staff import difficulty, jobs, overview


@blueprint.get("/staff/courses/<course>/overview")
def course_overview(course: str) -> ResponseReturnValue:
    """What needs a decision, how far each assignment is, what is due next."""
    access = _course(course)
    found = overview.overview(g.session, access.course, utcnow(), with_cases=access.is_instructor)
    return jsonify(as_json(found))


@blueprint.get("/staff/courses/<course>/jobs")
def course_jobs(course: str) -> ResponseReturnValue:
    """What waits and runs, and the server's workers."""
    access = _course(course)
    silence = current_state().settings.dead_after_seconds
    found = jobs.jobs(g.session, access.course, utcnow(), dead_after_seconds=silence)
    return jsonify(as_json(found))


@blueprint.post("/staff/submissions/<public_id>/first")
def put_first(public_id: str) -> ResponseReturnValue:
    """Put what waits before everything else in its lane."""
    user = policy.require_scope("staff")
    _, found = policy.submission_access(g.session, user, public_id, at_least=Role.ASSISTANT)
    hurrying.put_first(g.session, current_state(), found, actor=user)
    return jsonify(as_json(report.staff_report(g.session, found)))


@blueprint.get("/staff/courses/<course>/assignments/<slug>/missing")
def list_missing(course: str, slug: str) -> ResponseReturnValue:
    """Who has not handed in yet."""
    access, found = _assignment(course, slug)
    people = reminding.missing(g.session, found, access.sections)
    return items(
        tuple(
            MissingPerson(
                name=each.user.name,
                email=each.user.email,
                number=each.number,
                section=each.section,
                team=each.team,
            )
            for each in people
        )
    )


@blueprint.post("/staff/courses/<course>/assignments/<slug>/missing")
def remind_missing(course: str, slug: str) -> ResponseReturnValue:
    """Remind them, once an hour at most."""
    access, found = _assignment(course, slug)
    count = reminding.remind(g.session, found, actor=access.user)
    return jsonify(as_json(Reminded(people=count)))


@blueprint.get("/staff/courses/<course>/assignments/<slug>/difficulty")
def assignment_difficulty(course: str, slug: str) -> ResponseReturnValue:
    """How scores lie, what is hard and confused, and which labels look doubtful."""
    _, found = _assignment(course, slug, Role.INSTRUCTOR)
    return jsonify(as_json(difficulty.examine(g.session, current_state(), found).found))


def _course(course: str) -> policy.Access:
    user = policy.require_scope("staff")
    return policy.course_access(g.session, user, course, at_least=Role.ASSISTANT)


def _assignment(
    course: str, slug: str, at_least: Role = Role.ASSISTANT
) -> tuple[policy.Access, Assignment]:
    user = policy.require_scope("staff")
    return policy.assignment_access(g.session, user, course, slug, at_least=at_least)
