"""Chromium, as the browser tests and the screenshots use it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = (
    "--no-sandbox",  # tests and builds run as root in containers, where its sandbox can't start
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium; the caller has made sure that there is one."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        yield browser
        browser.close()


def transfers(page: Page) -> dict[str, int]:
    """The bytes that each address costs from now on, headers included, as Chromium counts them on
    the wire; filled as the page loads. Nothing comes from the browser's store."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    asked: dict[str, str] = {}
    sizes: dict[str, int] = {}

    def see(event: dict[str, Any]) -> None:
        asked[event["requestId"]] = event["request"]["url"]

    def count(event: dict[str, Any]) -> None:
        if event["requestId"] in asked:
            sizes[asked[event["requestId"]]] = int(event["encodedDataLength"])

    session.on("Network.requestWillBeSent", see)
    session.on("Network.loadingFinished", count)
    return sizes


def sign_in(page: Page, url: str, email: str, password: str) -> None:
    """Sign in by the page."""
    page.goto(f"{url}/sign-in")
    page.get_by_label("E-mail").or_(page.get_by_label("电子邮件")).fill(email)
    page.locator("input[name=password]").fill(password)
    page.locator("main form button").click()
    page.wait_for_url(f"{url}/")
