"""Several submissions at once, a submission's file, notes about it: routes for staff."""

from __future__ import annotations

from typing import Any

from flask import Response, g, jsonify
from flask.typing import ResponseReturnValue

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.api.blueprint import blueprint, body, items, text_of
from leaderboard.api.bodies import Done, Note
from leaderboard.errors import BadRequest
from leaderboard.models import Assignment, Cause, Role, Submission, SubmissionNote
from leaderboard.state import current_state
from leaderboard.submissions import notes, several, sources
from leaderboard.views.shapes import as_json

_CAUSES = {each.value: each for each in (Cause.RESCORE, Cause.RERUN)}


@blueprint.post("/staff/courses/<course>/assignments/<slug>/rejudge")
def judge_several_again(course: str, slug: str) -> ResponseReturnValue:
    """Judge several again: `rescore` their stored predictions, or `rerun` them."""
    access, found = _assignment(course, slug)
    fields = body()
    cause = text_of(fields, "cause", default=Cause.RESCORE.value)
    if cause not in _CAUSES:
        raise BadRequest(said("request.cause", causes=" or ".join(_CAUSES)))
    chosen = several.chosen(g.session, found, _ids(fields))
    count = several.judge_again(
        g.session, current_state(), chosen, cause=_CAUSES[cause], actor=access.user
    )
    return jsonify(as_json(Done(count=count))), 202


@blueprint.post("/staff/courses/<course>/assignments/<slug>/cancel")
def cancel_several(course: str, slug: str) -> ResponseReturnValue:
    """Withdraw those that wait or run."""
    access, found = _assignment(course, slug)
    chosen = several.chosen(g.session, found, _ids(body()))
    count = several.cancel(g.session, chosen, actor=access.user)
    return jsonify(as_json(Done(count=count)))


@blueprint.get("/staff/submissions/<public_id>/file")
def submission_file(public_id: str) -> ResponseReturnValue:
    """What was handed in, byte for byte."""
    _, found = _submission(public_id)
    return Response(
        sources.content(current_state().blobs, found),
        mimetype="application/octet-stream",
        headers={"Content-Length": str(found.size_bytes), "Cache-Control": "no-store"},
    )


@blueprint.get("/staff/submissions/<public_id>/notes")
def list_notes(public_id: str) -> ResponseReturnValue:
    """The teaching team's notes about a submission, oldest first."""
    _, found = _submission(public_id)
    return items(tuple(map(_shown, notes.of(g.session, found))))


@blueprint.post("/staff/submissions/<public_id>/notes")
def write_note(public_id: str) -> ResponseReturnValue:
    """Write a note."""
    access, found = _submission(public_id)
    made = notes.add(g.session, found, text_of(body(), "text"), actor=access.user)
    return jsonify(as_json(_shown(made))), 201


def _shown(note: SubmissionNote) -> Note:
    author = note.author.name if note.author else None
    return Note(id=note.id, text=note.text, author=author, created_at=note.created_at)


def _ids(fields: dict[str, Any]) -> list[str]:
    found = fields.get("submissions", [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise BadRequest(said("request.no_text", field="'submissions'"))
    return found


def _submission(public_id: str) -> tuple[policy.Access, Submission]:
    user = policy.require_scope("staff")
    return policy.submission_access(g.session, user, public_id, at_least=Role.ASSISTANT)


def _assignment(course: str, slug: str) -> tuple[policy.Access, Assignment]:
    user = policy.require_scope("staff")
    return policy.assignment_access(g.session, user, course, slug, at_least=Role.ASSISTANT)
