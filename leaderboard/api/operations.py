"""Every operation of the API by its path, for the OpenAPI document.

A name (`operationId`) is what programs made from the document call: it never changes.
"""

from __future__ import annotations

from typing import Any, Final

from leaderboard.api.grading.operations import OF_GRADES
from leaderboard.api.operation import (
    CASE,
    COURSE,
    CURSOR,
    SLUG,
    SUBMISSION,
    A,
    body,
    operation,
    path,
    query,
    read,
    reply,
    unsigned,
)
from leaderboard.api.schemas import TEXT, WHOLE, list_of, members, ref
from leaderboard.api.staff_operations import OF_STAFF
from leaderboard.api.work.operations import OF_WORK

_Json = dict[str, Any]

_BYTES: Final[_Json] = {"type": "string", "format": "binary"}
# as what it is, or, to whoever asks for it, as bytes: what programs made from this document read
_ZIP = reply(
    "The zip; X-Content-SHA256 is its hash", _BYTES, "application/zip", "application/octet-stream"
)
# staff get more of it
_SUBMISSION_OF_READER: Final[_Json] = {"anyOf": [ref("StaffSubmission"), ref("Submission")]}
_UNCHANGED: Final[_Json] = {"description": "Unchanged since the ETag"}
# one event: its data is the submission as JSON, in text
_EVENTS = reply(
    "The events",
    members(["data"], id=TEXT, event={"const": "submission"}, data=TEXT),
    "text/event-stream",
)
_DECLARED: Final = (
    "What was used of what the rules forbid or keep in a track of its own: "
    "none, or of pretrained and external_data those used, separated by commas"
)
_FORM = members(
    ["file"],
    file={**_BYTES, "contentMediaType": "application/octet-stream"},
    message=TEXT,
    claims={**TEXT, "description": "TOML lines, as in claims.toml"},
    declared={**TEXT, "description": _DECLARED},
)

_OF_THE_SERVER: Final[_Json] = {
    "/openapi.json": {
        "get": unsigned("server", "get_openapi", "This document", {"type": "object"})
    },
    "/receipt-key": {
        "get": unsigned(
            "server",
            "get_receipt_key",
            "The key that receipts are signed with",
            ref("ReceiptKey"),
        )
    },
    "/tokens": {
        "post": {
            **operation(
                "account",
                "make_token",
                "Exchange e-mail and password for a token",
                {201: reply("A token", ref("Token"))},
                400,
                requestBody=body("Credentials"),
            ),
            "security": [],
        }
    },
    "/me": {"get": read("account", "get_me", "Who the token speaks for", ref("Account"))},
    "/me/erasure": {
        "get": read(
            "account", "get_erasure", "What the person's erasure waits for", ref("Erasure")
        ),
        "post": operation(
            "account",
            "ask_erasure",
            "Erase the person, now or once nothing is in the way",
            {
                200: reply("They are erased", ref("Erasure")),
                202: reply("It waits", ref("Erasure")),
            },
            *(400, 409),
            requestBody=body("WantedErasure"),
        ),
        "delete": operation(
            "account",
            "withdraw_erasure",
            "Take back an erasure that waits",
            {200: reply("As it stands", ref("Erasure"))},
        ),
    },
}
_OF_ASSIGNMENTS: Final[_Json] = {
    "/courses/{course}/assignments": {
        "parameters": [COURSE],
        "get": read(
            "assignments",
            "list_assignments",
            "The assignments of a course",
            list_of(ref("Assignment")),
        ),
    },
    A: {
        "parameters": [COURSE, SLUG],
        "get": read("assignments", "get_assignment", "One assignment", ref("Assignment")),
    },
    f"{A}/pack": {
        "parameters": [COURSE, SLUG],
        "get": operation(
            "assignments",
            "download_pack",
            "The public pack, a zip",
            {200: _ZIP, 206: _ZIP, 304: _UNCHANGED},
            416,
        ),
    },
    f"{A}/leaderboard": {
        "parameters": [COURSE, SLUG],
        "get": operation(
            "leaderboard",
            "get_leaderboard",
            "One page of the board",
            {200: reply("A page", ref("Board")), 304: _UNCHANGED},
            400,
            parameters=[
                query("split", ref("Split")),
                query("track", ref("Track")),
                query("page", {**WHOLE, "minimum": 1}),
                query("per_page", {**WHOLE, "minimum": 1, "maximum": 500}),
            ],
        ),
    },
}
_OF_SUBMISSIONS: Final[_Json] = {
    f"{A}/submissions": {
        "parameters": [COURSE, SLUG],
        "get": read(
            "submissions",
            "list_submissions",
            "The team's submissions, newest first",
            list_of(_SUBMISSION_OF_READER),
            parameters=[CURSOR],
        ),
        "post": operation(
            "submissions",
            "submit",
            "Hand in a prediction CSV or a code bundle",
            {
                200: reply("The same hand-in, repeated under its key", _SUBMISSION_OF_READER),
                201: reply(
                    "Accepted, with a signed receipt; or REJ with problems", _SUBMISSION_OF_READER
                ),
            },
            *(400, 409, 413, 422),
            parameters=[
                {"name": "Idempotency-Key", "in": "header", "required": False, "schema": TEXT}
            ],
            requestBody={"required": True, "content": {"multipart/form-data": {"schema": _FORM}}},
        ),
    },
    f"{A}/uploads": {
        "parameters": [COURSE, SLUG],
        "post": operation(
            "submissions",
            "commit_upload",
            "Commit to a file by its hash and size: this moment counts",
            {201: reply("Its bytes may follow until expires_at", ref("Upload"))},
            *(400, 409, 413, 422),
            parameters=[
                {"name": "Idempotency-Key", "in": "header", "required": False, "schema": TEXT}
            ],
            requestBody=body("WantedUpload"),
        ),
    },
    "/uploads/{upload}": {
        "parameters": [path("upload")],
        "get": operation(
            "submissions",
            "get_upload",
            "How much of a file is here",
            {200: reply("As it stands", ref("Upload"))},
            409,
        ),
        "patch": operation(
            "submissions",
            "send_part",
            "Send a file on from a byte; with its last byte it is handed in",
            {
                200: reply("More is to come", ref("Upload")),
                201: reply("Handed in, with a signed receipt", ref("Submission")),
            },
            *(400, 409, 413, 422),
            parameters=[
                {"name": "Upload-Offset", "in": "header", "required": True, "schema": WHOLE}
            ],
            requestBody={
                "required": True,
                "content": {"application/octet-stream": {"schema": _BYTES}},
            },
        ),
        "delete": operation(
            "submissions",
            "withdraw_upload",
            "Close an upload; what it took of the day's limit is free again",
            {200: reply("As it stood", ref("Upload"))},
            409,
        ),
    },
    f"{A}/quota": {
        "parameters": [COURSE, SLUG],
        "get": read(
            "submissions",
            "get_quota",
            "What is left of today's limit, and the ledger",
            ref("QuotaOfDay"),
        ),
    },
    f"{A}/picks": {
        "parameters": [COURSE, SLUG],
        "post": operation(
            "submissions",
            "pick_finals",
            "Set the team's final picks",
            {200: reply("The picks", ref("Picks"))},
            *(400, 409),
            requestBody=body("Picks"),
        ),
    },
    "/submissions/{submission}": {
        "parameters": [SUBMISSION],
        "get": read("submissions", "get_submission", "One submission", _SUBMISSION_OF_READER),
    },
    "/submissions/{submission}/events": {
        "parameters": [SUBMISSION],
        "get": operation(
            "submissions",
            "follow_submission",
            "Its progress, as server-sent events with the report as data",
            {200: _EVENTS},
        ),
    },
    "/courses/{course}/cases/{case_id}": {
        "parameters": [COURSE, CASE],
        "get": read("submissions", "get_case", "A case that the team was told of", ref("Case")),
    },
    "/courses/{course}/cases/{case_id}/reply": {
        "parameters": [COURSE, CASE],
        "post": operation(
            "submissions",
            "reply_in_case",
            "Reply to the course staff's notice",
            {201: reply("As it stands", ref("Case"))},
            *(400, 409),
            requestBody=body("CaseText"),
        ),
    },
    "/submissions/{submission}/cancel": {
        "parameters": [SUBMISSION],
        "post": operation(
            "submissions",
            "cancel_submission",
            "Withdraw a submission that waits or runs",
            {200: reply("As it stands now", _SUBMISSION_OF_READER)},
            409,
        ),
    },
}


PATHS: Final[_Json] = {
    **_OF_THE_SERVER,
    **_OF_ASSIGNMENTS,
    **_OF_SUBMISSIONS,
    **OF_STAFF,
    **OF_WORK,
    **OF_GRADES,
}
