"""The OpenAPI document: the operations of operations.py, the shapes of schemas.py. Tests hold the
routes and every reply against it."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from leaderboard.api import operation, operations, schemas
from leaderboard.models.versions import code_version

TAGS: Final = {
    "server": "This document and the key of receipts",
    "account": "Tokens, and whom they speak for",
    "assignments": "What is asked, and the data for it",
    "submissions": "Handing in, following, withdrawing, picking",
    "leaderboard": "Where the teams stand",
    "staff": "Both scores, rejudging, release, grades, extensions; scope `staff`",
}


@cache
def document() -> dict[str, Any]:
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
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": operations.PATHS,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": operation.REFUSED,
            "schemas": schemas.SCHEMAS,
        },
    }
