"""How an operation of the API is told in the OpenAPI document."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from leaderboard.api.schemas import TEXT, WHOLE, ref

_Json = dict[str, Any]

_REFUSALS: Final = {
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
_ALWAYS: Final = (401, 403, 404, 429, 503)


def reply(description: str, schema: _Json, *media: str) -> _Json:
    """A reply with this body, JSON where no other kind is named."""
    kinds = media or ("application/json",)
    return {"description": description, "content": {kind: {"schema": schema} for kind in kinds}}


def _name_of(status: int) -> str:
    return HTTPStatus(status).name.title().replace("_", "")


REFUSED: Final[_Json] = {
    _name_of(status): reply(text, ref("Problem"), "application/problem+json")
    for status, text in _REFUSALS.items()
}
"""The replies to what is refused, which the operations refer to."""


def _refused(*statuses: int) -> _Json:
    return {
        str(status): {"$ref": f"#/components/responses/{_name_of(status)}"}
        for status in sorted(statuses)
    }


def operation(
    tag: str, name: str, summary: str, replies: dict[int, _Json], *refusals: int, **more: Any
) -> _Json:
    """One operation; `refusals` come on top of those that are always possible."""
    good = {str(status): reply for status, reply in replies.items()}
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        **more,
        "responses": good | _refused(*_ALWAYS, *refusals),
    }


def read(tag: str, name: str, summary: str, schema: _Json, **more: Any) -> _Json:
    """An operation that only looks."""
    return operation(tag, name, summary, {200: reply(summary, schema)}, 400, **more)


def unsigned(tag: str, name: str, summary: str, schema: _Json) -> _Json:
    """An operation that needs no token."""
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "security": [],
        "responses": {"200": reply(summary, schema)} | _refused(429),
    }


def path(name: str, schema: _Json = TEXT) -> _Json:
    """A parameter that stands in the path."""
    return {"name": name, "in": "path", "required": True, "schema": schema}


def query(name: str, schema: _Json) -> _Json:
    """A parameter behind the path."""
    return {"name": name, "in": "query", "required": False, "schema": schema}


def body(name: str) -> _Json:
    """The JSON that is sent, by the name of its schema."""
    return {"required": False, "content": {"application/json": {"schema": ref(name)}}}


COURSE, SLUG, SUBMISSION = path("course"), path("slug"), path("submission")
CASE = path("case_id", WHOLE)
CURSOR = query("cursor", TEXT)
A = "/courses/{course}/assignments/{slug}"
