"""Roles beside a student's and an instructor's, and the page that tells what each may do."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from commands import run
from flask import Flask
from flask.testing import FlaskClient
from graded import decide, released, scored, staff, write_graded
from signing_in import signed_in
from small_site import Api, Site, make_site

from leaderboard import create_app
from leaderboard.accounts.rights.matrix import MATRIX, Who
from leaderboard.accounts.rights.routes import AUDIENCE
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.models import AuditEvent, Course, Enrolment, Regrade, Role, Standing, User
from leaderboard.teams.rights import giving

A = "/c/dl-1/a/animals/"
NAMES = ("wanda", "xenia")  # of sections A and B
Reading = tuple[Site, Flask]


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    """Two sections with work, a question each about a grade, and one reader of every kind."""
    folder = tmp_path_factory.mktemp("rights")
    site = make_site(folder, write_graded(folder / "animals"))
    app = create_app(state=site.state)
    boss = staff(app, site)
    for number, name in enumerate((*NAMES, "aude")):
        site.person(name, Role.AUDITOR if name == "aude" else Role.STUDENT)
        scored(site, name, 10 + number)
    released(site)
    assert decide(boss, "xenia", "override", "2.0", "Xenia Petrova was heard.").status_code == 201
    for name, role in (("tina", Role.ASSISTANT), ("exam", Role.EXAMINER)):
        site.person(name, role)
    with site.state.database.write() as session:
        of = {each.user_id: each for each in session.scalars(sa.select(Enrolment))}
        for name, section in zip(NAMES, "AB", strict=True):
            of[site.people[name].id].section = section
        of[site.people["tina"].id].sees = ["A"]
        of[site.people["exam"].id].ends_at = utcnow() + timedelta(days=30)
        for name in NAMES:
            submission = site.team(session, name)
            session.add(_question(session, submission.id, site.course.id))
    return site, app


def _question(session: sa.orm.Session, team_id: int, course_id: int) -> Regrade:
    standing = session.scalars(sa.select(Standing).filter_by(team_id=team_id)).first()
    assert standing is not None
    return Regrade(
        course_id=course_id,
        submission_id=standing.submission_id,
        due_at=utcnow(),
        opened_at=utcnow(),
    )


@pytest.mark.parametrize(
    "path",
    [f"/staff{A}", f"/staff{A}grades/", "/staff/c/dl-1/people/", "/staff/c/dl-1/regrades/"],
)
def test_an_assistant_of_a_section_sees_its_people_alone(reading: Reading, path: str) -> None:
    _, app = reading

    theirs, whole = (signed_in(app, name).get(path).text for name in ("tina", "boss"))

    assert "wanda" in theirs
    assert "xenia" not in theirs
    assert {name for name in NAMES if name in whole} == set(NAMES)


def test_an_assistant_of_a_section_lists_its_submissions_alone_by_the_api(
    reading: Reading,
) -> None:
    site, app = reading
    api = Api(app.test_client(), site.token("tina", staff=True))
    path = "/staff/courses/dl-1/assignments/animals/submissions"

    teams = {each["team"] for each in api.get(path).get_json()["items"]}
    searched = api.get(f"{path}?section=B").get_json()["items"]

    assert teams == {"wanda"}
    assert searched == []


@pytest.mark.parametrize("name", ["tina", "exam", "aude"])
def test_no_page_leads_a_reader_to_what_is_not_theirs(reading: Reading, name: str) -> None:
    _, app = reading
    client = signed_in(app, name)
    seen: dict[str, int] = {}

    _follow(client, "/", seen)

    assert {url: status for url, status in seen.items() if status >= 400} == {}
    assert len(seen) > 5


def _follow(client: FlaskClient, url: str, seen: dict[str, int]) -> None:
    """Every page below the first that a link leads to; each once, whatever it is asked."""
    with client.get(url, follow_redirects=True) as reply:
        seen[url] = reply.status_code
        text = reply.text if reply.mimetype == "text/html" else ""
    for link in re.findall(r'href="(/[^"?#]*)', text):
        if link not in seen and not link.startswith("/static"):
            _follow(client, link, seen)


def test_an_examiner_reads_grades_and_nobodys_name(reading: Reading) -> None:
    _, app = reading
    client = signed_in(app, "exam")

    page = client.get(f"/examination{A}").text
    again = client.get(f"/examination{A}").text
    other = signed_in(app, "boss").get(f"/examination{A}").text
    names = set(re.findall(r'class="mono nowrap">([0-9A-F]{5}-[0-9A-F]{5})<', page))

    assert len(names) == 2
    assert names == set(re.findall(r"[0-9A-F]{5}-[0-9A-F]{5}", again))
    assert not names & set(re.findall(r"[0-9A-F]{5}-[0-9A-F]{5}", other))
    assert "<strong>2</strong>" in page
    assert [name for name in (*NAMES, "aude", "Petrova") if name in page] == []


def test_an_examiners_rights_end_on_their_day(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leaderboard.accounts import access

    _, app = reading
    client = signed_in(app, "exam")
    assert client.get(f"/examination{A}").status_code == 200

    now = utcnow()
    monkeypatch.setattr(access, "utcnow", lambda: now + timedelta(days=31))
    # the session would be over as well: who it is does not hang on the day here
    monkeypatch.setattr(access.accounts, "user_of_session", lambda *_: _user(reading, "exam"))

    assert client.get(f"/examination{A}").status_code == 404
    assert "dl-1" not in client.get("/").text


def _user(reading: Reading, name: str) -> User:
    from flask import g

    found: User = g.session.get_one(User, reading[0].people[name].id)
    return found


def test_an_auditor_hands_in_without_a_rank_and_without_a_grade(reading: Reading) -> None:
    site, app = reading
    client = signed_in(app, "aude")

    board = signed_in(app, "wanda").get(f"{A}leaderboard").text
    work = client.get(f"{A}submissions").text
    grades = signed_in(app, "boss").get(f"/staff{A}grades/").text

    assert "wanda" in board
    assert "aude" not in board
    assert "/s/s_" in work
    assert "aude" not in grades
    with site.state.database.session() as session:
        course = session.get_one(Course, site.course.id)
        user = session.get_one(User, site.people["aude"].id)
        with pytest.raises(NotAllowedNow):
            giving.give(session, course, user, Role.STUDENT, actor=None)


def test_rights_are_given_by_the_page_and_stand_in_the_audit_log(
    reading: Reading,
) -> None:
    site, app = reading
    app.config["WTF_CSRF_ENABLED"] = False
    site.person("newt")
    client = signed_in(app, "boss")
    path = f"/staff/c/dl-1/rights/{site.people['newt'].id}"

    client.post(path, data={"role": "assistant", "sees": "A; B", "until": ""})
    client.post(path, data={"role": "examiner"})  # no date: refused

    with site.state.database.reading() as session:
        held = session.scalars(sa.select(Enrolment).filter_by(user_id=site.people["newt"].id)).one()
        assert (held.role, held.sees) == (Role.ASSISTANT, ["A", "B"])
        event = session.scalars(sa.select(AuditEvent).filter_by(action="course.rights")).one()
        assert event.actor_user_id == site.people["boss"].id
        assert event.details["sections"] == 2
    page = client.get("/staff/c/dl-1/rights/").text
    assert "newt" in page
    assert "A; B" in page


def test_the_page_tells_what_the_table_says(reading: Reading) -> None:
    page = signed_in(reading[1], "tina").get("/staff/c/dl-1/rights/").text
    row = re.search(r"<tr><th[^>]*>Export grades.*?</tr>", page, re.DOTALL)
    assert row is not None
    cells = dict(re.findall(r'data-who="(\w+)">(?:<[^>]*>)?([^<]+)', row[0]))

    may = MATRIX[AUDIENCE["exports.download"]]
    assert {Who(who) for who, told in cells.items() if told == "yes"} == may & {
        Who(who) for who in cells
    }


def test_what_makes_no_sense_is_refused(site: Site) -> None:
    boss = site.person("boss", Role.INSTRUCTOR)
    ann = site.person("ann")
    with site.state.database.session() as session:
        course = session.get_one(Course, site.course.id)
        of = {each.id: each for each in session.scalars(sa.select(User))}
        with pytest.raises(BadRequest):
            giving.give(session, course, of[ann.id], Role.STUDENT, sections=["A"], actor=None)
        with pytest.raises(BadRequest):
            giving.give(session, course, of[ann.id], Role.EXAMINER, actor=None)
        late = utcnow() + timedelta(days=400)
        with pytest.raises(BadRequest):
            giving.give(session, course, of[ann.id], Role.EXAMINER, until=late, actor=None)
        past = utcnow() - timedelta(days=1)
        with pytest.raises(BadRequest):
            giving.give(session, course, of[ann.id], Role.ASSISTANT, until=past, actor=None)
        with pytest.raises(NotAllowedNow):
            giving.give(session, course, of[boss.id], Role.STUDENT, actor=None)


def test_the_command_gives_rights_and_lists_them(site: Site) -> None:
    site.person("ann")
    folder: Path = site.settings.state_dir

    given = run(
        *(folder, "rights", "dl-1", "ann@example.edu", "--role", "assistant", "--section", "A")
    )
    listed = run(folder, "rights", "dl-1")

    assert given.stdout == listed.stdout == "ann@example.edu,assistant,A,\n"
