"""A real server (web, worker, SQLite, scikit-learn's digits) and a real browser."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from needs import missing
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

sys.path.insert(0, str(Path(__file__).parent))

import browser as chromium
import exhibition
from exhibition import Entry, Exhibition

PATIENCE_MS = 60_000  # on a busy machine; what is there at once is not waited for
NEW_PASSWORD = "four quiet words here"
GUESTS = {
    f"{name}@example.org": f"Team {name.title()}"
    for name in ("wang", "kofi", "lena", "omar", "priya", "sofia", "tariq", "yusuf")
}
ENTRIES = (
    *exhibition.BASELINES,
    Entry(team="gradient gang", email="t01@example.org", model="svm"),
    Entry(
        team=exhibition.HOSTILE,
        email="t02@example.org",
        model="ridge",
        train_on=800,
        message=exhibition.HOSTILE,
    ),
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exhibition]:
    """One server for all tests: each uses a team of its own."""
    folder = tmp_path_factory.mktemp("server")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LEADERBOARD_WEB_STREAMS", "24")  # few, so that a test can take all
        with exhibition.open_exhibition(folder, ENTRIES, GUESTS) as running:
            yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without it the tests are skipped, but not where a machine judges the work."""
    if chromium.chromium() is None:
        missing("Chromium is not installed: apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with chromium.open_browser() as running:
        yield running


class Visitor:
    """A browser window of one person that notes whatever no page may do."""

    def __init__(self, context: BrowserContext, server: Exhibition) -> None:
        self.page: Page = context.new_page()
        self.server = server
        self.faults: list[str] = []
        context.on("request", self._see_request)
        self.page.on("console", lambda message: self._see(message.type, message.text))
        self.page.on("pageerror", lambda error: self._see("error", str(error)))

    def open(self, path: str = "") -> Page:
        """Go to a page of the assignment, or to any path that starts with a slash."""
        base = self.server.url if path.startswith("/") else self.server.assignment_url
        self.page.goto(base + path)
        return self.page

    def sign_in(self, email: str) -> None:
        chromium.sign_in(self.page, self.server.url, email, exhibition.PASSWORD)

    def choose(
        self, content: bytes, name: str = "predictions.csv", *, declare: bool = True
    ) -> None:
        """Pick a file in the form, read what the page finds in it, and tick the declaration."""
        self.page.wait_for_load_state("load")
        self.page.locator("input[type=file]").set_input_files(
            {"name": name, "mimeType": "text/csv", "buffer": content}
        )
        # until then what is below still moves down, away from under the pointer
        expect(self.page.locator("[data-facts] [aria-busy=true]")).to_have_count(0)
        if declare:
            self.declare()

    def declare(self) -> None:
        """Tick what the assignment wants to be declared."""
        self.page.locator("input[name=declared]").check()

    def make_account(self, link: str, name: str) -> None:
        """Follow a mailed link, give a name and a password."""
        self.page.goto(link)
        self.page.locator("#name").fill(name)
        self.page.locator("#password").fill(NEW_PASSWORD)
        self.check_width()
        self.page.locator("main form button").first.click()
        self.page.wait_for_url("**/c/**")

    def check_width(self) -> None:
        """Fail where a phone would have to scroll sideways."""
        if self.page.viewport_size["width"] < 400:
            assert self.overflow() <= 0, self.page.url

    def overflow(self) -> int:
        """How many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def _see_request(self, request: Request) -> None:
        if not request.url.startswith((self.server.url, "data:", "blob:")):
            self.faults.append(f"asked another host: {request.url}")

    def _see(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.faults.append(f"console: {text}")


Visit = Callable[..., Any]


@pytest.fixture
def visit(browser: Browser, server: Exhibition) -> Iterator[Visit]:
    """Open windows; at the end, none may have asked another host or logged an error."""
    visitors: list[tuple[Visitor, BrowserContext]] = []

    def open_window(email: str | None = None, **options: Any) -> Visitor:
        context = browser.new_context(**{"locale": "en-GB", **options})
        context.set_default_timeout(PATIENCE_MS)
        visitor = Visitor(context, server)
        visitors.append((visitor, context))
        if email is not None:
            visitor.sign_in(email)
        return visitor

    yield open_window
    faults = [fault for visitor, _ in visitors for fault in visitor.faults]
    for _, context in visitors:
        context.close()
    assert faults == []


@pytest.fixture
def right_csv(server: Exhibition) -> bytes:
    """Predictions of a model that knows something."""
    labels = exhibition.predict(server.digits, "neighbours", 900)
    return exhibition.prediction_csv(server.digits, labels)


@pytest.fixture
def wrong_csv(right_csv: bytes) -> bytes:
    """The same with an id missing, another doubled in its place, and a label written as float."""
    return exhibition.spoil(right_csv)
