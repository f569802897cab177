"""`/api/v1`: what `grader` and other programs speak. Routes only: parse, call a function, reply."""

from __future__ import annotations

from leaderboard.api import (  # they add their routes to the blueprint
    cases,
    erasure,
    extensions,
    routes,
    staff,
    uploads,
)
from leaderboard.api.blueprint import PREFIX, blueprint
from leaderboard.api.grading import grades, regrades
from leaderboard.api.problems import http_error, refused
from leaderboard.api.work import labels, overview, submissions

__all__ = [
    "PREFIX",
    "blueprint",
    "cases",
    "erasure",
    "extensions",
    "grades",
    "http_error",
    "labels",
    "overview",
    "refused",
    "regrades",
    "routes",
    "staff",
    "submissions",
    "uploads",
]
