"""The routes of handing in by commitment: hash and size first, then the bytes in parts."""

from __future__ import annotations

from typing import Any

from flask import g, jsonify, request
from flask.typing import ResponseReturnValue

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.api.blueprint import blueprint, body, text_of
from leaderboard.api.bodies import UploadState
from leaderboard.api.routes import may_submit, own_team, reply_to
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest
from leaderboard.models import Upload
from leaderboard.state import current_state
from leaderboard.submissions import commitments, uploads
from leaderboard.submissions.commitments import Wanted
from leaderboard.views.shapes import as_json


@blueprint.post("/courses/<course>/assignments/<slug>/uploads")
def commit_upload(course: str, slug: str) -> ResponseReturnValue:
    """Fix the moment that counts for a file; its bytes may follow."""
    access, found = may_submit(course, slug)
    made = commitments.commit(
        g.session,
        current_state(),
        assignment=found,
        team=own_team(access),
        user=access.user,
        wanted=wanted(body()),
        now=utcnow(),
    )
    return jsonify(as_json(UploadState.of(made))), 201


@blueprint.get("/uploads/<upload>")
def get_upload(upload: str) -> ResponseReturnValue:
    """How much of a file is here."""
    return jsonify(as_json(UploadState.of(_own(upload))))


@blueprint.patch("/uploads/<upload>")
def send_part(upload: str) -> ResponseReturnValue:
    """Take a part; the last one hands the file in."""
    found = _own(upload)
    accepted = commitments.take_part(
        g.session, current_state(), found, *uploads.part(commitments.PART_BYTES)
    )
    if accepted is None:
        return jsonify(as_json(UploadState.of(found)))
    access, _ = policy.submission_access(g.session, found.user, accepted.submission.public_id)
    return reply_to(accepted, access), 201


@blueprint.delete("/uploads/<upload>")
def withdraw_upload(upload: str) -> ResponseReturnValue:
    """Close an upload that is not wanted any more."""
    found = _own(upload)
    commitments.withdraw(g.session, found)
    return jsonify(as_json(UploadState.of(found)))


def _own(upload: str) -> Upload:
    """An open upload of whoever asks, by a token that may hand in there."""
    found = commitments.one(g.session, policy.require_user(), upload)
    policy.require_scope("submit", narrow=found.assignment)
    return found


def wanted(fields: dict[str, Any]) -> Wanted:
    """What a body commits to.

    Raises:
        BadRequest: a member is missing, or of another kind.
    """
    size = fields.get("size")
    if not isinstance(size, int) or isinstance(size, bool):
        raise BadRequest(said("upload.no_hash"))
    return Wanted(
        sha256=text_of(fields, "sha256"),
        size=size,
        filename=text_of(fields, "filename", default="upload"),
        message=text_of(fields, "message", default=""),
        claims=text_of(fields, "claims", default=""),
        declared=text_of(fields, "declared", default=""),
        idempotency_key=request.headers.get("Idempotency-Key"),
    )
