"""The button of single sign-on, pressed in a browser, with a real provider on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import exhibition
import pytest
from exhibition import Exhibition
from playwright.sync_api import Page, expect

PROGRAM = Path(__file__).parents[1] / "leaderboard" / "sign_on_provider.py"
ANN = {"ann@example.edu": "Team Ann"}  # whom the provider knows as `ann`
STYLES = "https://cdn.jsdelivr.net/**"  # of the provider's page
BUTTON = {"en": "Sign in with Example University", "zh": "通过 Example University 登录"}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    command = [sys.executable, "-W", "ignore", str(PROGRAM)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, provider: str) -> Iterator[Exhibition]:
    """A server that trusts the provider; takes the place of the one that the others share."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LEADERBOARD_OIDC_ISSUER", provider)
        environment.setenv("LEADERBOARD_OIDC_CLIENT_ID", "leaderboard")
        environment.setenv("LEADERBOARD_OIDC_CLIENT_SECRET", "between us")
        environment.setenv("LEADERBOARD_OIDC_NAME", "Example University")
        folder = tmp_path_factory.mktemp("signing")
        with exhibition.open_exhibition(folder, (), ANN) as running:
            yield running


def sign_on(page: Page, sub: str, language: str = "en") -> None:
    """Press the button, and sign in at the provider as one of its people."""
    page.route(STYLES, lambda route: route.fulfill(body="", content_type="text/css"))
    page.get_by_role("link", name=BUTTON[language]).click()
    page.locator("input[name=sub]").fill(sub)
    page.locator("button[type=submit], input[type=submit]").first.click()


def forgive(visitor, provider: str) -> None:
    """The provider's own pages are another host, and meant to be; so are their styles."""
    theirs = (provider, STYLES.strip("*"))
    visitor.faults[:] = [
        fault for fault in visitor.faults if not any(host in fault for host in theirs)
    ]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_the_button_leads_through_the_provider_back_to_the_page_that_was_wanted(
    visit, server, provider, scripts
):
    visitor = visit(java_script_enabled=scripts)
    page = visitor.open()  # the assignment, which wants a sign-in
    sign_on(page, "ann")

    page.wait_for_url(server.assignment_url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Handwritten digits")
    visitor.open("/account")
    expect(page.locator("main .title").first).to_contain_text("ann@example.edu")
    forgive(visitor, provider)


def test_whom_the_provider_does_not_vouch_for_is_refused_in_their_language(visit, server, provider):
    visitor = visit(locale="zh-CN")
    page = visitor.open("/sign-in")
    sign_on(page, "impostor", "zh")

    expect(page.locator("main")).to_contain_text("登录服务")
    visitor.open("/account")
    page.wait_for_url("**/sign-in**")
    # the refusal is a page with status 401, which the browser notes
    visitor.faults[:] = [fault for fault in visitor.faults if "401" not in fault]
    forgive(visitor, provider)


def test_a_new_person_gets_an_account_without_a_password(visit, server, provider):
    visitor = visit()
    page = visitor.open("/sign-in")
    sign_on(page, "new")

    page.wait_for_url(f"{server.url}/")
    visitor.open("/account")
    expect(page.locator("section[aria-labelledby=address-title]")).to_contain_text(
        "choose a password by mail first"
    )
    forgive(visitor, provider)
