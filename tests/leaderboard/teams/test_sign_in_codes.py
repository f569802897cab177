"""Student numbers come with class lists, and people sign in by them; no mail is needed for it."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask.testing import FlaskClient
from forms import app_of, send
from small_site import PASSWORD, Site

from leaderboard.accounts import accounts, courses
from leaderboard.cli import main
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotAllowedNow, SignInRefused, TooManyTries
from leaderboard.models import AuditEvent, Course, Enrolment, Role, User
from leaderboard.operations import privacy
from leaderboard.teams import class_list, roster, sign_in_codes
from leaderboard.views import gradebook

LIST = "email,name,学号\nmei@example.edu,Mei,0042\nkofi@example.edu,Kofi,S17\n"
PEOPLE = "/staff/c/dl-1/people/"
NEW = "a long new password"


@pytest.fixture
def teacher(site: Site) -> FlaskClient:
    site.person("prof", Role.INSTRUCTOR)
    return signed_in(site, "prof@example.edu")


def signed_in(site: Site, login: str, password: str = PASSWORD) -> FlaskClient:
    client = app_of(site).test_client()
    assert send(client, "/sign-in", email=login, password=password).status_code == 303
    return client


def enrol(site: Site, text: str = LIST) -> None:
    with site.state.database.session() as session:
        course = session.get_one(Course, site.course.id)
        roster.enrol_without_passwords(session, course, class_list.read(text).entries, actor=None)


def numbers(site: Site) -> dict[str, str | None]:
    with site.state.database.reading() as session:
        rows = session.scalars(sa.select(Enrolment).join(Enrolment.user).order_by(User.email))
        return {row.user.name: row.number for row in rows}


def codes(page: str) -> list[str]:
    return re.findall(r"data-code>([^<]+)<", page)


def test_a_person_signs_in_by_number_with_a_printed_code_and_then_by_password(
    site: Site, teacher: FlaskClient
) -> None:
    enrol(site)

    waiting = teacher.get(f"{PEOPLE}codes/").text
    sheet = send(teacher, f"{PEOPLE}codes/")
    kofis, meis = codes(sheet.text)

    assert "2 students have no password yet" in waiting
    assert sheet.headers["Cache-Control"] == "no-store"
    phone = app_of(site).test_client()
    assert send(phone, "/code", login="0042", code=kofis).status_code == 401
    asked = send(phone, "/code", login=" 0042 ", code=meis.upper())
    assert asked.status_code == 303
    chosen = send(phone, asked.location, password=NEW)
    assert chosen.status_code == 303
    assert "Deep Learning" in phone.get("/").text
    assert send(phone, "/code", login="0042", code=meis).status_code == 401  # it works once
    signed_in(site, "0042", NEW)
    signed_in(site, "mei@example.edu", NEW)
    assert "1 student has no password yet" in teacher.get(f"{PEOPLE}codes/").text


def test_a_new_code_ends_the_one_before_and_none_works_for_ever(
    site: Site, teacher: FlaskClient
) -> None:
    enrol(site)
    _, old = codes(send(teacher, f"{PEOPLE}codes/").text)
    _, new = codes(send(teacher, f"{PEOPLE}codes/").text)

    def redeem(code: str, later: timedelta = timedelta(0)) -> str:
        with site.state.database.session() as session:
            secret, now = site.settings.secret_key, utcnow() + later
            return sign_in_codes.redeem(
                session, secret, login="0042", code=code, address="10.0.0.1", now=now
            ).name

    with pytest.raises(SignInRefused):
        redeem(old)
    assert redeem(new) == "Mei"
    with pytest.raises(SignInRefused):
        redeem(new, sign_in_codes.LASTS)
    with site.state.database.reading() as session:
        kept = accounts.user_of_email(session, "mei@example.edu")
        assert new not in (kept.code_sha256, kept.password_hash)


def test_a_new_code_ends_what_the_one_before_had_opened(site: Site, teacher: FlaskClient) -> None:
    enrol(site)
    _, lost = codes(send(teacher, f"{PEOPLE}codes/").text)
    finder, owner = (app_of(site).test_client() for _ in range(2))
    opened = send(finder, "/code", login="0042", code=lost).location
    page = finder.get(opened)

    _, new = codes(send(teacher, f"{PEOPLE}codes/").text)

    assert page.status_code == 200
    assert finder.get(opened).status_code == 410
    asked = send(owner, "/code", login="0042", code=new)
    assert send(owner, asked.location, password=NEW).status_code == 303


def test_wrong_codes_are_counted_as_wrong_passwords_are(site: Site, teacher: FlaskClient) -> None:
    enrol(site)
    _, meis = codes(send(teacher, f"{PEOPLE}codes/").text)

    def redeem(code: str, address: str) -> None:
        with site.state.database.session() as session:
            secret = site.settings.secret_key
            sign_in_codes.redeem(
                session, secret, login="0042", code=code, address=address, now=utcnow()
            )

    for _ in range(10):
        with pytest.raises(SignInRefused):
            redeem("abcde-fghjk", "10.0.0.1")
    with pytest.raises(TooManyTries):
        redeem(meis, "10.0.0.1")
    redeem(meis, "10.0.0.2")  # the owner elsewhere is not locked out


def test_codes_are_for_students_of_ones_own_courses(site: Site, teacher: FlaskClient) -> None:
    enrol(site)
    site.person("ta", Role.ASSISTANT)
    with site.state.database.session() as session:
        other = courses.create_course(session, code="nlp", title="NLP")
        prof, mei = (
            accounts.user_of_email(session, f"{name}@example.edu") for name in ("prof", "mei")
        )
        courses.enrol(session, other, mei, Role.STUDENT)

        def issue(user: User) -> None:
            course = session.get_one(Course, site.course.id)
            sign_in_codes.issue(session, "k", course, (user,), actor=prof, now=utcnow())

        issue(mei)  # nobody was in that account yet
        accounts.set_password(session, mei, NEW)
        for user in (mei, prof, accounts.user_of_email(session, "ta@example.edu")):
            with pytest.raises(NotAllowedNow):
                issue(user)
        courses.enrol(session, other, prof, Role.INSTRUCTOR)
        issue(mei)
        courses.enrol(session, other, mei, Role.ASSISTANT)
        assert mei.code_sha256 is None
        actions = session.scalars(sa.select(AuditEvent.action).filter_by(actor_user_id=prof.id))
        assert list(actions) == ["user.code"] * 2


def test_a_second_list_changes_numbers_and_names_whose_is_taken(
    site: Site, teacher: FlaskClient
) -> None:
    enrol(site)
    assert numbers(site) == {"Kofi": "S17", "Mei": "0042", "prof": None}

    swapped = "email,name,number\nmei@example.edu,Mei,S17\nkofi@example.edu,Kofi,0042\n"
    page = send(teacher, f"{PEOPLE}roster/preview", form=PEOPLE, roster=swapped).text
    assert "mei@example.edu (0042 → S17)" in page
    enrol(site, swapped)
    assert numbers(site) == {"Kofi": "0042", "Mei": "S17", "prof": None}
    enrol(site, "email,name\nmei@example.edu,Mei\n")  # a list without numbers takes none

    taken = "email,name,number\nnew@example.edu,New,0042\nmei@example.edu,Mei,9\n"
    for path in ("roster/preview", "roster"):
        refused = send(teacher, f"{PEOPLE}{path}", form=PEOPLE, roster=taken)
        said = teacher.get(refused.location).text
        assert "&#39;0042&#39; is kofi@example.edu&#39;s" in said
    assert numbers(site) == {"Kofi": "0042", "Mei": "S17", "prof": None}


@pytest.mark.parametrize(
    ("cells", "said"),
    [("2.02412E+11", "last digits are lost"), ("9" * 65, "64 characters"), ("0042", "in line 2")],
)
def test_a_number_that_cannot_be_somebodys_is_named_with_its_line(cells: str, said: str) -> None:
    with pytest.raises(BadRequest, match=f"line 3: .*{said}"):
        class_list.read(f"email,name,number\na@x.example,A,0042\nb@x.example,B,{cells}\n")


def test_numbers_stand_on_staffs_pages_and_exports_and_go_with_the_person(
    site: Site, teacher: FlaskClient
) -> None:
    enrol(site)
    with site.state.database.session() as session:
        grades = gradebook.grades_csv(session, site.assignment(session))
        mei = accounts.user_of_email(session, "mei@example.edu")
        record = privacy.record_of(session, mei)
        assert [row["number"] for row in csv.DictReader(io.StringIO(grades))] == ["S17", "0042"]
        assert record["courses"][0]["student_number"] == "0042"
        assert "0042" in teacher.get(PEOPLE).text
        assistant = site.person("ta", Role.ASSISTANT)
        student = signed_in(site, "ta@example.edu")
        assert "0042" in student.get(PEOPLE).text, assistant
        privacy.erase(session, site.state, mei)
    assert numbers(site) == {"Kofi": "S17", "prof": None, "ta": None}


def test_a_number_of_two_people_signs_in_with_its_course_before_it(site: Site) -> None:
    enrol(site)
    with site.state.database.session() as session:
        other = courses.create_course(session, code="nlp", title="NLP")
        entries = class_list.read("email,name,number\nann@example.edu,Ann,0042\n").entries
        roster.enrol_all(session, other, entries)
        for name in ("ann", "mei"):
            user = accounts.user_of_email(session, f"{name}@example.edu")
            accounts.set_password(session, user, NEW)
    browser = app_of(site).test_client()
    assert send(browser, "/sign-in", email="0042", password=NEW).status_code == 401

    arguments = ["--state", str(site.settings.state_dir), "sign-in-codes", "nlp"]
    done = CliRunner().invoke(main, [*arguments, "ann@example.edu"])
    login, code, name = done.stdout.strip().split(",")

    assert (login, name) == ("nlp/0042", "Ann")
    assert send(browser, "/code", login=login, code=code).status_code == 303
    signed_in(site, "nlp/0042", NEW)


def test_the_api_gives_a_token_to_a_number_and_its_password(site: Site) -> None:
    enrol(site)
    with site.state.database.session() as session:
        accounts.set_password(session, accounts.user_of_email(session, "kofi@example.edu"), NEW)

    reply = (
        app_of(site).test_client().post("/api/v1/tokens", json={"email": "s17", "password": NEW})
    )

    assert reply.status_code == 201
