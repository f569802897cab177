"""Handing in by the page: the form, the expected rows for the browser's own check, the upload."""

from __future__ import annotations

import secrets

from flask import Blueprint, flash, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from grader import Verdict
from leaderboard import (
    catalog,
    declarations,
    pages,
    sentences,
    submissions,
    uploads,
    views,
    words,
)
from leaderboard.auth import policy
from leaderboard.db import utcnow
from leaderboard.errors import AcceptError, NotFound
from leaderboard.models import Assignment, Submission, Team
from leaderboard.state import current_state

hand_in_pages = Blueprint("hand_in", __name__)


@hand_in_pages.get("/c/<course>/a/<slug>/submit")
@policy.sign_in_required
def form(course: str, slug: str) -> ResponseReturnValue:
    """The upload form."""
    access, found = _mine(course, slug)
    return _form(access, found)


@hand_in_pages.get("/c/<course>/a/<slug>/rows.json")
@policy.sign_in_required
def rows(course: str, slug: str) -> ResponseReturnValue:
    """What a prediction CSV must hold; the public pack says the same."""
    _access, found = _mine(course, slug)
    expected = current_state().catalog.expected_rows(found)
    response = jsonify(
        ids=expected.ids,
        classes=expected.classes,
        id_column=expected.id_column,
        label_column=expected.label_column,
    )
    response.set_etag(found.rows_sha256)
    response.make_conditional(request)
    return response


@hand_in_pages.post("/c/<course>/a/<slug>/submit")
@policy.sign_in_required
def send(course: str, slug: str) -> ResponseReturnValue:
    """Take an upload. A script is told where the report is; a form is sent there."""
    access, found = _mine(course, slug)
    try:
        submission = _accept(access, found)
    except AcceptError as error:
        if pages.wants_json():
            raise
        problem = words.refusal(error.code, error.detail)
        return _form(access, found, problem), error.http_status
    url = url_for("report.submission", public_id=submission.public_id)
    if not pages.wants_json():
        return redirect(url, code=303)
    answer = {"url": url}
    if submission.verdict == Verdict.REJ:
        report = views.student_report(g.session, submission)
        answer["html"] = render_template("_rejected.html", report=report)
    return answer, 201


def _accept(access: policy.Access, found: Assignment) -> Submission:
    upload = uploads.receive(found)
    # the same form with the same file is one submission however often it is sent; a corrected file
    # from the same form is another
    key = f"form:{request.form.get('form_key', '')[:32]}:{upload.sha256[:32]}"
    accepted = submissions.accept(
        g.session,
        current_state(),
        assignment=found,
        team=_team(access),
        user=access.user,
        upload=upload,
        started_at=g.started_at,
        message=request.form.get("message", "").strip()[:500],
        idempotency_key=key,
        declared=_declared(),
    )
    for warning in accepted.warnings:
        flash(sentences.in_words(warning), "warn")
    return accepted.submission


def _declared() -> tuple[str, ...] | None:
    """The boxes ticked: what was used, and that it was said at all."""
    if "declared" not in request.form:
        return None
    return declarations.read(",".join(request.form.getlist("used")) or declarations.NOTHING)


def _mine(course: str, slug: str) -> tuple[policy.Access, Assignment]:
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    _team(access)
    return access, found


def _team(access: policy.Access) -> Team:
    if access.team is None:
        raise NotFound
    return access.team


def _form(access: policy.Access, found: Assignment, problem: str = "") -> str:
    expected = current_state().catalog.expected_rows(found)
    rules = catalog.rules(found)
    return render_template(
        "hand_in.html",
        access=access,
        assignment=found,
        rules=rules,
        declaration=words.declaration(rules.rules),
        has_own_track=declarations.is_own_track(rules.rules),
        quota=submissions.quota(g.session, found, _team(access), utcnow()),
        example_ids=expected.ids[:3],
        form_key=secrets.token_urlsafe(16),
        problem=problem,
    )
