"""A class list in the browser: looked at first, then enrolled whole or not at all."""

import html
import io
import re

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from forms import app_of, send
from small_site import PASSWORD, Site

from leaderboard.accounts import accounts, courses
from leaderboard.errors import BadRequest
from leaderboard.models import Course, Enrolment, Role, Team, User
from leaderboard.teams import class_list, roster

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section
    Points Possible,,,,
"Mei, Lin",11,0042,lin@example.edu,A
"Owusu, Kofi",12,0043,kofi@example.edu,B
"""
PAGE = "/staff/c/dl-1/people/"


@pytest.fixture
def teacher(site: Site) -> FlaskClient:
    site.person("prof", Role.INSTRUCTOR)
    client = app_of(site).test_client()
    send(client, "/sign-in", email="prof@example.edu", password=PASSWORD)
    return client


def count(site: Site, model: type) -> int:
    with site.state.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_a_file_is_looked_at_first_and_enrols_when_confirmed(
    site: Site, teacher: FlaskClient
) -> None:
    before = count(site, User)
    file = (io.BytesIO(CANVAS.encode("utf-16")), "Gradebook.csv")

    page = send(teacher, f"{PAGE}roster/preview", form=PAGE, file=file).text

    assert count(site, User) == before
    assert "SIS Login ID" in page
    assert "Lin Mei" in page
    assert re.search(r"data-new>2<", page)
    text = html.unescape(re.search(r'name="roster" value="([^"]*)"', page)[1])
    done = send(teacher, f"{PAGE}roster", form=PAGE, roster=text).text
    assert count(site, User) == before + 2
    links = re.findall(r"data-welcome>[^<]*(/password/[^<]+)<", done)
    assert len(links) == 2  # there is no mail server here
    browser = app_of(site).test_client()
    chosen = send(browser, html.unescape(links[0]), password="a long new password")
    assert chosen.status_code == 303
    assert "Deep Learning" in browser.get("/").text


def test_a_list_with_a_wrong_line_enrols_nobody(site: Site, teacher: FlaskClient) -> None:
    before = count(site, User), count(site, Enrolment)

    refused = send(
        teacher, f"{PAGE}roster", form=PAGE, roster="email,name\na@example.edu,A\nnobody,B\n"
    )

    assert refused.status_code == 303
    assert "line 3" in teacher.get(refused.location).text
    assert (count(site, User), count(site, Enrolment)) == before


def test_a_fault_in_the_middle_of_a_list_enrols_nobody(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = class_list.read("email,name\na@example.edu,A\nb@example.edu,B\n").entries
    before = count(site, User)
    enrol = courses.enrol_within

    def fails(session, course, user, role, **options):
        if user.email.startswith("b@"):
            raise BadRequest("no room")
        return enrol(session, course, user, role, **options)

    monkeypatch.setattr(courses, "enrol_within", fails)
    with site.state.database.session() as session, pytest.raises(BadRequest):
        roster.enrol_all(session, session.get_one(Course, site.course.id), entries)

    assert count(site, User) == before


@pytest.mark.parametrize("column", ["", ",role"])
def test_a_list_takes_no_role_from_anybody(site: Site, teacher: FlaskClient, column: str) -> None:
    text = f"email,name{column}\nprof@example.edu,Prof{column and ',student'}\n"

    page = send(teacher, f"{PAGE}roster/preview", form=PAGE, roster=text).text
    send(teacher, f"{PAGE}roster", form=PAGE, roster=text)

    assert "prof@example.edu (instructor)" in " ".join(page.split())
    with site.state.database.reading() as session:
        prof = accounts.user_of_email(session, "prof@example.edu")
        enrolment = session.scalars(sa.select(Enrolment).filter_by(user_id=prof.id)).one()
    assert enrolment.role is Role.INSTRUCTOR


def test_a_column_of_teams_forms_them_and_moves_nobody(site: Site, teacher: FlaskClient) -> None:
    site.person("ann")
    text = "email;name;Gruppe\na@example.edu;A;G1\nb@example.edu;B;G1\nann@example.edu;Ann;G1\n"

    page = send(teacher, f"{PAGE}roster/preview", form=PAGE, roster=text).text
    for _ in range(2):
        send(teacher, f"{PAGE}roster", form=PAGE, roster=text)

    assert "G1" in page
    with site.state.database.reading() as session:
        team = session.scalars(sa.select(Team).filter_by(name="G1")).one()
        assert {each.user.email for each in team.members} == {"a@example.edu", "b@example.edu"}
        ann = accounts.user_of_email(session, "ann@example.edu")
        own = courses.team_of(session, session.get_one(Course, site.course.id), ann)
        assert own is not None
        assert own.name != "G1"


def test_the_confirmed_text_is_what_was_shown() -> None:
    entries = class_list.read(
        'Name,Email,Role,ID number,Group,Section\n"Doe, ""J""",j@example.edu,TA,007,=G1,A\n'
    ).entries

    assert class_list.read(class_list.written(entries)).entries == entries
