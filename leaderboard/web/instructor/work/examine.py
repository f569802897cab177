"""One submission for the teaching team: scores, run, files as text, hashes, notes."""

from __future__ import annotations

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.utils import secure_filename

from leaderboard.accounts import access as policy
from leaderboard.cases import reading
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.messages import sentences
from leaderboard.models import Role, Submission
from leaderboard.state import current_state
from leaderboard.submissions import notes, sources
from leaderboard.views import report, stored

examine_pages = Blueprint("examine", __name__, url_prefix="/staff/s/<public_id>")


@examine_pages.get("/")
@policy.sign_in_required
def page(public_id: str) -> ResponseReturnValue:
    """Everything that is known of it."""
    return _page(*_submission(public_id))


@examine_pages.get("/source")
@policy.sign_in_required
def source(public_id: str) -> ResponseReturnValue:
    """One of its files as numbered lines of text; `?file=` names it."""
    access, found = _submission(public_id)
    shown = sources.source(current_state().blobs, found, request.args.get("file", found.filename))
    return render_template("staff/source.html", access=access, submission=found, source=shown)


@examine_pages.get("/file")
@policy.sign_in_required
def download(public_id: str) -> ResponseReturnValue:
    """What was handed in, byte for byte; browsers keep it and show nothing of it."""
    _access, found = _submission(public_id)
    name = secure_filename(found.filename) or "submission"
    return Response(
        sources.content(current_state().blobs, found),
        mimetype="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="{found.public_id}-{name}"',
            "Content-Length": str(found.size_bytes),
            "Cache-Control": "no-store",
        },
    )


@examine_pages.post("/notes")
@policy.sign_in_required
def note(public_id: str) -> ResponseReturnValue:
    """Write a note."""
    access, found = _submission(public_id)
    text = request.form.get("text", "")
    try:
        notes.add(g.session, found, text, actor=access.user)
    except BadRequest as error:
        flash(sentences.in_words(error.detail), "bad")
        return _page(access, found, text=text), error.http_status
    return redirect(url_for("examine.page", public_id=public_id, _anchor="notes"), code=303)


@examine_pages.post("/notes/remove")
@policy.sign_in_required
def remove_note(public_id: str) -> ResponseReturnValue:
    """Remove a note."""
    access, found = _submission(public_id)
    number = request.form.get("note", "")
    wanted = int(number) if number.isdecimal() and len(number) < 10 else 0
    notes.remove(g.session, found, wanted, actor=access.user)
    flash(_("The note is removed."), "good")
    return redirect(url_for("examine.page", public_id=public_id, _anchor="notes"), code=303)


def _submission(public_id: str) -> tuple[policy.Access, Submission]:
    user = policy.require_user()
    return policy.submission_access(g.session, user, public_id, at_least=Role.ASSISTANT)


def _page(access: policy.Access, found: Submission, *, text: str = "") -> str:
    read = stored.read(g.session, [found], staff=True)
    try:
        files = sources.files(current_state().blobs, found)
    except NotAllowedNow:
        files = ()
    return render_template(
        "staff/examine.html",
        access=access,
        assignment=found.assignment,
        submission=found,
        report=report.staff_report(g.session, found, read=read),
        evaluation=read.evaluation(found),
        files=files,
        notes=notes.of(g.session, found),
        text=text,
        cases=reading.of_submission(g.session, found) if access.is_instructor else (),
    )
