"""One deadline is one time everywhere: in the zone of the course, which is named."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from signing_in import signed_in
from small_site import Api, Site, write_assignment

from leaderboard.messages import letters, notifications
from leaderboard.models import Course, OutgoingMail

DUE = datetime(2027, 3, 14, 4, 30, 0, tzinfo=UTC)  # the clocks go forward two hours later
PAGES = ("/", "/c/dl-1/", "/c/dl-1/a/animals/", "/c/dl-1/a/animals/submit")


@pytest.fixture(params=["", 'time_zone = "Europe/Berlin"'])
def own_zone(request: pytest.FixtureRequest) -> str:
    zone: str = request.param
    return zone


@pytest.fixture
def assignment_folder(tmp_path: Path, own_zone: str) -> Path:
    return write_assignment(tmp_path / "animals", schedule=f"due = {DUE.isoformat()}\n{own_zone}")


@pytest.fixture
def shown(site: Site, own_zone: str) -> str:
    """What each page and mail must say of the deadline."""
    with site.state.database.write() as session:
        session.get_one(Course, site.course.id).time_zone = "America/New_York"
    site.person("ann")
    return "2027-03-14 05:30 Berlin" if own_zone else "2027-03-13 23:30 New York"


def test_every_page_shows_a_deadline_at_the_same_time_of_the_same_zone(
    app: Flask, site: Site, shown: str
) -> None:
    ann = signed_in(app, "ann")
    for path in PAGES:
        text = re.sub(r"<[^>]+>", "", ann.get(path).text)
        assert shown in text, path
        assert "UTC" not in text, path


def test_api_and_mail_name_the_same_zone(app: Flask, site: Site, shown: str) -> None:
    schedule = (
        Api(app.test_client(), site.token("ann"))
        .get("/courses/dl-1/assignments/animals")
        .json["schedule"]
    )
    with site.state.database.session() as session:
        notifications.remind(session, DUE)
        notifications.remind(session, DUE.replace(hour=2))
        (mail,) = session.query(OutgoingMail).all()
        written = letters.compose(session, site.settings, mail).text

    assert schedule["time_zone"].endswith(shown.rpartition(" ")[2].replace("York", "New_York"))
    assert f"{shown[:16]} ({schedule['time_zone']})" in written
    assert datetime.fromisoformat(schedule["due"]) == DUE


def test_each_time_of_a_page_says_its_zone(app: Flask, site: Site, shown: str) -> None:
    client = signed_in(app, "ann")
    pages = [*PAGES, "/account", "/tokens", "/notifications", "/c/dl-1/team"]
    found = [
        (path, time)
        for path in pages
        for time in re.findall(r"<time[^>]*>(.*?)</time>", client.get(path).text)
    ]

    assert found
    assert [each for each in found if not re.search(r"\d <span[^>]*>[A-Z]", each[1])] == []
