"""A class list that is older than somebody's e-mail address finds the account they have."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from commands import run
from forms import app_of, send
from signing_in import signed_in
from small_site import Site

from leaderboard import audit
from leaderboard.accounts import accounts as service
from leaderboard.accounts import identities
from leaderboard.accounts.links import Links
from leaderboard.db import utcnow
from leaderboard.errors import SignInRefused
from leaderboard.models import Course, Enrolment, FormerAddress, Invitation, Role, User
from leaderboard.operations import privacy, retention
from leaderboard.teams import addresses, class_list, roster

OLD, NEW = "ann@example.edu", "ann@new.example"
LIST = "email,name,section\nAnn@Example.edu,Ann of the list,B\n"


def move(site: Site, user_id: int, email: str) -> None:
    """The user follows the link that was mailed to their new address."""
    links = Links(site.settings.secret_key)
    with site.state.database.session() as session:
        user = session.get_one(User, user_id)
        addresses.change(session, links, user, links.of_address(user, email), utcnow())


@pytest.fixture
def ann(site: Site) -> int:
    """A student who changed her address after the term began."""
    user_id = site.person("ann").id
    move(site, user_id, NEW)
    return user_id


def imported(site: Site, text: str = LIST) -> list[roster.Listed]:
    with site.state.database.session() as session:
        course = session.get_one(Course, site.course.id)
        listed = list(roster.enrol_all(session, course, class_list.read(text).entries))
        assert [each.user.email for each in listed]  # read while the session is open
        return listed


def accounts(site: Site) -> list[str]:
    with site.state.database.reading() as session:
        return list(session.scalars(sa.select(User.email).order_by(User.id)))


def remembered(site: Site) -> dict[str, int]:
    with site.state.database.reading() as session:
        rows = session.scalars(sa.select(FormerAddress))
        return {each.email: each.user_id for each in rows}


def create(site: Site, email: str) -> int:
    with site.state.database.session() as session:
        return service.create_user(session, email=email, name="Zoe", password=None).id


def test_an_older_list_makes_no_second_account(site: Site, ann: int) -> None:
    (listed,) = imported(site)

    assert (listed.user.id, listed.password) == (ann, None)
    assert listed.is_under_another_address
    assert accounts(site) == [NEW]
    with site.state.database.reading() as session:
        enrolment = session.scalars(sa.select(Enrolment)).one()
        assert (enrolment.user_id, enrolment.section) == (ann, "B")


def test_every_address_that_somebody_had_finds_them(site: Site, ann: int) -> None:
    move(site, ann, "ann@newest.example")

    listed = imported(site, f"email,name\n{OLD},Ann\n{NEW},Ann\nann@newest.example,Ann\n")

    assert {each.user.id for each in listed} == {ann}
    assert [each.is_under_another_address for each in listed] == [True, True, False]
    assert accounts(site) == ["ann@newest.example"]


def test_who_has_the_address_now_is_meant_by_it(site: Site, ann: int) -> None:
    zoe = create(site, OLD)

    (listed,) = imported(site)

    assert listed.user.id == zoe != ann
    assert not listed.is_under_another_address
    assert remembered(site) == {}


def test_an_address_that_another_left_too_is_theirs(site: Site, ann: int) -> None:
    bob = site.person("bob").id
    move(site, bob, OLD)
    move(site, bob, "bob@new.example")

    (listed,) = imported(site)

    assert listed.user.id == bob
    assert remembered(site) == {OLD: bob, "bob@example.edu": bob}


def test_two_who_swap_addresses_are_found_by_those_they_have(site: Site, ann: int) -> None:
    bob = site.person("bob").id
    move(site, bob, OLD)
    move(site, ann, "bob@example.edu")

    first, second = imported(site, f"email,name\n{OLD},Bob\nbob@example.edu,Ann\n")

    assert (first.user.id, second.user.id) == (bob, ann)
    assert remembered(site) == {NEW: ann}


def test_an_address_that_comes_back_is_no_former_one(site: Site, ann: int) -> None:
    move(site, ann, OLD)

    assert remembered(site) == {NEW: ann}
    assert not imported(site)[0].is_under_another_address


def test_an_address_that_was_never_confirmed_leads_to_nobody(site: Site) -> None:
    with site.state.database.session() as session:
        claims = {"email": OLD, "name": "Mallory", "password": "a long enough one"}
        mallory = service.create_user(session, is_verified=False, **claims).id
    move(site, mallory, "mallory@example.com")

    (listed,) = imported(site)

    assert listed.user.id != mallory
    assert accounts(site) == ["mallory@example.com", OLD]


def test_a_former_address_opens_nothing(site: Site, ann: int) -> None:
    """It may be a new student's by now: neither a password nor single sign-on leads by it."""
    with site.state.database.session() as session:
        with pytest.raises(SignInRefused):
            service.check_password(
                session, email=OLD, password="whatever it was", address="", now=utcnow()
            )
        newcomer = identities.user_of_identity(
            session,
            issuer="https://sso.example.edu",
            subject="7",
            email=OLD,
            is_verified=True,
            name="Zoe",
        )
        assert newcomer.id != ann


def test_an_erased_person_is_found_by_no_address(site: Site, ann: int) -> None:
    with site.state.database.write() as session:
        session.add(
            Invitation(
                course_id=site.course.id,
                role=Role.STUDENT,
                email=OLD,
                created_at=utcnow(),
                expires_at=utcnow() + timedelta(days=30),
            )
        )
    with site.state.database.session() as session:
        privacy.erase(session, site.state, session.get_one(User, ann))

    assert remembered(site) == {}
    with site.state.database.reading() as session:
        assert session.scalars(sa.select(Invitation.email)).all() == [""]
        assert audit.verify(session, site.state.receipts.public_key)[1] == ()
    (listed,) = imported(site)
    assert listed.user.id != ann


def test_former_addresses_are_part_of_ones_data_and_stay_with_the_account(
    site: Site, ann: int
) -> None:
    with site.state.database.write() as session:
        retention.forget(session, utcnow() + timedelta(days=2000))
    with site.state.database.reading() as session:
        record = privacy.record_of(session, session.get_one(User, ann))

    assert [each["email"] for each in record["former_addresses"]] == [OLD]


def test_the_command_says_who_is_known_under_another_address(
    site: Site, ann: int, tmp_path: Path
) -> None:
    (tmp_path / "list.csv").write_text(LIST + "zoe@example.edu,Zoe,A\n")
    for options in ((), ("--mail",)):
        result = run(
            site.settings.state_dir, "import-roster", "dl-1", str(tmp_path / "list.csv"), *options
        )
        assert f"{OLD} is known under another address: ann, {NEW}" in result.stderr
        assert "2 people are enrolled" in result.stderr
        assert OLD not in result.stdout


def test_the_page_says_who_is_known_under_another_address(posting: Site) -> None:
    ann = posting.person("ann").id
    posting.person("ada", Role.INSTRUCTOR)
    staff = signed_in(app_of(posting), "ada")
    move(posting, ann, NEW)
    page = "/staff/c/dl-1/people/"

    shown = send(staff, f"{page}roster", form=page, roster=LIST)

    assert shown.status_code == 200
    assert "1 person is enrolled." in shown.text
    section = shown.text.partition('id="elsewhere"')[2].partition("</section>")[0]
    for words in ("Known under another address", "Ann of the list", OLD, NEW):
        assert words in section
    assert accounts(posting) == [NEW, "ada@example.edu"]
    assert OLD not in staff.get(page).text
    told = send(staff, f"{page}roster", form=page, roster="email,name\nzoe@example.edu,Zoe\n")
    assert told.status_code == 303
