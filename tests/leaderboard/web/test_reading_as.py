"""An instructor reads as a student: their pages, nothing to write, nothing of their account."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from every_route import ALLOWED, leave_traces, requests_of
from flask import Flask
from flask.testing import FlaskClient
from signing_in import signed_in
from small_site import Site, predictions_csv

from leaderboard.accounts import courses
from leaderboard.accounts.rights import reading_as
from leaderboard.accounts.rights.routes import Audience
from leaderboard.db import utcnow
from leaderboard.models import AuditEvent, Enrolment, Role, User

READER = {"reading.stop", "auth.sign_out", "auth.choose_language", "auth.choose_theme", "static"}
HOME = "/c/dl-1/"


def _reads_as(app: Flask, site: Site, name: str, reader: str = "instructor") -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    site.person(reader, Role.INSTRUCTOR)
    client = signed_in(app, reader)
    begun = client.post(f"/staff/c/dl-1/people/{site.person(name).id}/read-as")
    assert begun.status_code == 303
    return client


def test_whoever_reads_as_a_student_changes_nothing_and_sees_no_account(
    app: Flask, site: Site
) -> None:
    for name in ("mate", "other"):
        site.person(name)
    public_id = site.hand_in("mate", predictions_csv(site.folder, wrong=5))
    site.score(public_id)
    leave_traces(site)
    client = _reads_as(app, site, "mate")
    wrong = []

    for rule, method, url in requests_of(app, public_id):
        if rule.endpoint in READER or rule.endpoint.startswith(("api.", "agents.", "sso.")):
            continue
        closed = ALLOWED[rule.endpoint] in (Audience.SIGNED_IN, Audience.OWN)
        is_refused = method != "GET" or (closed and rule.endpoint != "student.home")
        with client.open(url, method=method) as reply:
            theirs = ALLOWED[rule.endpoint] in (Audience.ENROLLED, Audience.TEAMS)
            want = {403} if is_refused else {200, 302, 303} if theirs else None
            if want is not None and reply.status_code not in want:
                wrong.append(f"{method} {url}: {reply.status_code}")

    assert wrong == []


def test_the_pages_are_the_students_with_a_banner_and_an_entry_in_the_log(
    app: Flask, site: Site
) -> None:
    public_id = site.hand_in("mate", predictions_csv(site.folder, wrong=5))
    client = _reads_as(app, site, "mate")

    page = client.get("/c/dl-1/a/animals/submissions").text

    assert public_id in page
    assert "data-reads-as" in page
    assert client.get("/staff/c/dl-1/").status_code == 404
    with site.state.database.reading() as session:
        event = session.scalars(sa.select(AuditEvent).filter_by(action="course.read_as")).one()
        assert event.actor_user_id == site.people["instructor"].id
        assert event.subject == f"user:{site.people['mate'].id}"

    client.post("/reading/stop")

    assert "data-reads-as" not in client.get(HOME).text
    assert client.get("/staff/c/dl-1/").status_code == 200


def test_nothing_is_seen_of_the_students_other_courses(app: Flask, site: Site) -> None:
    mate = site.person("mate")
    with site.state.database.session() as session:
        elsewhere = courses.create_course(session, code="dl-2", title="Another course")
        courses.enrol(session, elsewhere, session.get_one(User, mate.id), Role.STUDENT)
    client = _reads_as(app, site, "mate")

    assert client.get("/c/dl-2/").status_code == 404
    assert "Another course" not in client.get("/").text


def test_nobody_but_a_student_is_read_as(app: Flask, site: Site) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    site.person("instructor", Role.INSTRUCTOR)
    site.person("assistant", Role.ASSISTANT)
    mate = site.person("mate")
    boss, helper = (signed_in(app, name) for name in ("instructor", "assistant"))

    staff = boss.post(f"/staff/c/dl-1/people/{site.people['assistant'].id}/read-as")
    by_helper = helper.post(f"/staff/c/dl-1/people/{mate.id}/read-as")

    assert (staff.status_code, by_helper.status_code) == (404, 404)


def test_it_ends_after_an_hour_and_with_the_readers_rights(
    app: Flask, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = _reads_as(app, site, "mate")
    other = _reads_as(app, site, "mate", reader="vice")

    with site.state.database.write() as session:
        held = session.scalars(sa.select(Enrolment).filter_by(user_id=site.people["vice"].id)).one()
        held.role = Role.ASSISTANT
    assert "data-reads-as" not in other.get(HOME).text

    assert "data-reads-as" in client.get(HOME).text
    later = utcnow() + timedelta(minutes=61)
    monkeypatch.setattr(reading_as, "utcnow", lambda: later)
    assert "data-reads-as" not in client.get(HOME).text
