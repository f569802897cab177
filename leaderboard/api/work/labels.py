"""The routes by which instructors decide labels from the pictures, and publish that."""

from __future__ import annotations

from flask import Response, g, jsonify
from flask.typing import ResponseReturnValue

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.api.blueprint import blueprint, body, text_of
from leaderboard.errors import BadRequest
from leaderboard.labels import deciding, publishing
from leaderboard.models import Assignment, LabelChoice, Role, Split
from leaderboard.state import current_state
from leaderboard.views.shapes import as_json
from leaderboard.views.staff.labels import LabelMove, LabelMoves, label_work

_LABELS = "/staff/courses/<course>/assignments/<slug>/labels"


@blueprint.get(_LABELS)
def list_label_decisions(course: str, slug: str) -> ResponseReturnValue:
    """What is decided about an assignment's labels, newest first. It holds answers."""
    return _reply(_assignment(course, slug)[1])


@blueprint.post(_LABELS)
def decide_label(course: str, slug: str) -> ResponseReturnValue:
    """Decide what an image shows, or that it keeps its label, or counts for nobody."""
    access, found = _assignment(course, slug)
    fields = body()
    choice = text_of(fields, "choice")
    if choice not in set(LabelChoice):
        raise BadRequest(said("label.no_choice"))
    deciding.decide(
        g.session,
        current_state(),
        found,
        text_of(fields, "image"),
        LabelChoice(choice),
        label=text_of(fields, "label") if fields.get("label") is not None else None,
        reason=text_of(fields, "reason"),
        actor=access.user,
    )
    return _reply(found), 201


@blueprint.post(f"{_LABELS}/moves")
def show_label_moves(course: str, slug: str) -> ResponseReturnValue:
    """Who would move by the decisions that wait; they are noted as made before that was seen."""
    access, found = _assignment(course, slug)
    publishing.show(g.session, found, actor=access.user)
    moves = publishing.moves(g.session, current_state(), found, lambda _done: None)
    by_board = {split.value: tuple(LabelMove.of(each) for each in moves[split]) for split in Split}
    return jsonify(as_json(LabelMoves(public=by_board["public"], private=by_board["private"])))


@blueprint.post(f"{_LABELS}/<int:decision_id>/confirm")
def confirm_label(course: str, slug: str, decision_id: int) -> ResponseReturnValue:
    """Confirm what another instructor decided. Repeatable."""
    access, found = _assignment(course, slug)
    about = deciding.one(g.session, found, decision_id)
    deciding.confirm(g.session, about, actor=access.user)
    return _reply(found)


@blueprint.post(f"{_LABELS}/<int:decision_id>/drop")
def drop_label(course: str, slug: str, decision_id: int) -> ResponseReturnValue:
    """Take a decision back, with a reason."""
    access, found = _assignment(course, slug)
    about = deciding.one(g.session, found, decision_id)
    deciding.drop(g.session, about, text_of(body(), "reason"), actor=access.user)
    return _reply(found)


@blueprint.post(f"{_LABELS}/publish")
def publish_labels(course: str, slug: str) -> ResponseReturnValue:
    """Publish the corrected answers, and have everything rescored."""
    access, found = _assignment(course, slug)
    seen = text_of(body(), "edition")
    publishing.publish(g.session, current_state(), found, seen=seen, actor=access.user)
    return _reply(found), 202


def _assignment(course: str, slug: str) -> tuple[policy.Access, Assignment]:
    user = policy.require_scope("staff")
    return policy.assignment_access(g.session, user, course, slug, at_least=Role.INSTRUCTOR)


def _reply(found: Assignment) -> Response:
    return jsonify(as_json(label_work(g.session, found)))
