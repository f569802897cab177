"""The OpenAPI document, kept by hand; a test compares it with the routes."""

from __future__ import annotations

from functools import cache
from typing import Any

from leaderboard.versions import code_version

_Json = dict[str, Any]


@cache
def document() -> _Json:
    """The OpenAPI 3.1 description of `/api/v1`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gradewright",
            "version": code_version(),
            "summary": "Hand in predictions or code, follow the evaluation, read the leaderboard.",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": {
            "/openapi.json": {"get": _open("This document", _reply("The document", _OBJECT))},
            "/receipt-key": {
                "get": _open("The key that receipts are signed with", _reply("The key", _OBJECT))
            },
            "/tokens": {
                "post": {
                    **_open("Exchange e-mail and password for a token", _reply("A token", _TOKEN)),
                    "requestBody": _json_body(_CREDENTIALS),
                    "responses": _responses({"201": _reply("A token", _TOKEN)}, 400),
                }
            },
            "/me": {"get": _read("Who the token speaks for", _ref("Account"))},
            "/courses/{course}/assignments": {
                "parameters": [_COURSE],
                "get": _read("The assignments of a course", _list_of("Assignment")),
            },
            _A: {
                "parameters": [_COURSE, _SLUG],
                "get": _read("One assignment", _ref("Assignment")),
            },
            f"{_A}/pack": {
                "parameters": [_COURSE, _SLUG],
                "get": {
                    "summary": "The public pack, a zip",
                    "responses": _responses(
                        {"200": _ZIP, "206": _ZIP, "304": {"description": "Unchanged"}}, 416
                    ),
                },
            },
            f"{_A}/submissions": {
                "parameters": [_COURSE, _SLUG],
                "get": {
                    **_read("The team's submissions, newest first", _list_of("Submission")),
                    "parameters": [_CURSOR],
                },
                "post": _hand_in(),
            },
            f"{_A}/leaderboard": {
                "parameters": [_COURSE, _SLUG],
                "get": {
                    "summary": "One page of the board",
                    "parameters": [
                        _query("split", {"enum": ["public", "private"]}),
                        _query("track", {"enum": ["all", "scratch", "pretrained"]}),
                        _query("page", {"type": "integer", "minimum": 1}),
                        _query("per_page", {"type": "integer", "minimum": 1, "maximum": 500}),
                    ],
                    "responses": _responses(
                        {
                            "200": _reply("A page", _ref("Board")),
                            "304": {"description": "Unchanged since the ETag"},
                        },
                        400,
                    ),
                },
            },
            f"{_A}/quota": {
                "parameters": [_COURSE, _SLUG],
                "get": _read("What is left of today's limit, and the ledger", _ref("Quota")),
            },
            f"{_A}/picks": {
                "parameters": [_COURSE, _SLUG],
                "post": {
                    "summary": "Set the team's final picks",
                    "requestBody": _json_body(_ref("Picks")),
                    "responses": _responses({"200": _reply("The picks", _ref("Picks"))}, 400, 409),
                },
            },
            "/submissions/{submission}": {
                "parameters": [_SUBMISSION],
                "get": _read("One submission", _ref("Submission")),
            },
            "/submissions/{submission}/events": {
                "parameters": [_SUBMISSION],
                "get": {
                    "summary": "Its progress, as server-sent events with the report as data",
                    "responses": _responses({"200": _EVENTS}),
                },
            },
            "/submissions/{submission}/cancel": {
                "parameters": [_SUBMISSION],
                "post": {
                    "summary": "Withdraw a submission that waits or runs",
                    "responses": _responses(
                        {"200": _reply("As it stands now", _ref("Submission"))}, 409
                    ),
                },
            },
            f"/staff{_A}/submissions": {
                "parameters": [_COURSE, _SLUG],
                "get": {
                    **_read("Every team's submissions with both scores", _list_of("Submission")),
                    "parameters": [_CURSOR],
                },
            },
            "/staff/submissions/{submission}/rejudge": {
                "parameters": [_SUBMISSION],
                "post": {
                    "summary": "Judge one submission again",
                    "requestBody": _json_body(_REJUDGE),
                    "responses": _responses(
                        {"202": _reply("It is queued", _ref("Submission"))}, 400, 409
                    ),
                },
            },
            f"/staff{_A}/release": {
                "parameters": [_COURSE, _SLUG],
                "post": {
                    "summary": "Show the private board to students, or hide it again",
                    "requestBody": _json_body(_RELEASE),
                    "responses": _responses({"200": _reply("Since when", _OBJECT)}, 400),
                },
            },
            f"/staff{_A}/grades.csv": {
                "parameters": [_COURSE, _SLUG],
                "get": {
                    "summary": "The grades as a CSV",
                    "responses": _responses({"200": _CSV}),
                },
            },
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _SCHEMAS,
        },
    }


_A = "/courses/{course}/assignments/{slug}"
_OBJECT: _Json = {"type": "object"}
_TEXT: _Json = {"type": "string"}
_MOMENT: _Json = {"type": ["string", "null"], "format": "date-time"}
_WHOLE: _Json = {"type": "integer"}
_NUMBER: _Json = {"type": ["number", "null"]}


def _ref(name: str) -> _Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: list[str], **properties: _Json) -> _Json:
    return {"type": "object", "required": required, "properties": properties}


def _list_of(name: str) -> _Json:
    return _object(
        ["items", "next_cursor"],
        items={"type": "array", "items": _ref(name)},
        next_cursor={"type": ["string", "null"]},
    )


def _path(name: str) -> _Json:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT}


def _query(name: str, schema: _Json) -> _Json:
    return {"name": name, "in": "query", "required": False, "schema": schema}


_COURSE, _SLUG, _SUBMISSION = _path("course"), _path("slug"), _path("submission")
_CURSOR = _query("cursor", _TEXT)


def _reply(description: str, schema: _Json, media: str = "application/json") -> _Json:
    return {"description": description, "content": {media: {"schema": schema}}}


def _json_body(schema: _Json) -> _Json:
    return {"required": False, "content": {"application/json": {"schema": schema}}}


_REFUSALS = {
    400: "The request cannot be read",
    401: "No valid token",
    403: "Not with this token, or not at this time",
    404: "Nothing here, or not theirs",
    409: "The state of the thing forbids it",
    413: "Too large",
    416: "The range lies outside of the file",
    422: "A file that this assignment does not take",
    429: "Too often; see Retry-After",
    503: "Out of service for now; see Retry-After",
}


def _responses(good: _Json, *more: int) -> _Json:
    statuses = sorted({401, 403, 404, 429, 503, *more})
    return good | {
        str(status): _reply(_REFUSALS[status], _ref("Problem"), "application/problem+json")
        for status in statuses
    }


def _read(summary: str, schema: _Json) -> _Json:
    return {"summary": summary, "responses": _responses({"200": _reply(summary, schema)}, 400)}


def _open(summary: str, reply: _Json) -> _Json:
    refused = _reply(_REFUSALS[429], _ref("Problem"), "application/problem+json")
    return {"summary": summary, "security": [], "responses": {"200": reply, "429": refused}}


def _hand_in() -> _Json:
    accepted = _reply("Accepted, with a signed receipt; or REJ with problems", _ref("Submission"))
    return {
        "summary": "Hand in a prediction CSV or a code bundle",
        "parameters": [
            {"name": "Idempotency-Key", "in": "header", "required": False, "schema": _TEXT}
        ],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": _object(
                        ["file"],
                        file={"type": "string", "contentMediaType": "application/octet-stream"},
                        message=_TEXT,
                        claims={**_TEXT, "description": "TOML lines, as in claims.toml"},
                        declared={**_TEXT, "description": _DECLARED},
                    )
                }
            },
        },
        "responses": _responses(
            {
                "200": _reply("The same hand-in, repeated under its key", _ref("Submission")),
                "201": accepted,
            },
            *(400, 409, 413, 422, 429),
        ),
    }


_DECLARED = (
    "What was used of what the rules forbid or keep in a track of its own: "
    "none, or of pretrained and external_data those used, separated by commas"
)
_ZIP = _reply("The zip; X-Content-SHA256 is its hash", {"type": "string"}, "application/zip")
_CSV = _reply("The table", _TEXT, "text/csv")
# one event: its data is the submission as JSON, in text
_EVENTS = _reply(
    "The events",
    _object(["data"], id=_TEXT, event={"const": "submission"}, data=_TEXT),
    "text/event-stream",
)
_CREDENTIALS = _object(
    ["email", "password"],
    email=_TEXT,
    password=_TEXT,
    name=_TEXT,
    scopes={"type": "array", "items": {"enum": ["read", "submit", "staff"]}},
)
_TOKEN = _object(
    ["token", "scopes", "expires_at"],
    token=_TEXT,
    scopes={"type": "array", "items": _TEXT},
    expires_at=_MOMENT,
)
_REJUDGE = _object([], cause={"enum": ["rescore", "rerun"]})
_RELEASE = _object([], released={"type": "boolean"})

_SCHEMAS: _Json = {
    "Problem": _object(
        ["status", "code", "detail", "owner", "errors"],
        type=_TEXT,
        title=_TEXT,
        status=_WHOLE,
        code=_TEXT,
        detail=_TEXT,
        owner={"enum": ["student", "course", "platform"]},
        errors={"type": "array", "items": _OBJECT},
    ),
    "Account": _object(
        ["name", "email", "courses"],
        name=_TEXT,
        email=_TEXT,
        courses={
            "type": "array",
            "items": _object(
                ["code", "title", "role"],
                code=_TEXT,
                title=_TEXT,
                role={"enum": ["student", "assistant", "instructor", "baseline"]},
                team={"type": ["string", "null"]},
            ),
        },
    ),
    "Assignment": _object(
        ["course", "slug", "title", "metric", "kinds", "schedule", "pack"],
        course=_TEXT,
        slug=_TEXT,
        title=_TEXT,
        metric=_TEXT,
        kinds={"type": "array", "items": {"enum": ["csv", "code"]}},
        schedule=_OBJECT,
        pack=_OBJECT,
    ),
    "Quota": _object(
        ["limit", "used", "remaining", "resets_at"],
        limit={"type": ["integer", "null"]},
        used=_WHOLE,
        remaining={"type": ["integer", "null"]},
        resets_at=_MOMENT,
        # in the reply of the route `quota` alone
        entries={"type": "array", "items": _ref("QuotaEntry")},
    ),
    "QuotaEntry": _object(
        ["at", "amount", "why", "submission", "name"],
        at=_MOMENT,
        amount={"enum": [1, -1]},
        why={
            "enum": [
                "reserved",
                "charged",
                "taken_back",
                "cancelled",
                "failed_early",
                "our_failure",
            ]
        },
        submission=_TEXT,
        name=_TEXT,
    ),
    "Picks": _object(["submissions"], submissions={"type": "array", "items": _TEXT}),
    "BoardRow": _object(
        ["rank", "team_name", "is_baseline", "is_mine", "primary", "entries"],
        rank={"type": ["integer", "null"]},
        team_name=_TEXT,
        is_baseline={"type": "boolean"},
        is_mine={"type": "boolean"},
        is_pretrained={"type": "boolean"},
        primary={"type": "number"},
        accuracy=_NUMBER,
        macro_f1=_NUMBER,
        interval={"type": ["array", "null"], "items": {"type": "number"}},
        moved={"type": ["integer", "null"]},
        indistinguishable_from={"type": "array", "items": {"type": "integer"}},
        efficiency={"type": "object", "additionalProperties": {"type": "number"}},
        entries=_WHOLE,
        achieved_at=_MOMENT,
        last_at=_MOMENT,
    ),
    "Board": _object(
        ["split", "metric", "rows", "mine", "total", "page", "per_page", "pages"],
        split={"enum": ["public", "private"]},
        track={"enum": ["all", "scratch", "pretrained"]},
        tracks={"type": "array", "items": {"enum": ["all", "scratch", "pretrained"]}},
        metric=_TEXT,
        higher_is_better={"type": "boolean"},
        rows={"type": "array", "items": _ref("BoardRow")},
        mine={"anyOf": [_ref("BoardRow"), {"type": "null"}]},
        total=_WHOLE,
        page=_WHOLE,
        per_page=_WHOLE,
        pages=_WHOLE,
    ),
    "Submission": _object(
        ["id", "assignment", "course", "team", "kind", "status", "verdict", "problems", "receipt"],
        id=_TEXT,
        assignment=_TEXT,
        course=_TEXT,
        team=_TEXT,
        kind={"enum": ["csv", "code"]},
        filename=_TEXT,
        message=_TEXT,
        status={"enum": ["queued", "running", "finished", "cancelled"]},
        phase={"enum": ["", "checking", "sample", "hidden", "scoring"]},
        verdict={"type": ["string", "null"]},
        verdict_title=_TEXT,
        detail=_TEXT,
        problems={"type": "array", "items": _OBJECT},
        flags={"type": "array", "items": _TEXT},
        public={"type": ["object", "null"]},
        private={"type": ["object", "null"]},
        queue={"type": ["object", "null"]},
        can_cancel={"type": "boolean"},
        retry={"enum": [None, "waiting", "running", "done"]},
        quota=_ref("Quota"),
        sample_log=_TEXT,
        accepted_at=_MOMENT,
        finished_at=_MOMENT,
        days_late=_WHOLE,
        late_days_spent=_WHOLE,
        penalty_days=_WHOLE,
        counted={"type": "boolean"},
        is_final_pick={"type": "boolean"},
        receipt=_OBJECT,
        claims=_OBJECT,
        declared={"type": ["array", "null"], "items": {"enum": ["pretrained", "external_data"]}},
        claim_findings={"type": "array", "items": _OBJECT},
    ),
}
