"""Replies of the API held against its OpenAPI document, and more strictly than a client may: a
member that the document does not name is a mistake too."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs
from flask import Flask, Response, request

from leaderboard.api.openapi import document

PREFIX = "/api/v1"


@dataclass
class Held:
    """The document, and which of its replies were seen."""

    seen: set[tuple[str, int]] = field(default_factory=set)  # operation, status
    _document: dict[str, Any] = field(default_factory=lambda: _strict(document()))

    def operations(self) -> set[str]:
        """The name of every operation."""
        return {
            operation["operationId"]
            for item in self._document["paths"].values()
            for method, operation in item.items()
            if method != "parameters"
        }

    def check(self, response: Response) -> Response:
        """Hold one reply against what its operation says. For `Flask.after_request`."""
        if request.url_rule is None or not request.url_rule.rule.startswith(PREFIX):
            return response
        path = re.sub(r"<(?:int:)?(\w+)>", r"{\1}", request.url_rule.rule.removeprefix(PREFIX))
        item = self._document["paths"][path.replace("{public_id}", "{submission}")]
        operation = item["get" if request.method == "HEAD" else request.method.lower()]
        replies = operation["responses"]
        assert str(response.status_code) in replies, f"{request} → {response.status}"
        reply = self._resolved(replies[str(response.status_code)])
        self.seen.add((operation["operationId"], response.status_code))
        if response.status_code == 304:
            return response
        assert response.mimetype in reply["content"], f"{request} → {response.mimetype}"
        if response.is_json:
            self.validate(response.get_json(), reply["content"][response.mimetype]["schema"])
        return response

    def validate(self, value: object, schema: dict[str, Any]) -> None:
        """Raises: jsonschema_rs.ValidationError, which names the place."""
        whole = {**schema, "components": self._document["components"]}
        jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(value)

    def _resolved(self, reply: dict[str, Any]) -> dict[str, Any]:
        name = reply.get("$ref", "").rpartition("/")[2]
        return self._document["components"]["responses"][name] if name else reply


def holding(app: Flask) -> Held:
    """Hold every reply that the app gives from now on."""
    held = Held()
    app.after_request(held.check)
    return held


def _strict(schema: Any) -> Any:
    """The same, with no members but the named ones."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _strict(each) for name, each in schema.items()}
    if isinstance(schema.get("properties"), dict):
        found.setdefault("additionalProperties", False)
    return found
