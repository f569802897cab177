"""How late a hand-in was, and what of it late days paid, is told to its team and to staff."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from signing_in import signed_in
from small_site import Api, Site, predictions_csv, write_assignment

from leaderboard.models import Course
from leaderboard.views import gradebook

DUE = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def assignment_folder(tmp_path: Path) -> Path:
    closes = DUE + timedelta(days=9)
    schedule = f"due = {DUE.isoformat()}\ncloses = {closes.isoformat()}"
    return write_assignment(tmp_path / "animals", schedule=schedule)


@pytest.fixture
def public_id(site: Site) -> str:
    """Three days late, of a team with two late days; scored."""
    with site.state.database.write() as session:
        session.get_one(Course, site.course.id).late_days = 2
    public_id = site.hand_in(
        "ann", predictions_csv(site.folder), at=DUE + timedelta(days=2, hours=1)
    )
    site.score(public_id)
    return public_id


def test_the_page_and_the_api_tell_days_late_and_late_days_spent(
    app: Flask, site: Site, public_id: str
) -> None:
    report = Api(app.test_client(), site.token("ann")).get(f"/submissions/{public_id}").get_json()
    page = signed_in(app, "ann").get(f"/s/{public_id}").text

    assert [report[name] for name in ("days_late", "late_days_spent", "penalty_days")] == [3, 2, 1]
    assert "3 days after the deadline" in page
    assert "2 late days spent" in page
    assert "1 day that no late day pays" in page


def test_who_was_in_time_reads_nothing_of_it(app: Flask, site: Site) -> None:
    public_id = site.hand_in("bob", predictions_csv(site.folder), at=DUE)

    page = signed_in(app, "bob").get(f"/s/{public_id}").text

    assert "data-late" not in page


def test_grades_tell_the_days_that_no_late_day_paid(site: Site, public_id: str) -> None:
    site.person("bob")
    with site.state.database.reading() as session:
        table = gradebook.grades_csv(session, site.assignment(session))

    late = {
        row["email"]: (row["decided_by"], row["days_late"], row["penalty_days"])
        for row in csv.DictReader(io.StringIO(table))
    }
    assert late == {"ann@example.edu": (public_id, "3", "1"), "bob@example.edu": ("", "", "")}
