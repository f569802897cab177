"""The blueprint that the route modules share."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from grader.words.message import said
from leaderboard.errors import BadRequest
from leaderboard.views.shapes import as_json

PREFIX = "/api/v1"
PAGE_LENGTH = 100

blueprint = Blueprint("api", __name__, url_prefix=PREFIX)


def body() -> dict[str, Any]:
    """The request's JSON object; no body is an empty one.

    Raises:
        BadRequest: the body is something else.
    """
    if not request.content_length and not request.is_json:
        return {}
    found = request.get_json(silent=True)
    if not isinstance(found, dict):
        raise BadRequest(said("request.no_object"))
    return found


def text_of(fields: dict[str, Any], name: str, *, default: str | None = None) -> str:
    """A member of the body that must be text.

    Raises:
        BadRequest: it is missing or something else.
    """
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(said("request.no_text", field=repr(name)))
    return value


def whole_number(name: str, default: int, *, low: int, high: int) -> int:
    """A query parameter that is a whole number within bounds.

    Raises:
        BadRequest: it is something else.
    """
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and low <= int(text) <= high):
        raise BadRequest(said("request.number_between", field=repr(name), least=low, most=high))
    return int(text)


def items(shapes: tuple[Any, ...], next_cursor: str | None = None) -> Response:
    """A list's reply, or that of one page of it: `next_cursor` asks for the next one."""
    return jsonify(items=as_json(shapes), next_cursor=next_cursor)
