"""Refusals as problem+json (RFC 9457): `code` for programs, `detail` for people, `owner`;
`detail_said` is the code and the values of the sentence, for whoever words it themselves."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response, current_app, json
from werkzeug.exceptions import HTTPException

from grader import Owner
from grader.words.message import data_of
from leaderboard.api.bodies import Problem
from leaderboard.errors import RequestError
from leaderboard.messages import sentences
from leaderboard.messages.language import language_tag
from leaderboard.views.shapes import as_json

_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 400: "bad_request"}


def refused(error: RequestError) -> Response:
    """The reply to a request that a service refused; `detail` in the language it asks for."""
    return _problem(
        error.http_status,
        code=error.code,
        detail=sentences.in_words(error.detail),
        detail_said=data_of(error.detail),
        owner=error.owner,
        errors=[problem.as_dict() for problem in error.problems],
        retry_after=error.retry_after,
    )


def http_error(error: HTTPException) -> Response:
    """The reply where Flask refused before a route was reached, or failed in one."""
    status = error.code or 500
    response = _problem(
        status,
        code=_CODES.get(status, f"http_{status}"),
        detail=error.description or HTTPStatus(status).phrase,
        owner=Owner.PLATFORM if status >= 500 else Owner.STUDENT,
    )
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _problem(
    status: int,
    *,
    code: str,
    detail: str,
    detail_said: dict[str, Any] | None = None,
    owner: Owner,
    errors: list[dict[str, Any]] | None = None,
    retry_after: int | None = None,
) -> Response:
    content = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        detail_said=detail_said,
        owner=owner,
        errors=errors or [],
    )
    response = current_app.response_class(
        json.dumps(as_json(content)) + "\n", status=status, mimetype="application/problem+json"
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Language"] = language_tag()
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
