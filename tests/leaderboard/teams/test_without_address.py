"""A class list of numbers alone: people without an address sign in, are graded and erased."""

from __future__ import annotations

import csv
import io
import re

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from forms import app_of, send
from small_site import PASSWORD, Site

from leaderboard.accounts import accounts, courses
from leaderboard.db import writing
from leaderboard.errors import BadRequest
from leaderboard.messages import mail
from leaderboard.models import Assignment, Course, Letter, OutgoingMail, Role, User
from leaderboard.operations import privacy
from leaderboard.teams import class_list, roster
from leaderboard.views import gradebook

LIST = "学号\t姓名\t班级\n20260001\t李梅\tA\n20260002\t王强\tB\n"
PEOPLE = "/staff/c/dl-1/people/"


@pytest.fixture
def teacher(site: Site) -> FlaskClient:
    site.person("prof", Role.INSTRUCTOR)
    client = app_of(site).test_client()
    assert send(client, "/sign-in", email="prof@example.edu", password=PASSWORD).status_code == 303
    return client


def enrol(site: Site, text: str = LIST) -> tuple[roster.Listed, ...]:
    with site.state.database.session() as session:
        course = session.get_one(Course, site.course.id)
        entries = class_list.read(text).entries
        return roster.enrol_by_mail(session, course, entries, actor=None)


def test_from_the_list_to_the_gradebook_by_number_alone(site: Site, teacher: FlaskClient) -> None:
    shown = send(teacher, f"{PEOPLE}roster/preview", form=PEOPLE, roster=LIST).text
    assert "with a code that you print" in shown
    kept = re.search(r'name="roster" value="([^"]+)"', shown)
    assert kept is not None

    done = send(teacher, f"{PEOPLE}roster", form=PEOPLE, roster=kept[1])
    slips = send(teacher, f"{PEOPLE}codes/").text
    [code, _] = re.findall(r"data-code>([^<]+)<", slips)
    phone = app_of(site).test_client()
    chosen = send(phone, "/code", login="20260001", code=code)
    assert send(phone, chosen.location, password="a long new password").status_code == 303
    again = app_of(site).test_client()
    signed = send(again, "/sign-in", email="20260001", password="a long new password")

    assert "2 people are enrolled" in done.text
    assert signed.status_code == 303
    assert "no address" in again.get("/account").text
    for page in (done.text, slips, teacher.get(PEOPLE).text, again.get("/account").text):
        assert ".invalid" not in page
    with site.state.database.reading() as session:
        assignment = session.scalars(sa.select(Assignment)).one()
        rows = list(csv.DictReader(io.StringIO(gradebook.grades_csv(session, assignment))))
        mei = courses.user_by_email(session, "20260001")
        assert mei.name == "李梅"
        assert privacy.record_of(session, mei)["account"]["email"] == ""
    assert [(row["email"], row["number"]) for row in rows] == [("", "20260001"), ("", "20260002")]


def test_the_list_again_makes_nobody_new_and_nobody_is_mailed(site: Site) -> None:
    first, second = enrol(site), enrol(site)
    assert [each.is_new for each in (*first, *second)] == [True, True, False, False]
    assert not any(each.is_under_another_address for each in second)
    with site.state.database.session() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(OutgoingMail)) == 0
        with writing(session):
            user = session.get_one(User, first[0].user.id)
            mail.post(session, Letter.WELCOME, dedupe_key="one", user=user)
        assert session.scalars(sa.select(OutgoingMail)).one().gave_up_at is not None


def test_one_number_in_two_courses_is_one_person_only_by_the_same_name(site: Site) -> None:
    enrol(site)
    with site.state.database.session() as session:
        other = courses.create_course(session, code="nlp", title="Language")
        entries = class_list.read("学号,姓名\n20260001,李梅\n20260002,Kofi\n").entries
        mei, kofi = roster.enrol_without_passwords(session, other, entries, actor=None)
        assert (mei.is_new, kofi.is_new) == (False, True)
        assert len(courses.users_of_login(session, "20260002")) == 2
        assert courses.user_by_email(session, "NLP/20260002").name == "Kofi"
        assert courses.user_by_email(session, "dl-1/20260002").name == "王强"


def test_a_line_without_its_number_is_named_and_no_one_is_enrolled() -> None:
    with pytest.raises(BadRequest, match="line 3: it has no student number"):
        class_list.read("学号,姓名\n20260001,李梅\n,王强\n")
    with pytest.raises(BadRequest, match="no e-mail address"):
        accounts.email_address("somebody@none.invalid")


def test_they_have_a_team_and_can_be_erased(site: Site) -> None:
    mei, _ = enrol(site)
    with site.state.database.session() as session:
        user = session.get_one(User, mei.user.id)
        team = courses.team_of(session, session.get_one(Course, site.course.id), user)
        assert team is not None
        assert courses.hands_in(session, user, team)
        privacy.erase(session, site.state, user)
        assert user.address == ""
