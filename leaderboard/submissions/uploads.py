"""Uploads as they arrive: written and hashed straight into the blob store's staging folder.

Werkzeug would spool a file into memory or the system's /tmp and leave hashing it to a second pass.
Who uploads is decided before the first byte of the body is read: until `receive` is called, no
request may be larger than a form.
"""

from __future__ import annotations

from datetime import datetime
from typing import IO, Any, cast

from flask import Flask, Request, current_app, g, request
from flask_wtf.csrf import CSRFProtect
from werkzeug.datastructures import FileStorage

from grader.words.message import said
from leaderboard.blobs import Staging
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, EmptyUpload
from leaderboard.models import Assignment
from leaderboard.state import current_state
from leaderboard.submissions import accept, admission
from leaderboard.submissions.accept import UploadedFile
from leaderboard.submissions.arriving import BODY, Arriving

FORM_BYTES = 1 << 20
# these check the form's token themselves, in `receive`: the check reads the body, and that must
# wait until it is known who asks
UPLOAD_ENDPOINTS = frozenset({"drafts.make", "hand_in.send", "api.hand_in"})
PART_ENDPOINTS = frozenset({"hand_in.send_part", "api.send_part"})
_SUFFIXES = (".csv", ".csv.gz", ".txt", ".zip", ".tar", ".tar.gz", ".tgz")


class UploadRequest(Request):
    """A request whose files go to the staging folder."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        staging = current_state().blobs.stage(suffix_of(filename or ""))
        g.setdefault("staged", []).append(staging)
        return cast(IO[bytes], _UploadStream(staging))


def init_uploads(app: Flask) -> None:
    """Let the application take uploads, and clean up after each request."""
    app.request_class = UploadRequest
    app.config["MAX_CONTENT_LENGTH"] = FORM_BYTES
    app.teardown_request(_discard_staged)


def receive(assignment: Assignment, *, field: str = "file") -> UploadedFile:
    """Read the upload of this request, up to the assignment's limit. Call it after the sign-in and
    the role were checked, and before anything else reads the form.

    Raises:
        DiskFull: it would leave too little room.
        EmptyUpload: there is no file, or nothing in it.
        RequestEntityTooLarge: (413) it is over the limit.
    """
    return receive_up_to(accept.max_upload_bytes(current_state(), assignment), field=field)


def receive_up_to(limit: int, *, field: str = "file") -> UploadedFile:
    """The same for a file of so many bytes at most that is no hand-in.

    Raises:
        DiskFull: it would leave too little room.
        EmptyUpload: there is no file, or nothing in it.
        RequestEntityTooLarge: (413) it is over the limit.
    """
    # before the first byte of the body: an upload that will not fit must not fill the disk first
    admission.check_room(current_state(), min(request.content_length or 0, limit))
    request.max_content_length = limit + FORM_BYTES
    # a slow upload holds no connection to the database; what was read stays at hand
    g.session.commit()
    if request.blueprint != "api":
        check_form_token()
    file: FileStorage | None = request.files.get(field)
    if file is None or not file.filename:
        raise EmptyUpload(said("upload.missing"))
    staging: Staging = file.stream.staging  # type: ignore[attr-defined] # made above
    staging.finish()
    return UploadedFile(
        path=staging.path,
        filename=file.filename.replace("\\", "/").rpartition("/")[2],
        sha256=staging.sha256,
        size=staging.size,
    )


def small_file(field: str = "file") -> bytes:
    """What a form's file holds, at most `FORM_BYTES`; empty where none was chosen."""
    file: FileStorage | None = request.files.get(field)
    if file is None or not file.filename:
        return b""
    staging: Staging = file.stream.staging  # type: ignore[attr-defined] # made above
    staging.finish()
    return staging.path.read_bytes()


def part(most_bytes: int) -> tuple[int, IO[bytes]]:
    """The part of a file that this request brings: where it belongs, and its bytes as they come.

    Raises:
        BadRequest: the header Upload-Offset says no place.
    """
    request.max_content_length = most_bytes
    if request.blueprint != "api":
        check_form_token()
    offset = request.headers.get("Upload-Offset", "")
    if not (offset.isascii() and offset.isdigit() and len(offset) <= 15):
        raise BadRequest(said("upload.no_offset"))
    return int(offset), request.stream


def counts_from() -> datetime:
    """The moment that a file counts from which came with this request's form. Call it after
    `receive`."""
    body: Arriving | None = request.environ.get(BODY)
    return body.counts_from(g.started_at) if body else utcnow()


def check_form_token() -> None:
    """Refuse a form that another site could have sent (CSRF). Reads the body."""
    csrf: CSRFProtect = current_app.extensions["csrf"]
    if current_app.config["WTF_CSRF_ENABLED"]:
        csrf.protect()


class _UploadStream:
    """What the form parser writes a file to."""

    def __init__(self, staging: Staging) -> None:
        self.staging = staging

    def write(self, chunk: bytes) -> int:
        return self.staging.write(chunk)

    def seek(self, *_: Any) -> int:
        return 0  # the parser rewinds what it wrote; nobody reads it from here

    def close(self) -> None:
        self.staging.finish()


def _discard_staged(_: BaseException | None) -> None:
    """Drop what was not accepted; an accepted file was moved away by then."""
    for staging in g.pop("staged", []):
        staging.discard()


def suffix_of(filename: str) -> str:
    """The ending that says what a file is; nothing else of a client's name reaches the disk."""
    lowered = filename.lower()
    return max((each for each in _SUFFIXES if lowered.endswith(each)), key=len, default="")
