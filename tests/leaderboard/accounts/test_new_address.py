"""A user changes their own e-mail address, by a link mailed to the new one."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from forms import app_of, send, text_of
from real_mail import Mailbox
from signing_in import signed_in
from small_site import PASSWORD, Api, Site

from leaderboard.accounts import accounts, identities, new_account
from leaderboard.messages import mail
from leaderboard.models import AuditEvent, OutgoingMail, User

FORM, NEW = "/account/email", "ann@new.example"


@pytest.fixture
def ann(posting: Site) -> FlaskClient:
    posting.person("ann")
    return signed_in(app_of(posting), "ann")


def ask(client: FlaskClient, email: str = NEW, password: str = PASSWORD):
    return send(client, FORM, form="/account", email=email, password=password)


def link_for(site: Site, mailbox: Mailbox, client: FlaskClient, email: str = NEW) -> str:
    assert ask(client, email).status_code == 200
    assert mail.send_due(site.state) == 1
    return mailbox.link("/account/email/")


def address_of(site: Site, user_id: int) -> str:
    with site.state.database.reading() as session:
        return session.get_one(User, user_id).email


def test_the_link_goes_to_the_new_address_and_a_notice_to_the_old(
    posting: Site, mailbox: Mailbox, ann: FlaskClient
) -> None:
    link = link_for(posting, mailbox, ann)
    assert mailbox.recipients == [NEW]

    confirm = ann.get(link)
    assert NEW in confirm.text
    assert address_of(posting, posting.person("ann").id) == "ann@example.edu"  # not yet
    changed = send(ann, link)

    assert changed.location == "/account"
    assert NEW in ann.get("/account").text
    assert mail.send_due(posting.state) == 1
    assert mailbox.recipients[1:] == ["ann@example.edu"]
    notice = mailbox.messages[-1].get_content()
    assert "another address" in notice
    assert NEW not in notice
    with posting.state.database.reading() as session:
        event = session.scalars(sa.select(AuditEvent).filter_by(action="user.email")).one()
        assert event.actor_user_id == posting.person("ann").id
        assert set(event.details) == {"rows"}  # hashes: the chain holds no addresses
        assert set(session.scalars(sa.select(OutgoingMail.address))) == {None}


def test_the_link_works_once_even_if_the_address_comes_back(
    posting: Site, mailbox: Mailbox, ann: FlaskClient
) -> None:
    first = link_for(posting, mailbox, ann)
    send(ann, first)
    assert ann.get(first).status_code == 410
    mail.send_due(posting.state)
    send(ann, link_for(posting, mailbox, ann, "ann@example.edu"))
    assert address_of(posting, posting.person("ann").id) == "ann@example.edu"

    assert ann.get(first).status_code == 410


def test_other_devices_are_signed_out_and_tokens_go_on(
    posting: Site, mailbox: Mailbox, ann: FlaskClient
) -> None:
    other, token = signed_in(app_of(posting), "ann"), posting.token("ann")

    send(ann, link_for(posting, mailbox, ann))

    assert ann.get("/account").status_code == 200
    assert other.get("/account").status_code == 303
    api = Api(client=app_of(posting).test_client(), token=token)
    assert api.get("/me").json["email"] == NEW


def test_the_password_is_asked_again_and_wrong_ones_run_out(
    posting: Site, ann: FlaskClient
) -> None:
    refused = [ask(ann, password="guess").status_code for _ in range(11)]

    assert refused == [403] * 10 + [429]
    with posting.state.database.reading() as session:
        assert session.scalars(sa.select(OutgoingMail.id)).all() == []


def test_whether_the_address_has_an_account_is_told_to_its_mailbox_alone(
    posting: Site, mailbox: Mailbox, ann: FlaskClient
) -> None:
    posting.person("bob")
    free, taken = ask(ann, NEW), ask(ann, "Bob@example.edu")

    assert taken.status_code == free.status_code == 200
    assert text_of(taken).replace("bob@example.edu", NEW) == text_of(free)
    mail.send_due(posting.state)
    told = dict(zip(mailbox.recipients, mailbox.messages, strict=True))
    assert "has an account already" in told["bob@example.edu"]["Subject"]
    assert "/account/email/" not in told["bob@example.edu"].get_content()
    assert "Confirm" in told[NEW]["Subject"]


def test_of_two_who_want_one_address_the_first_to_follow_the_link_has_it(
    posting: Site, mailbox: Mailbox, ann: FlaskClient
) -> None:
    posting.person("bob")
    bob = signed_in(app_of(posting), "bob")
    anns = link_for(posting, mailbox, ann)
    bobs = link_for(posting, mailbox, bob)
    assert send(ann, anns).status_code == 303

    refused = send(bob, bobs)

    assert refused.status_code == 410
    assert address_of(posting, posting.person("bob").id) == "bob@example.edu"


def test_a_link_is_of_use_to_nobody_else(posting: Site, mailbox: Mailbox, ann: FlaskClient) -> None:
    link = link_for(posting, mailbox, ann)
    posting.person("bob")
    bob = signed_in(app_of(posting), "bob")

    assert bob.get(link).status_code == 404
    anonymous = app_of(posting).test_client().get(link)
    assert anonymous.location.startswith("/sign-in?next=")
    # not its last letter, of which some bits mean nothing
    assert ann.get(link.replace("/email/", "/email/x")).status_code == 410


def test_a_new_password_ends_links_to_a_new_address(
    posting: Site, mailbox: Mailbox, ann: FlaskClient
) -> None:
    link = link_for(posting, mailbox, ann)
    with posting.state.database.session() as session:
        user = session.get_one(User, posting.person("ann").id)
        accounts.set_password(session, user, "another quiet password")

    client = app_of(posting).test_client()
    page = client.get("/sign-in").text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    fields = {"email": "ann@example.edu", "password": "another quiet password"}
    assert client.post("/sign-in", data={**fields, "csrf_token": token}).status_code == 303
    assert client.get(link).status_code == 410


def test_requests_run_out(posting: Site, ann: FlaskClient) -> None:
    asked = [ask(ann, f"ann{number}@new.example").status_code for number in range(6)]

    assert asked == [200] * 5 + [429]


@pytest.mark.parametrize(
    ("email", "said"),
    [("ann@example.edu", "address of your account already"), ("nowhere", "is no e-mail address")],
)
def test_an_address_that_cannot_be_meant_is_refused(
    ann: FlaskClient, email: str, said: str
) -> None:
    refused = ask(ann, email)

    assert refused.status_code == 400
    assert said in refused.text


def test_an_account_of_single_sign_on_chooses_a_password_first_and_stays_linked(
    posting: Site, mailbox: Mailbox
) -> None:
    def enter(session):
        return identities.user_of_identity(
            session,
            issuer="https://sso.example.edu",
            subject="7",
            email="sue@example.edu",
            is_verified=True,
            name="Sue",
        )

    with posting.state.database.session() as session:
        sue = enter(session).id
        accounts.set_password(session, session.get_one(User, sue), PASSWORD)
    client = signed_in(app_of(posting), "sue")
    send(client, link_for(posting, mailbox, client, "sue@new.example"))

    with posting.state.database.session() as session:
        assert enter(session).id == sue
        assert session.get_one(User, sue).email == "sue@new.example"


def test_without_a_password_the_page_says_what_comes_first(posting: Site, ann: FlaskClient) -> None:
    with posting.state.database.write() as session:
        session.get_one(User, posting.person("ann").id).password_hash = new_account.NO_PASSWORD

    page = ann.get("/account").text

    assert "choose a password by mail first" in page
    assert FORM not in page


def test_without_mail_no_address_is_changed(site: Site) -> None:
    site.person("ann")
    client = signed_in(app_of(site), "ann")

    assert "sends no mail" in client.get("/account").text
    assert ask(client).status_code == 404


def test_letters_of_addresses_are_written_in_chinese_too(
    posting: Site, mailbox: Mailbox, ann: FlaskClient
) -> None:
    with posting.state.database.write() as session:
        session.get_one(User, posting.person("ann").id).locale = "zh"
    send(ann, link_for(posting, mailbox, ann))
    mail.send_due(posting.state)

    for message in mailbox.messages:
        assert "\u4e00" <= message["Subject"][0] <= "\u9fff"
    assert len(mailbox.messages) == 2
