"""Single sign-on against a real OpenID Connect provider on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from small_site import Site, make_site

from leaderboard import create_app
from leaderboard.accounts import accounts as service
from leaderboard.models import Identity, User


@contextmanager
def provider(*options: str) -> Iterator[str]:
    program = Path(__file__).parents[1] / "sign_on_provider.py"
    command = [sys.executable, "-W", "ignore", str(program), *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextmanager
def opened(folder: Path, assignment: Path, issuer: str) -> Iterator[Site]:
    site = make_site(
        folder,
        assignment,
        oidc_issuer=issuer,
        oidc_client_id="leaderboard",
        oidc_client_secret="between us",
        oidc_name="Example University",
    )
    yield site
    site.state.close()


@pytest.fixture
def signing(tmp_path: Path, assignment_folder: Path) -> Iterator[Site]:
    with provider() as issuer, opened(tmp_path, assignment_folder, issuer) as site:
        yield site


@pytest.fixture
def browser(signing: Site) -> FlaskClient:
    return client_of(signing)


def client_of(site: Site) -> FlaskClient:
    app = create_app(state=site.state)
    app.testing = True
    return app.test_client()


def to_provider(browser: FlaskClient, path: str = "/sign-in/sso") -> str:
    reply = browser.get(path)
    assert reply.status_code == 302
    return reply.location


def back(address: str, sub: str) -> str:
    """Sign in at the provider; the path it sends the browser back to."""
    answer = httpx.post(address, data={"sub": sub}, trust_env=False)
    assert answer.status_code == 302, answer.text
    parts = urlsplit(answer.headers["location"])
    return f"{parts.path}?{parts.query}"


def sign_in(browser: FlaskClient, sub: str):
    return browser.get(back(to_provider(browser), sub))


def accounts(site: Site) -> list[str]:
    with site.state.database.reading() as session:
        return list(session.scalars(sa.select(User.email).order_by(User.email)))


def test_the_sign_in_page_offers_it(browser: FlaskClient) -> None:
    assert "Sign in with Example University" in browser.get("/sign-in").text


def test_a_person_of_the_class_list_enters_the_account_that_staff_made(
    signing: Site, browser: FlaskClient
) -> None:
    signing.person("ann")

    assert sign_in(browser, "ann").location == "/"
    assert "Deep Learning" in browser.get("/").text
    assert accounts(signing) == ["ann@example.edu"]


def test_a_new_person_gets_an_account_and_the_same_one_next_time(
    signing: Site, browser: FlaskClient
) -> None:
    for _ in range(2):
        assert sign_in(browser, "new").status_code == 303
        browser.delete_cookie("leaderboard")

    assert accounts(signing) == ["new@example.edu"]
    with signing.state.database.reading() as session:
        assert session.scalars(sa.select(Identity.subject)).all() == ["new"]


@pytest.mark.parametrize("sub", ["impostor", "word", "silent"])
def test_an_address_that_the_provider_does_not_vouch_for_opens_nothing(
    signing: Site, browser: FlaskClient, sub: str
) -> None:
    signing.person("ann")

    refused = sign_in(browser, sub)

    assert refused.status_code == 401
    assert browser.get("/account").status_code == 303
    with signing.state.database.reading() as session:
        assert session.scalars(sa.select(Identity)).all() == []


def test_an_account_somebody_opened_with_anothers_address_is_not_entered(
    signing: Site, browser: FlaskClient
) -> None:
    """Else its maker, who still knows the password, would share it with the address's owner."""
    with signing.state.database.session() as session:
        service.create_user(
            session,
            email="ann@example.edu",
            name="Not Ann",
            password="known to the attacker",
            is_verified=False,
        )

    refused = sign_in(browser, "ann")

    assert refused.status_code == 401
    assert "never confirmed" in refused.text


def test_an_answer_without_this_browsers_state_is_refused(
    signing: Site, browser: FlaskClient
) -> None:
    path = back(to_provider(browser), "ann")
    stranger = browser.application.test_client()

    assert stranger.get(path).status_code == 401  # somebody else's answer, sent as a link
    forged = path.replace("state=", "state=x")
    assert browser.get(forged).status_code == 401


@pytest.mark.parametrize("options", [(), ("--no-proof",)], ids=["by its proof key", "by its nonce"])
def test_an_answer_made_for_another_sign_in_is_refused(
    tmp_path: Path, assignment_folder: Path, options: tuple[str, ...]
) -> None:
    """The code of one sign-in under the state of another."""
    with provider(*options) as issuer, opened(tmp_path, assignment_folder, issuer) as site:
        browser = client_of(site)
        first, second = to_provider(browser), to_provider(browser)
        stolen = parse_qs(urlsplit(back(first, "ann")).query)["code"][0]
        state = parse_qs(urlsplit(second).query)["state"][0]
        answer = urlencode({"code": stolen, "state": state})

        mixed = browser.get(f"/sign-in/sso/callback?{answer}")

        assert mixed.status_code == 401
        assert browser.get("/account").status_code == 303


def test_a_person_who_declines_is_told_so_and_stays_out(
    signing: Site, browser: FlaskClient
) -> None:
    answer = httpx.post(to_provider(browser), data={"action": "deny"}, trust_env=False)
    parts = urlsplit(answer.headers["location"])

    assert browser.get(f"{parts.path}?{parts.query}").status_code == 401


def test_it_never_leads_to_another_host(signing: Site, browser: FlaskClient) -> None:
    address = to_provider(browser, "/sign-in/sso?next=//evil.example")

    assert browser.get(back(address, "new")).location == "/"


def test_a_provider_that_is_away_is_said_to_be(tmp_path: Path, assignment_folder: Path) -> None:
    site = make_site(
        tmp_path,
        assignment_folder,
        oidc_issuer="http://127.0.0.1:9",
        oidc_client_id="x",
        oidc_client_secret="x",
    )
    client = create_app(state=site.state).test_client()

    assert client.get("/sign-in/sso").status_code == 503
    site.state.close()
