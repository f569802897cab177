"""Handing in by the page: the form, the expected rows for the browser's own check, the upload."""

from __future__ import annotations

import secrets

from flask import Blueprint, flash, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from grader import Verdict
from leaderboard.accounts import access as policy
from leaderboard.db import utcnow
from leaderboard.errors import AcceptError, NotFound
from leaderboard.messages import sentences, words
from leaderboard.messages.language import language
from leaderboard.models import Assignment, Submission, Team
from leaderboard.rules import catalog, declarations, entrance, lateness
from leaderboard.state import current_state
from leaderboard.submissions import accept, admission, commitments, deciding, uploads
from leaderboard.views import report as views
from leaderboard.web import frame

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
    except _SameFileError as error:
        return _ask_again(access, found, error.earlier)
    except AcceptError as error:
        if frame.wants_json():
            raise
        problem = sentences.in_words(error.detail)
        return _form(access, found, problem), error.http_status
    if not frame.wants_json():
        url = url_for("report.submission", public_id=submission.public_id)
        return redirect(url, code=303)
    return _answer(submission), 201


class _SameFileError(Exception):
    """The team submitted these bytes before, and has not said that it means to."""

    def __init__(self, earlier: Submission) -> None:
        super().__init__(earlier.public_id)
        self.earlier = earlier


def _ask_again(
    access: policy.Access, found: Assignment, earlier: Submission
) -> ResponseReturnValue:
    """Ask, before anything is charged, whether the same file is meant to be submitted again."""
    name = earlier.message or earlier.filename
    detail = _(
        "This very file was submitted before (%(name)s). Its result would be the same, and it "
        "would take one of today's submissions.",
        name=name,
    )
    if frame.wants_json():
        return {"detail": detail, "again": True}, 409
    return _form(access, found, detail, asks_again=True), 409


def _answer(submission: Submission) -> dict[str, str]:
    """Where the report is, for the page's script; of a rejected file, what is wrong with it."""
    answer = {"url": url_for("report.submission", public_id=submission.public_id)}
    if submission.verdict == Verdict.REJ:
        report = views.student_report(g.session, submission)
        answer["html"] = render_template("_rejected.html", report=report)
    return answer


@hand_in_pages.post("/c/<course>/a/<slug>/uploads")
@policy.sign_in_required
def commit_upload(course: str, slug: str) -> ResponseReturnValue:
    """Fix the moment that counts for a file that the page's script is about to send."""
    access, found = _mine(course, slug)
    fields = request.form
    earlier = deciding.twin_of(g.session, found, _team(access), fields.get("sha256", ""))
    if earlier is not None and "again" not in fields:
        return _ask_again(access, found, earlier)
    made = commitments.commit(
        g.session,
        current_state(),
        assignment=found,
        team=_team(access),
        user=access.user,
        wanted=commitments.Wanted(
            sha256=fields.get("sha256", ""),
            size=fields.get("size", 0, type=_bytes),
            filename=fields.get("filename", ""),
            message=fields.get("message", "").strip()[:500],
            declared=",".join(_declared() or ()) or ("declared" in fields and "none") or "",
        ),
        now=utcnow(),
    )
    url = url_for("hand_in.send_part", upload=made.public_id)
    return {"url": url, "received": made.received_bytes}, 201


@hand_in_pages.get("/uploads/<upload>")
@policy.sign_in_required
def upload_state(upload: str) -> ResponseReturnValue:
    """How much of a file is here, for a script that lost its connection."""
    found = commitments.one(g.session, policy.require_user(), upload)
    return {"received": found.received_bytes}


@hand_in_pages.patch("/uploads/<upload>")
@policy.sign_in_required
def send_part(upload: str) -> ResponseReturnValue:
    """Take a part of a file; with the last one, say where the report is."""
    found = commitments.one(g.session, policy.require_user(), upload)
    accepted = commitments.take_part(
        g.session, current_state(), found, *uploads.part(commitments.PART_BYTES)
    )
    if accepted is None:
        return {"received": found.received_bytes}
    g.submission = accepted.submission.public_id
    return _answer(accepted.submission), 201


def _bytes(text: str) -> int:
    """A file's size.

    Raises:
        ValueError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ValueError("no number of bytes")
    return int(text)


def _accept(access: policy.Access, found: Assignment) -> Submission:
    upload = uploads.receive(found)
    # the same form with the same file is one submission however often it is sent; a corrected file
    # from the same form is another
    key = f"form:{request.form.get('form_key', '')[:32]}:{upload.sha256[:32]}"
    earlier = deciding.twin_of(g.session, found, _team(access), upload.sha256, key=key)
    if earlier is not None and "again" not in request.form:
        raise _SameFileError(earlier)
    accepted = accept.accept(
        g.session,
        current_state(),
        assignment=found,
        team=_team(access),
        user=access.user,
        upload=upload,
        started_at=uploads.counts_from(),
        message=request.form.get("message", "").strip()[:500],
        idempotency_key=key,
        declared=_declared(),
    )
    for warning in accepted.warnings:
        flash(sentences.in_words(warning), "warn")
    g.submission = accepted.submission.public_id  # for the request's line in the log
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


def _form(
    access: policy.Access, found: Assignment, problem: str = "", *, asks_again: bool = False
) -> str:
    expected = current_state().catalog.expected_rows(found)
    rules = catalog.rules(found)
    return render_template(
        "hand_in.html",
        access=access,
        assignment=found,
        rules=rules,
        requirements=admission.requirements(current_state(), found).as_data(language()),
        entrance=entrance.of(g.session, found, _team(access), utcnow()),
        late=lateness.cost_now(g.session, found, _team(access), utcnow()),
        declaration=words.declaration(rules.rules),
        has_own_track=declarations.is_own_track(rules.rules),
        example_ids=expected.ids[:3],
        upload_hours=commitments.HOURS,
        form_key=secrets.token_urlsafe(16),
        problem=problem,
        asks_again=asks_again,
    )
