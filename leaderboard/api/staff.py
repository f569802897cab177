"""The routes of course staff: both scores, rejudge, release, grades. Scope: `staff`."""

from __future__ import annotations

from flask import Response, g
from flask.typing import ResponseReturnValue

from leaderboard import courses, gradebook, release, submissions, views
from leaderboard.api.blueprint import blueprint, body, text_of, whole_number
from leaderboard.auth import policy
from leaderboard.errors import BadRequest
from leaderboard.models import Assignment, Cause, Role
from leaderboard.state import current_state

_PAGE_LENGTH = 100
_CAUSES = {each.value: each for each in (Cause.RESCORE, Cause.RERUN)}


@blueprint.get("/staff/courses/<course>/assignments/<slug>/submissions")
def staff_submissions(course: str, slug: str) -> ResponseReturnValue:
    """Every team's submissions with both scores, newest first; `cursor` continues a page."""
    _, found = _assignment(course, slug, Role.ASSISTANT)
    before = whole_number("cursor", 0, low=1, high=1 << 60) or None
    theirs = courses.submissions_of_assignment(
        g.session, found, before_id=before, limit=_PAGE_LENGTH + 1
    )
    page = theirs[:_PAGE_LENGTH]
    return {
        "items": [views.staff_report(g.session, each) for each in page],
        "next_cursor": str(page[-1].id) if len(theirs) > _PAGE_LENGTH else None,
    }


@blueprint.post("/staff/submissions/<public_id>/rejudge")
def rejudge(public_id: str) -> ResponseReturnValue:
    """Judge one submission again: `rescore` its stored predictions, or `rerun` it."""
    user = policy.require_scope("staff")
    _, found = policy.submission_access(g.session, user, public_id, at_least=Role.ASSISTANT)
    cause = text_of(body(), "cause", default=Cause.RESCORE.value)
    if cause not in _CAUSES:
        raise BadRequest(f"'cause' must be {' or '.join(_CAUSES)}.")
    submissions.rejudge(g.session, current_state(), found, cause=_CAUSES[cause], actor=user)
    return views.staff_report(g.session, found), 202


@blueprint.post("/staff/courses/<course>/assignments/<slug>/release")
def release_board(course: str, slug: str) -> ResponseReturnValue:
    """Show the private board to students, or with `{"released": false}` hide it again."""
    access, found = _assignment(course, slug, Role.INSTRUCTOR)
    wanted = body().get("released", True)
    if not isinstance(wanted, bool):
        raise BadRequest("'released' must be true or false.")
    change = release.release if wanted else release.unrelease
    change(g.session, found, actor=access.user)
    at = found.released_at
    return {"released_at": at.isoformat() if at else None}


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
