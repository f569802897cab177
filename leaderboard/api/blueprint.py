"""The blueprint that the route modules share."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from leaderboard.errors import BadRequest

PREFIX = "/api/v1"

blueprint = Blueprint("api", __name__, url_prefix=PREFIX)


def body() -> dict[str, Any]:
    """The request's JSON object; no body is an empty one. Raises: BadRequest."""
    if not request.content_length and not request.is_json:
        return {}
    found = request.get_json(silent=True)
    if not isinstance(found, dict):
        raise BadRequest("The body must be a JSON object.")
    return found


def text_of(fields: dict[str, Any], name: str, *, default: str | None = None) -> str:
    """A member of the body that must be text. Raises: BadRequest."""
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(f"The body needs {name!r}, as text.")
    return value


def whole_number(name: str, default: int, *, low: int, high: int) -> int:
    """A query parameter that is a whole number within bounds. Raises: BadRequest."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and low <= int(text) <= high):
        raise BadRequest(f"{name!r} must be a whole number from {low} to {high}.")
    return int(text)
