"""The server was away: everybody's own dates move by as long, once, and all are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from commands import run
from flask.testing import FlaskClient
from forms import app_of, forged, send
from signing_in import signed_in
from small_site import PASSWORD, Site, make_site, write_assignment

from leaderboard.accounts import accounts
from leaderboard.accounts.links import Links
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest
from leaderboard.models import AuditEvent, Course, OutgoingMail, Role, User
from leaderboard.rules import schedule
from leaderboard.teams import extensions, outages

NOW = utcnow().replace(microsecond=0)
DUE = NOW - timedelta(minutes=10)
HALF_AN_HOUR = timedelta(minutes=30)
AWAY = (DUE - timedelta(minutes=20), DUE + timedelta(minutes=10))
PAGE = "/staff/c/dl-1/extensions/"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    dates = f"due = {DUE.isoformat()}\ncloses = {(DUE + timedelta(days=1)).isoformat()}"
    made = make_site(tmp_path, write_assignment(tmp_path / "animals", schedule=dates))
    for name in ("ann", "bob", "late"):
        made.person(name)
    made.person("ada", Role.INSTRUCTOR)
    yield made
    made.state.close()


def due(site: Site, name: str) -> datetime | None:
    with site.state.database.reading() as session:
        return schedule.terms(site.assignment(session), site.team(session, name)).due


def extend_all(site: Site, since: datetime, until: datetime) -> int:
    with site.state.database.session() as session:
        return outages.extend_all(session, site.assignment(session), since, until, actor=None)


def test_each_teams_own_dates_move_by_as_long_as_the_server_was_away(site: Site) -> None:
    own = DUE + timedelta(days=3)
    with site.state.database.session() as session:
        more = extensions.More(assignment=site.assignment(session), due=own)
        course = session.get_one(Course, site.course.id)
        extensions.grant(session, course, site.team(session, "late"), more, actor=None)

    assert extend_all(site, *AWAY) == 3

    assert due(site, "ann") == due(site, "bob") == DUE + HALF_AN_HOUR
    assert due(site, "late") == own + HALF_AN_HOUR
    with site.state.database.reading() as session:
        held = schedule.terms(site.assignment(session), site.team(session, "ann"))
        mails = session.scalars(sa.select(OutgoingMail)).all()
        event = session.scalars(sa.select(AuditEvent).filter_by(action="assignment.away")).one()
    assert held.closes == DUE + timedelta(days=1) + HALF_AN_HOUR
    told = {each.user_id for each in mails if "extension" in each.details}
    assert told == {site.person(name).id for name in ("ann", "bob", "late")}
    assert event.details["teams"] == 3


def test_whose_time_was_over_before_keeps_the_due_date(site: Site) -> None:
    extend_all(site, DUE + timedelta(minutes=1), DUE + timedelta(minutes=6))
    with site.state.database.reading() as session:
        held = schedule.terms(site.assignment(session), site.team(session, "ann"))
    assert held.due == DUE
    assert held.closes == DUE + timedelta(days=1, minutes=5)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (NOW, NOW - timedelta(hours=1)),
        (NOW - timedelta(hours=1), NOW + timedelta(hours=1)),
        (NOW - timedelta(days=8), NOW - timedelta(minutes=1)),
    ],
    ids=["ends before it begins", "in the future", "a week"],
)
def test_times_that_make_no_sense_extend_nobody(
    site: Site, since: datetime, until: datetime
) -> None:
    with pytest.raises(BadRequest):
        extend_all(site, since, until)
    assert due(site, "ann") == DUE


def test_it_is_one_form_of_instructors(site: Site) -> None:
    ada = signed_in(app_of(site), "ada")
    zone = schedule.zone_of(site.course)
    since, until = (f"{each.astimezone(zone):%Y-%m-%dT%H:%M:%S}" for each in AWAY)
    done = send(ada, f"{PAGE}away", form=PAGE, assignment="animals", since=since, until=until)
    assert "Extended for 3 teams; they were told." in ada.get(done.location).text
    assert due(site, "bob") == DUE + HALF_AN_HOUR
    wrong = send(ada, f"{PAGE}away", form=PAGE, assignment="animals", since=until, until=since)
    assert wrong.status_code == 400


def test_the_command_does_the_same(site: Site) -> None:
    run(site.settings.state_dir, "away", "dl-1", "animals", *(each.isoformat() for each in AWAY))
    assert due(site, "ann") == DUE + HALF_AN_HOUR


def calendar_link(client: FlaskClient) -> str:
    [path] = re.findall(r"http://localhost(/calendar/\S+\.ics)", client.get("/account").text)
    return path


def test_the_calendar_shows_what_holds_for_the_reader_and_ends_with_the_password(
    site: Site,
) -> None:
    app = app_of(site)
    link = calendar_link(signed_in(app, "ann"))
    anybody = app.test_client()
    before = anybody.get(link)
    assert before.mimetype == "text/calendar"
    assert f"DTSTART:{DUE:%Y%m%dT%H%M%SZ}" in before.text
    assert all(len(line.encode()) <= 75 for line in before.text.split("\r\n"))

    extend_all(site, *AWAY)
    moved = anybody.get(link).text
    assert f"DTSTART:{DUE + HALF_AN_HOUR:%Y%m%dT%H%M%SZ}" in moved
    uids = re.findall(r"UID:(\S+)", before.text)
    assert uids == re.findall(r"UID:(\S+)", moved)
    assert len(set(uids)) == 2

    assert anybody.get("/calendar/x.ics").status_code == 404
    assert anybody.get(f"{forged(link.removesuffix('.ics'))}.ics").status_code == 404
    with site.state.database.session() as session:
        user = session.get_one(User, site.person("ann").id)
        password = Links(site.settings.secret_key).of_password(user, timedelta(hours=1))
    assert anybody.get(f"/calendar/{password}.ics").status_code == 404
    with site.state.database.write() as session:
        user = session.get_one(User, site.person("ann").id)
        user.password_hash = accounts._hasher.hash(PASSWORD + "!")
    assert anybody.get(link).status_code == 404
