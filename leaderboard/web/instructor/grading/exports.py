"""Staff's page of exports: files for other programs, and a gradebook of theirs filled in.

The uploaded file is not kept: it stays in the page, and comes back with what is chosen there.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Final

from flask import Blueprint, Response, flash, g, render_template, request
from flask.typing import ResponseReturnValue

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.errors import BadRequest
from leaderboard.gradebooks import filling
from leaderboard.messages import sentences
from leaderboard.models import Assignment, Role
from leaderboard.submissions import uploads
from leaderboard.teams.class_list import MOST_BYTES
from leaderboard.views.gradebook import entries, exports
from leaderboard.views.gradebook.exports import ExportFormat

export_pages = Blueprint("exports", __name__, url_prefix="/staff/c/<course>/a/<slug>/grades/export")

_SHOWN: Final = 100  # changes on the page


@export_pages.get("/")
@policy.sign_in_required
def page(course: str, slug: str) -> ResponseReturnValue:
    """What can be exported, and the form for a gradebook."""
    access, found = _assignment(course, slug)
    return _page(access, found)


@export_pages.get("/<kind>")
@policy.sign_in_required
def download(course: str, slug: str, kind: str) -> ResponseReturnValue:
    """The grades as a file, made from nothing."""
    _, found = _assignment(course, slug)
    if kind not in set(ExportFormat):
        raise BadRequest(said("gradebook.format", formats=", ".join(ExportFormat)))
    section = request.args.get("section") or None
    made = exports.export(g.session, found, ExportFormat(kind), section=section)
    return attached(made.content, made.filename, made.mimetype)


@export_pages.post("/")
@policy.sign_in_required
def fill(course: str, slug: str) -> ResponseReturnValue:
    """Say what filling a gradebook would do; or, once that was looked at, give the file."""
    access, found = _assignment(course, slug)
    try:
        content, name = _uploaded()
        made = filling.fill(
            g.session,
            found,
            content,
            column=request.form.get("column", ""),
            section=request.form.get("section") or None,
        )
    except BadRequest as error:
        flash(sentences.in_words(error.detail), "bad")
        return _page(access, found), error.http_status
    if request.form.get("step") == "download":
        return attached(made.content, name, "text/csv")
    return _page(access, found, run=made.run, held=_held(content), name=name)


def attached(content: bytes, filename: str, mimetype: str) -> Response:
    """A file to be saved, byte for byte; it is kept by nobody on the way."""
    reply = Response(content, mimetype=mimetype)
    # it may be a client's: no end of a line in a header, nothing that turns the ending round
    name = "".join(each for each in filename if each.isprintable())
    reply.headers.set("Content-Disposition", "attachment", filename=name)
    reply.headers["Cache-Control"] = "no-store"
    return reply


def _page(
    access: policy.Access,
    found: Assignment,
    run: filling.DryRun | None = None,
    held: str = "",
    name: str = "",
) -> str:
    grades = entries.staff_grades(g.session, found)
    return render_template(
        "staff/exports.html",
        access=access,
        assignment=found,
        counts=grades.counts,
        sections=sorted({each.section for each in grades.items if each.section}),
        section=request.values.get("section", ""),
        kinds=list(ExportFormat),
        run=run,
        held=held,
        name=name,
        shown=_SHOWN,
    )


def _uploaded() -> tuple[bytes, str]:
    """The file as it was chosen, or as the page had it.

    Raises:
        BadRequest: there is none, or what came is no such.
    """
    if content := uploads.small_file():
        return content, request.files["file"].filename or ""
    try:
        packed = base64.b64decode(request.form.get("held", ""), validate=True)
        content = zlib.decompressobj().decompress(packed, MOST_BYTES + 1)
    except (binascii.Error, zlib.error):
        raise BadRequest(said("gradebook.no_file")) from None
    if not content:
        raise BadRequest(said("gradebook.no_file"))
    return content, request.form.get("name", "")[-100:] or "grades.csv"


def _held(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode()


def _assignment(course: str, slug: str) -> tuple[policy.Access, Assignment]:
    user = policy.require_user()
    return policy.assignment_access(g.session, user, course, slug, at_least=Role.ASSISTANT)
