"""The routes of course staff: both scores, rejudge, release, grades. Scope: `staff`."""

from __future__ import annotations

from flask import Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.api.blueprint import PAGE_LENGTH, blueprint, body, items, text_of
from leaderboard.api.bodies import Released
from leaderboard.assignments import release
from leaderboard.errors import BadRequest
from leaderboard.models import Assignment, Cause, Role
from leaderboard.rules import schedule
from leaderboard.state import current_state
from leaderboard.submissions import accept
from leaderboard.views import gradebook, report
from leaderboard.views.shapes import as_json
from leaderboard.views.staff import filters, listing

_CAUSES = {each.value: each for each in (Cause.RESCORE, Cause.RERUN)}


@blueprint.get("/staff/courses/<course>/assignments/<slug>/submissions")
def staff_submissions(course: str, slug: str) -> ResponseReturnValue:
    """Every team's submissions with both scores, newest first where no other order is asked for;
    `cursor` continues a page."""
    access, found = _assignment(course, slug, Role.ASSISTANT)
    zone = schedule.zone_of(access.course)
    wanted = filters.read(request.args, zone, only_sections=access.sections)
    page, more = listing.submissions(
        g.session, found, wanted, after=request.args.get("cursor", ""), limit=PAGE_LENGTH
    )
    return items(report.reports(g.session, page, access), more)


@blueprint.post("/staff/submissions/<public_id>/rejudge")
def rejudge(public_id: str) -> ResponseReturnValue:
    """Judge one submission again: `rescore` its stored predictions, or `rerun` it."""
    user = policy.require_scope("staff")
    _, found = policy.submission_access(g.session, user, public_id, at_least=Role.ASSISTANT)
    cause = text_of(body(), "cause", default=Cause.RESCORE.value)
    if cause not in _CAUSES:
        raise BadRequest(said("request.cause", causes=" or ".join(_CAUSES)))
    accept.rejudge(g.session, current_state(), found, cause=_CAUSES[cause], actor=user)
    return jsonify(as_json(report.staff_report(g.session, found))), 202


@blueprint.post("/staff/courses/<course>/assignments/<slug>/release")
def release_board(course: str, slug: str) -> ResponseReturnValue:
    """Show the private board to students, or with `{"released": false}` hide it again."""
    access, found = _assignment(course, slug, Role.INSTRUCTOR)
    wanted = body().get("released", True)
    if not isinstance(wanted, bool):
        raise BadRequest(said("request.released"))
    change = release.release if wanted else release.unrelease
    change(g.session, found, actor=access.user)
    return jsonify(as_json(Released(released_at=found.released_at)))


@blueprint.get("/staff/courses/<course>/assignments/<slug>/grades.csv")
def grades(course: str, slug: str) -> ResponseReturnValue:
    """The grades as a CSV."""
    _, found = _assignment(course, slug, Role.ASSISTANT)
    return Response(
        gradebook.grades_csv(g.session, found),
        mimetype="text/csv",
        headers={
            "Content-Disposition": f'attachment; filename="{found.slug}-grades.csv"',
            "Cache-Control": "no-store",
        },
    )


def _assignment(course: str, slug: str, at_least: Role) -> tuple[policy.Access, Assignment]:
    user = policy.require_scope("staff")
    return policy.assignment_access(g.session, user, course, slug, at_least=at_least)
