"""Ways into a course: invitation links, mails, codes, class lists; passwords by mail."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from forms import app_of, forged, send, text_of
from real_mail import Mailbox
from small_site import PASSWORD, Site, make_site

from leaderboard.accounts import accounts
from leaderboard.accounts.links import Links
from leaderboard.db import utcnow, writing
from leaderboard.messages import mail
from leaderboard.models import Course, Enrolment, Invitation, OutgoingMail, Role, User
from leaderboard.teams import class_list, invitations, roster

NEW = {"name": "Noor", "password": "four quiet words here"}


@pytest.fixture
def browser(posting: Site) -> FlaskClient:
    return app_of(posting).test_client()


def invite(site: Site, **options: object) -> str:
    """The path of a new invitation's link."""
    with site.state.database.session() as session:
        course = session.get_one(Course, site.course.id)
        made = invitations.invite(session, course, actor=None, **options)
        return f"/join/{Links(site.settings.secret_key).of_invitation(made)}"


def role_of(site: Site, email: str) -> str | None:
    with site.state.database.reading() as session:
        return session.scalar(
            sa.select(Enrolment.role)
            .join(User, User.id == Enrolment.user_id)
            .where(User.email == email, Enrolment.course_id == site.course.id)
        )


def test_a_mailed_invitation_becomes_an_account_in_the_course(
    posting: Site, mailbox: Mailbox, browser: FlaskClient
) -> None:
    invite(posting, email="Noor@Example.edu")
    assert mail.send_due(posting.state) == 1
    assert mailbox.recipients == ["noor@example.edu"]
    link = mailbox.link("/join/")

    made = send(browser, f"{link}/account", form=link, **NEW)

    assert made.status_code == 303
    assert made.location == "/c/dl-1/"
    assert browser.get("/c/dl-1/").status_code == 200
    assert role_of(posting, "noor@example.edu") == Role.STUDENT
    assert browser.get(link).status_code == 410  # it was for one


def test_whoever_has_an_open_link_must_show_that_the_address_is_theirs(
    posting: Site, mailbox: Mailbox, browser: FlaskClient
) -> None:
    link = invite(posting)

    asked = send(browser, f"{link}/account", form=link, email="noor@example.edu", **NEW)
    assert "Look into your mail" in asked.text
    assert role_of(posting, "noor@example.edu") is None
    mail.send_due(posting.state)
    made = send(browser, mailbox.link("/sign-up/"), **NEW)

    assert made.location == "/c/dl-1/"
    with posting.state.database.reading() as session:
        assert session.scalars(sa.select(User.email_verified_at)).one() is not None


def test_an_open_link_tells_nobody_who_has_an_account(
    posting: Site, mailbox: Mailbox, browser: FlaskClient
) -> None:
    posting.person("ann")
    link = invite(posting)
    replies = [
        send(browser, f"{link}/account", form=link, email=f"{name}@example.edu")
        for name in ("ann", "bob")
    ]
    mail.send_due(posting.state)

    assert text_of(replies[0]).replace("ann@", "bob@") == text_of(replies[1])
    assert ["/password/" in each.get_content() for each in mailbox.messages] == [True, False]


def test_without_mail_an_open_link_makes_an_account_of_an_unconfirmed_address(site: Site) -> None:
    link = invite(site)
    client = app_of(site).test_client()

    made = send(client, f"{link}/account", form=link, email="noor@example.edu", **NEW)

    assert made.location == "/c/dl-1/"
    with site.state.database.reading() as session:
        assert session.scalars(sa.select(User.email_verified_at)).one() is None

    other = app_of(site).test_client()
    twice = send(other, f"{link}/account", form=link, email="noor@example.edu", **NEW)
    way_in = re.search(r'href="(/sign-in\?next=[^"]+)"', twice.text)
    assert "There is an account" in twice.text
    assert way_in is not None
    assert way_in[1].endswith(quote(link, safe="/"))


def test_a_person_joins_a_second_course_in_another_role(site: Site) -> None:
    site.person("ann", Role.ASSISTANT)
    client = app_of(site).test_client()
    link = invite(site)
    with site.state.database.session() as session:
        from leaderboard.accounts import courses

        other = courses.create_course(session, code="cv-1", title="Vision")
        made = invitations.invite(session, other, role=Role.STUDENT, actor=None)
        other_link = f"/join/{Links(site.settings.secret_key).of_invitation(made)}"
    send(client, "/sign-in", email="ann@example.edu", password=PASSWORD)

    assert send(client, link).location == "/c/dl-1/"
    assert send(client, other_link).location == "/c/cv-1/"
    assert role_of(site, "ann@example.edu") == Role.ASSISTANT  # a student's link takes nothing away
    assert client.get("/staff/c/dl-1/").status_code == 200
    assert client.get("/staff/c/cv-1/").status_code == 404


def test_an_invitation_ends_by_time_by_revocation_and_cannot_be_forged(site: Site) -> None:
    client = app_of(site).test_client()
    late = invite(site, lasts=timedelta(seconds=-1))
    revoked = invite(site)
    with site.state.database.session() as session:
        newest = session.scalars(sa.select(Invitation).order_by(Invitation.id.desc())).first()
        with writing(session):
            newest.revoked_at = utcnow()

    for path in (late, revoked, forged(invite(site)), "/join/" + "1." + "x" * 27):
        assert client.get(path).status_code == 410, path


def test_an_invitation_to_one_mailbox_is_no_ones_elses(posting: Site, browser: FlaskClient) -> None:
    posting.person("ann")
    link = invite(posting, email="noor@example.edu", role=Role.INSTRUCTOR)
    send(browser, "/sign-in", email="ann@example.edu", password=PASSWORD)

    refused = send(browser, link)

    assert refused.status_code == 410
    assert "another e-mail address" in refused.text
    assert role_of(posting, "ann@example.edu") == Role.STUDENT


def test_a_course_is_joined_by_its_code_and_wrong_codes_run_out(site: Site) -> None:
    site.person("ann")
    client = app_of(site).test_client()
    with site.state.database.session() as session:
        code = invitations.renew_code(session, session.get_one(Course, site.course.id), actor=None)

    found = send(client, "/join", code=f"{code[:4].upper()} {code[4:]}")
    assert found.status_code == 303
    assert "Deep Learning" in client.get(found.location).text
    statuses = [send(client, "/join", code="zzzzzzzz").status_code for _ in range(31)]
    assert statuses == [404] * 30 + [429]
    assert int(send(client, "/join", code=code).headers["Retry-After"]) <= 3601


def test_a_class_list_makes_accounts_that_choose_their_password_by_mail(
    posting: Site, mailbox: Mailbox, browser: FlaskClient
) -> None:
    entries = class_list.read("email,name,section\nlin@example.edu,Lin Mei,A\n").entries
    for _ in range(2):
        with posting.state.database.session() as session:
            course = session.get_one(Course, posting.course.id)
            roster.enrol_by_mail(session, course, entries, actor=None)
    assert mail.send_due(posting.state) == 1

    chosen = send(browser, mailbox.link("/password/"), password=NEW["password"])

    assert chosen.status_code == 303
    assert "Deep Learning" in browser.get("/").text


def test_a_reset_link_works_once_and_signs_every_device_out(
    posting: Site, mailbox: Mailbox, browser: FlaskClient
) -> None:
    posting.person("ann")
    elsewhere = app_of(posting).test_client()
    send(elsewhere, "/sign-in", email="ann@example.edu", password=PASSWORD)
    send(browser, "/password", email="ann@example.edu")
    mail.send_due(posting.state)
    link = mailbox.link("/password/")

    assert send(browser, link, password="short").status_code == 400
    assert send(browser, link, password=NEW["password"]).location == "/"
    assert browser.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 303
    assert browser.get(link).status_code == 410


def test_a_reset_link_dies_with_time(site: Site) -> None:
    ann = site.person("ann")
    links = Links(site.settings.secret_key)
    with site.state.database.reading() as session:
        user = session.get_one(User, ann.id)
        good = links.of_password(user, timedelta(hours=1))
        late = links.of_password(user, timedelta(seconds=-1))
    client = app_of(site).test_client()

    assert client.get(f"/password/{good}").status_code == 200
    assert client.get(f"/password/{late}").status_code == 410


def test_a_reset_says_and_writes_the_same_whether_or_not_there_is_an_account(
    posting: Site, mailbox: Mailbox, browser: FlaskClient
) -> None:
    posting.person("ann")
    pages, rows = [], []
    for name in ("ann", "bob"):
        with posting.state.database.reading() as session:
            before = session.scalar(sa.select(sa.func.count()).select_from(OutgoingMail))
        pages.append(send(browser, "/password", email=f"{name}@example.edu"))
        with posting.state.database.reading() as session:
            count = session.scalar(sa.select(sa.func.count()).select_from(OutgoingMail))
            rows.append(count - before)
    mail.send_due(posting.state)

    assert pages[0].status_code == pages[1].status_code == 200
    assert text_of(pages[0]).replace("ann@", "bob@") == text_of(pages[1])
    assert rows == [1, 1]
    assert mailbox.recipients == ["ann@example.edu"]


def test_resets_run_out_by_account_whether_or_not_there_is_one(
    posting: Site, browser: FlaskClient
) -> None:
    posting.person("ann")
    for email in ("ann@example.edu", "bob@example.edu"):
        statuses = [send(browser, "/password", email=email).status_code for _ in range(6)]
        assert statuses == [200] * 5 + [429]


def test_the_host_of_a_request_never_gets_into_a_mail(posting: Site, mailbox: Mailbox) -> None:
    posting.person("ann")
    client = app_of(posting).test_client()
    page = client.get("/password", headers={"Host": "evil.example"})
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    client.post(
        "/password",
        data={"email": "ann@example.edu", "csrf_token": token[1]},
        headers={"Host": "evil.example"},
    )
    mail.send_due(posting.state)

    assert "evil.example" not in mailbox.messages[-1].as_string()


def test_a_new_password_rotates_the_session_and_needs_the_old_one(site: Site) -> None:
    site.person("ann")
    client, other = app_of(site).test_client(), app_of(site).test_client()
    for each in (client, other):
        send(each, "/sign-in", email="ann@example.edu", password=PASSWORD)
    before = client.get_cookie("leaderboard").value

    wrong = send(client, "/account/password", form="/account", old="guess", new=NEW["password"])
    right = send(client, "/account/password", form="/account", old=PASSWORD, new=NEW["password"])

    assert wrong.status_code == 403
    assert right.status_code == 303
    assert client.get_cookie("leaderboard").value != before
    assert client.get("/account").status_code == 200
    assert other.get("/account").status_code == 303
    client.set_cookie("leaderboard", before)  # what somebody may have copied
    assert client.get("/account").status_code == 303


def test_devices_are_listed_and_signed_out_one_by_one_or_all(site: Site) -> None:
    site.person("ann")
    client, phone = app_of(site).test_client(), app_of(site).test_client()
    phone.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 18) Safari/605.1"
    for each in (client, phone):
        send(each, "/sign-in", email="ann@example.edu", password=PASSWORD)
    page = client.get("/account").text
    assert "Safari, iPhone" in page

    action = re.search(r'action="(/account/devices/\d+/sign-out)"', page)
    send(client, action[1], form="/account")
    assert phone.get("/account").status_code == 303
    assert client.get("/account").status_code == 200
    send(client, "/account/devices/sign-out", form="/account")
    assert client.get("/account").status_code == 303


def test_the_account_keeps_the_language_for_every_browser(site: Site) -> None:
    site.person("ann")
    client, other = app_of(site).test_client(), app_of(site).test_client()
    send(client, "/sign-in", email="ann@example.edu", password=PASSWORD)
    send(client, "/account", language="zh", time_zone="Asia/Tokyo")

    send(other, "/sign-in", email="ann@example.edu", password=PASSWORD)
    page = other.get("/", headers={"Accept-Language": "en"}).text

    assert 'lang="zh-Hans"' in page
    assert 'data-own-zone="Asia/Tokyo"' in page


def test_a_flood_of_requests_is_told_to_wait(tmp_path: Path, assignment_folder: Path) -> None:
    site = make_site(tmp_path, assignment_folder, api_requests_per_minute="5")
    site.person("ann")
    ann, bob = site.token("ann"), site.token("bob")
    client = app_of(site).test_client()

    def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return client.get("/api/v1/me", headers=headers).status_code

    assert [status(ann) for _ in range(6)] == [200] * 5 + [429]
    assert status(bob) == 200  # one's flood is not another's
    refused = client.get("/api/v1/me", headers={"Authorization": f"Bearer {ann}"})
    # till a fifth of the next minute has passed: then these five count four
    assert 1 <= int(refused.headers["Retry-After"]) <= 72
    assert refused.json["code"] == "too_many_requests"
    site.state.close()


def test_an_account_without_a_password_is_entered_by_none(site: Site) -> None:
    with site.state.database.session() as session:
        accounts.create_user(session, email="sso@example.edu", name="S", password=None)
    client = app_of(site).test_client()

    for password in ("", "anything"):
        refused = send(client, "/sign-in", email="sso@example.edu", password=password)
        assert refused.status_code == 401
