"""Staff's page of a person: another name, number or section, a new code, out of the course."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask.testing import FlaskClient
from forms import app_of, send
from small_site import PASSWORD, Site

from leaderboard.accounts import accounts, courses
from leaderboard.cli import main
from leaderboard.models import AuditEvent, Course, Role, User
from leaderboard.teams import people


@pytest.fixture
def teacher(site: Site) -> FlaskClient:
    site.person("prof", Role.INSTRUCTOR)
    for name in ("ann", "bob"):
        site.person(name)
    return signed_in(site, "prof")


def signed_in(site: Site, name: str) -> FlaskClient:
    client = app_of(site).test_client()
    send(client, "/sign-in", email=f"{name}@example.edu", password=PASSWORD)
    return client


def page_of(site: Site, name: str) -> str:
    return f"/staff/c/dl-1/people/{site.person(name).id}/"


def person(site: Site, name: str) -> people.Person | None:
    with site.state.database.reading() as session:
        course = session.get_one(Course, site.course.id)
        found = people.one(session, course, site.person(name).id)
        _ = found and found.team
        session.expunge_all()
        return found


def test_a_student_is_renamed_with_their_own_team_and_the_log_holds_no_name(
    site: Site, teacher: FlaskClient
) -> None:
    fields = {"name": "Annabel Lee", "number": "０07", "section": "B"}

    done = send(teacher, page_of(site, "ann"), **fields)

    found = person(site, "ann")
    assert done.status_code == 303
    assert (found.user.name, found.number, found.section) == ("Annabel Lee", "007", "B")
    assert found.team.name == "Annabel Lee"
    with site.state.database.reading() as session:
        event = session.scalars(sa.select(AuditEvent).filter_by(action="user.correct")).one()
    assert event.details["changed"] == ["name", "number", "section"]
    assert event.actor_user_id == site.person("prof").id


def test_a_chosen_team_name_stays_and_a_cleared_number_is_free(
    site: Site, teacher: FlaskClient
) -> None:
    with site.state.database.session() as session:
        ann = session.get_one(User, site.person("ann").id)
        people.rename(session, ann, "Annie", actor=None)
        team = site.team(session, "ann")
    assert team.name == "Annie"
    send(teacher, page_of(site, "ann"), name="Annie", number="7", section="")
    taken = send(teacher, page_of(site, "bob"), name="Bob", number="7", section="")
    assert (taken.status_code, "ann@example.edu&#39;s" in taken.text) == (400, True)
    assert 'value="Bob"' in taken.text  # what was typed is still there
    send(teacher, page_of(site, "ann"), name="Annie", number="", section="")
    assert (
        send(teacher, page_of(site, "bob"), name="Bob", number="7", section="").status_code == 303
    )


@pytest.mark.parametrize("name", ["", "\u202eevil", "removed 3"])
def test_an_unfit_name_is_refused(site: Site, teacher: FlaskClient, name: str) -> None:
    assert send(teacher, page_of(site, "ann"), name=name).status_code == 400
    assert person(site, "ann").user.name == "ann"


def test_nobody_renames_who_teaches_but_an_operator(site: Site, teacher: FlaskClient) -> None:
    with site.state.database.session() as session:
        other = courses.create_course(session, code="nlp", title="NLP")
        ann = accounts.user_of_email(session, "ann@example.edu")
        courses.enrol(session, other, ann, Role.ASSISTANT)
    assert send(teacher, page_of(site, "ann"), name="Silly").status_code == 409
    assert send(teacher, page_of(site, "ann"), name="ann", section="C").status_code == 303

    state = ["--state", str(site.settings.state_dir)]
    done = CliRunner().invoke(main, [*state, "rename-person", "ann@example.edu", "Dr. Ann"])

    assert done.exit_code == 0
    assert person(site, "ann").user.name == "Dr. Ann"


def test_somebody_is_taken_out_by_instructors_alone_and_nobody_takes_themself_out(
    site: Site, teacher: FlaskClient
) -> None:
    site.person("ta", Role.ASSISTANT)
    for name in ("ta", "bob"):
        client = signed_in(site, name)
        assert client.get(page_of(site, "ann")).status_code == 404
        refused = send(client, f"{page_of(site, 'ann')}unenrol", form="/account")
        assert refused.status_code == 404
    own = page_of(site, "prof")
    assert "unenrol" not in teacher.get(own).text
    assert send(teacher, f"{own}unenrol", form=own).status_code == 404

    done = send(teacher, f"{page_of(site, 'ann')}unenrol", form=page_of(site, "ann"))

    assert "ann is no longer in the course" in teacher.get(done.location).text
    assert person(site, "ann") is None
    assert teacher.get(page_of(site, "ann")).status_code == 404


def test_a_forgotten_password_is_replaced_with_a_code(site: Site, teacher: FlaskClient) -> None:
    codes = "/staff/c/dl-1/people/codes/"
    sheet = send(teacher, codes, form=page_of(site, "ann"), user=str(site.person("ann").id)).text
    (code,) = re.findall(r"data-code>([^<]+)<", sheet)

    phone = app_of(site).test_client()
    asked = send(phone, "/code", login="ann@example.edu", code=code)

    assert asked.status_code == 303
    assert asked.location.startswith("/password/")
