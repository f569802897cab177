"""A site whose assignment has a grading scale, and the ways to act on its grades."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flask import Flask
from small_site import Api, Site, predictions_csv, write_assignment

from leaderboard.assignments import release
from leaderboard.models import Role

ROUTE = "/staff/courses/dl-1/assignments/animals/grades"
PAGE = "/staff/c/dl-1/a/animals/grades/"
GRADING = """
[grading]
anchors = { linear = 5.0, lenet5 = 3.0, small_cnn = 1.3 }
steps = "1.0-5.0"
"""
MEANS = {"linear": 0.303, "lenet5": 0.603, "small_cnn": 0.903}
SPREAD = (-0.003, -0.002, -0.001, 0.0, 0.001, 0.002, 0.003, 0.0, -0.001, 0.001)


def write_graded(folder: Path, means: dict[str, float] = MEANS, **settings: Any) -> Path:
    """The small assignment with a scale of three anchors."""
    made = write_assignment(folder, **settings)
    toml = made / "assignment.toml"
    toml.write_text(toml.read_text() + GRADING)
    write_scale(made, means)
    return made


def write_scale(folder: Path, means: dict[str, float]) -> None:
    """scale.json with ten runs an anchor."""
    anchors = {name: {"scores": [mean + each for each in SPREAD]} for name, mean in means.items()}
    (folder / "scale.json").write_text(json.dumps({"anchors": anchors}))


def staff(app: Flask, site: Site, name: str = "boss", role: Role = Role.INSTRUCTOR) -> Api:
    """A client of the teaching team."""
    site.person(name, role)
    return Api(app.test_client(), site.token(name, staff=True))


def scored(site: Site, name: str, wrong: int, **more: Any) -> str:
    """Hand in with so many of 80 answers wrong, and score it."""
    public_id = site.hand_in(name, predictions_csv(site.folder, wrong=wrong), **more)
    site.score(public_id)
    return public_id


def released(site: Site) -> None:
    """Publish the final results."""
    with site.state.database.session() as session:
        release.release(session, site.assignment(session), actor=None)


def grades(client: Api) -> dict[str, Any]:
    """Everybody's grade by the name before the @."""
    rows = client.get(ROUTE).get_json()["items"]
    return {row["email"].partition("@")[0]: row for row in rows}


def decide(client: Api, name: str, kind: str, value: str = "", reason: str = "As agreed.") -> Any:
    """Decide about a student's grade by the API."""
    return client.post(
        f"{ROUTE}/decisions", whom=f"{name}@example.edu", kind=kind, value=value, reason=reason
    )
