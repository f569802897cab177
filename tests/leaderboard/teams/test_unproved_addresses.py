"""Whoever types another person's address into a new account gets nothing that is theirs."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from forms import app_of, send
from small_site import PASSWORD, Site

from leaderboard.accounts import accounts
from leaderboard.cli import main
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, TooManyRequests
from leaderboard.messages import mail
from leaderboard.models import Course, Enrolment, Role, User
from leaderboard.teams import class_list, proofs, roster

LIST = "email,name,role\nnew-ta@example.edu,New Tutor,assistant\nmei@example.edu,Mei,student\n"


def squat(site: Site, email: str = "new-ta@example.edu") -> None:
    with site.state.database.session() as session:
        accounts.create_user(session, email=email, name="T", password=PASSWORD, is_verified=False)


def role_of(site: Site, email: str = "new-ta@example.edu") -> Role | None:
    with site.state.database.reading() as session:
        course = Enrolment.course_id == site.course.id
        return session.scalar(
            sa.select(Enrolment.role).join(Enrolment.user).where(User.email == email, course)
        )


def code(site: Site, email: str = "new-ta@example.edu") -> str:
    with site.state.database.reading() as session:
        user = accounts.user_of_email(session, email)
        return proofs.code_of(site.settings.secret_key, user)


def enrol_list(site: Site) -> list[roster.Listed]:
    with site.state.database.session() as session:
        entries = class_list.read(LIST).entries
        return list(roster.enrol_all(session, session.get_one(Course, site.course.id), entries))


def test_a_class_list_gives_an_unproved_account_no_role_and_names_it(site: Site) -> None:
    squat(site)

    listed = enrol_list(site)

    assert [(each.entry.email, each.is_unproved) for each in listed] == [
        ("new-ta@example.edu", True),
        ("mei@example.edu", False),
    ]
    assert (role_of(site), role_of(site, "mei@example.edu")) == (None, Role.STUDENT)


def test_an_owner_proves_the_address_by_the_code_that_staff_hand_out(site: Site) -> None:
    squat(site)
    squat(site, "other@example.edu")
    owner = app_of(site).test_client()
    send(owner, "/sign-in", email="new-ta@example.edu", password=PASSWORD)
    path = "/account/address-code"

    wrong = send(owner, path, form="/account", code=code(site, "other@example.edu"))
    assert (wrong.status_code, "not the code" in wrong.text) == (400, True)
    assert "Code from the teaching team" in owner.get("/account").text
    assert send(owner, path, form="/account", code=f" {code(site).upper()} ").status_code == 303
    assert "Code from the teaching team" not in owner.get("/account").text
    assert not any(each.is_unproved for each in enrol_list(site))
    assert role_of(site) is Role.ASSISTANT


def test_codes_cannot_be_guessed(site: Site) -> None:
    squat(site)
    with site.state.database.session() as session:
        user, now = accounts.user_of_email(session, "new-ta@example.edu"), utcnow()
        for _ in range(10):
            with pytest.raises(BadRequest):
                proofs.prove(session, site.settings.secret_key, user, "abcde-fghjk", now)
        with pytest.raises(TooManyRequests):
            proofs.prove(session, site.settings.secret_key, user, code(site), now)


def test_staff_see_unproved_accounts_on_the_page_and_confirm_them(posting: Site) -> None:
    squat(posting)
    posting.person("ada", Role.INSTRUCTOR)
    staff = app_of(posting).test_client()
    send(staff, "/sign-in", email="ada@example.edu", password=PASSWORD)
    people = "/staff/c/dl-1/people/"

    page = send(staff, f"{people}roster", form=people, roster=LIST)

    assert "Not enrolled: address not proved" in page.text
    assert code(posting) in page.text
    assert role_of(posting) is None
    assert mail.send_due(posting.state) == 2  # the owner of the address has a way in, too
    fields = {"email": "new-ta@example.edu", "role": "assistant"}
    assert send(staff, f"{people}confirm", form=people, **fields).status_code == 303
    assert role_of(posting) is Role.ASSISTANT


def test_the_commands_refuse_confirm_and_print_the_code(site: Site) -> None:
    squat(site)

    def run(*words: str) -> tuple[int, str]:
        arguments = ["--state", str(site.settings.state_dir), *words]
        done = CliRunner().invoke(main, arguments)
        return done.exit_code, done.output

    enrol = ("enrol", "dl-1", "new-ta@example.edu", "--role", "assistant")
    status, said = run(*enrol)
    assert status != 0
    assert "has not proved its address" in said
    assert run("address-code", "new-ta@example.edu") == (0, code(site) + "\n")
    assert run("confirm-address", "new-ta@example.edu")[0] == 0
    assert run(*enrol)[0] == 0
    assert role_of(site) is Role.ASSISTANT
