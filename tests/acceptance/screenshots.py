"""Photograph every page, light and dark, wide and on a phone: `screenshots.py [URL]`.

Without an address it starts a server with a small class of its own. With one, that server must hold
the course of the exhibition; a deployment of your own has other accounts.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import exhibition
from browser import chromium, open_browser, sign_in
from playwright.sync_api import Browser, FilePayload, StorageState

OUT = Path("build/screenshots")
SIZES = {"wide": (1280, 900), "phone": (390, 844)}
THEMES = ("light", "dark")
_WRONG = b"id,label\nd10001,3\nd10001,3.0\nd10002\nd10003,eleven\n"


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A page to photograph: who looks (None: nobody), where, what file is chosen there first, and
    whether it is handed in."""

    name: str
    path: str
    who: str | None = exhibition.STUDENT
    language: str = "en-GB"
    upload: bytes | None = None
    is_sent: bool = False


def main() -> int:
    """Make the pictures; return an exit code."""
    if chromium() is None:
        print("Chromium is not installed: apt-get install chromium", file=sys.stderr)
        return 2
    if len(sys.argv) > 1:
        _photograph(sys.argv[1].rstrip("/"))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        print("Starting a server and handing in for 12 teams …", file=sys.stderr)
        with exhibition.open_exhibition(Path(folder), exhibition.CLASSROOM) as server:
            _photograph(server.url, server)
    return 0


def _photograph(url: str, server: exhibition.Exhibition | None = None) -> None:
    """Photograph every page; what mails lead to and what a release shows, on a server of ours."""
    OUT.mkdir(parents=True, exist_ok=True)
    with open_browser() as browser:
        shots = list(_shots(browser, url))
        if server is not None:
            shots += _mailed(browser, server)
        _take_all(browser, url, shots)
        if server is not None:
            server.release()
            _take_all(browser, url, list(_released(browser, url)))


def _take_all(browser: Browser, url: str, shots: list[Shot]) -> None:
    for who in {shot.who: None for shot in shots}:
        cookies = _cookies(browser, url, who)
        for size, theme, shot in product(SIZES, THEMES, shots):
            if shot.who == who:
                _take(browser, url, shot, size, theme, cookies)


def _shots(browser: Browser, url: str) -> Iterator[Shot]:
    home = f"/c/{exhibition.COURSE}/"
    work = f"{home}a/digits/"
    staff = f"/staff/c/{exhibition.COURSE}/"
    report, *_, rejected = _reports(browser, url, f"{work}submissions")
    yield Shot(name="sign-in", path="/sign-in", who=None)
    yield Shot(name="code", path="/code", who=None)
    yield Shot(name="join-by-code", path="/join", who=None)
    yield Shot(name="forgotten", path="/password", who=None)
    yield Shot(name="privacy", path="/privacy", who=None)
    yield Shot(name="privacy-zh", path="/privacy", who=None, language="zh-CN")
    yield Shot(name="courses", path="/")
    yield Shot(name="course", path=home)
    yield Shot(name="assignment", path=work)
    yield Shot(name="leaderboard", path=f"{work}leaderboard")
    yield Shot(name="hand-in", path=f"{work}submit")
    yield Shot(name="hand-in-wrong", path=f"{work}submit", upload=b"id;label\nd10001;3\n")
    yield Shot(
        name="hand-in-rejected",
        path=f"{work}submit",
        who="t02@example.org",
        upload=_WRONG,
        is_sent=True,
    )
    yield Shot(
        name="hand-in-rejected-zh",
        path=f"{work}submit",
        who="t02@example.org",
        upload=_WRONG,
        is_sent=True,
        language="zh-CN",
    )
    yield Shot(name="submissions", path=f"{work}submissions")
    yield Shot(name="submission", path=report)
    yield Shot(name="submission-rejected", path=rejected)
    yield Shot(name="tokens", path="/tokens")
    yield Shot(name="team", path=f"{home}team")
    yield Shot(name="team-zh", path=f"{home}team", language="zh-CN")
    yield Shot(name="account", path="/account")
    yield Shot(name="account-zh", path="/account", language="zh-CN")
    yield Shot(name="notices", path="/notifications")
    yield Shot(name="not-found", path="/nothing-here")
    yield Shot(name="leaderboard-zh", path=f"{work}leaderboard", language="zh-CN")
    yield Shot(name="assignment-zh", path=work, language="zh-CN")
    yield Shot(name="submission-zh", path=report, language="zh-CN")
    yield Shot(name="hand-in-zh", path=f"{work}submit", language="zh-CN")
    yield Shot(name="staff-home", path="/staff/", who=exhibition.INSTRUCTOR)
    yield Shot(name="staff-submission", path=report, who=exhibition.INSTRUCTOR)
    yield Shot(name="staff-course", path=staff, who=exhibition.INSTRUCTOR)
    yield Shot(name="staff-course-zh", path=staff, who=exhibition.INSTRUCTOR, language="zh-CN")
    yield Shot(name="staff-jobs", path=f"{staff}jobs/", who=exhibition.INSTRUCTOR)
    yield Shot(
        name="staff-difficulty", path=f"{staff}a/digits/difficulty/", who=exhibition.INSTRUCTOR
    )
    yield Shot(name="staff-missing", path=f"{staff}a/digits/missing/", who=exhibition.INSTRUCTOR)
    yield Shot(name="staff-people", path=f"{staff}people/", who=exhibition.INSTRUCTOR)
    yield Shot(name="staff-person", path=f"{staff}people/2/", who=exhibition.INSTRUCTOR)
    yield Shot(name="staff-codes", path=f"{staff}people/codes/", who=exhibition.INSTRUCTOR)
    yield Shot(
        name="staff-published", path=f"{staff}a/digits/published/", who=exhibition.INSTRUCTOR
    )
    yield Shot(name="staff-assignment", path=f"{staff}a/digits/", who=exhibition.INSTRUCTOR)
    yield Shot(name="staff-release", path=f"{staff}a/digits/release", who=exhibition.INSTRUCTOR)
    yield Shot(
        name="staff-private-board",
        path=f"{work}leaderboard?split=private",
        who=exhibition.INSTRUCTOR,
    )


def _mailed(browser: Browser, server: exhibition.Exhibition) -> Iterator[Shot]:
    """The pages that mailed links lead to, after the mails were asked for."""
    page = browser.new_page()
    sign_in(page, server.url, exhibition.INSTRUCTOR, exhibition.PASSWORD)
    page.goto(f"{server.url}/staff/c/{exhibition.COURSE}/people/")
    page.get_by_label("E-mail addresses").fill("new@example.org")
    page.get_by_role("button", name="Invite", exact=True).click()
    page.goto(f"{server.url}/password")
    page.locator("#email").fill(exhibition.STUDENT)
    page.locator("main form button").click()
    page.close()
    _ask_for_address(browser, server, "mei@new.example.org")
    for name, address, start, who in (
        ("invitation", "new@example.org", "/join/", None),
        ("new-password", exhibition.STUDENT, "/password/", None),
        ("new-address", "mei@new.example.org", "/account/email/", exhibition.STUDENT),
    ):
        path = server.mailed_link(address, start).removeprefix(server.url)
        yield Shot(name=name, path=path, who=who)
        yield Shot(name=f"{name}-zh", path=path, who=who, language="zh-CN")


def _ask_for_address(browser: Browser, server: exhibition.Exhibition, address: str) -> None:
    page = browser.new_page()
    sign_in(page, server.url, exhibition.STUDENT, exhibition.PASSWORD)
    page.goto(f"{server.url}/account")
    page.locator("#email").fill(address)
    page.locator("#email-password").fill(exhibition.PASSWORD)
    page.locator("section[aria-labelledby=address-title] form button").click()
    page.close()


def _released(browser: Browser, url: str) -> Iterator[Shot]:
    """What students see once the private board is out."""
    work = f"/c/{exhibition.COURSE}/a/digits/"
    yield Shot(name="released-board", path=f"{work}leaderboard?split=private")
    yield Shot(name="released-submissions", path=f"{work}submissions")
    report, *_ = _reports(browser, url, f"{work}submissions")
    yield Shot(name="released-submission", path=report)


def _reports(browser: Browser, url: str, path: str) -> list[str]:
    """Return where the student's reports are, newest first."""
    page = browser.new_page()
    sign_in(page, url, exhibition.STUDENT, exhibition.PASSWORD)
    page.goto(url + path)
    links = page.locator("table").first.locator("tbody th a")
    found = links.evaluate_all("links => links.map(a => a.pathname)")
    page.close()
    return [str(each) for each in found]


def _cookies(browser: Browser, url: str, who: str | None) -> StorageState | None:
    """Sign in once; the pictures of one person share it."""
    if who is None:
        return None
    context = browser.new_context()
    sign_in(context.new_page(), url, who, exhibition.PASSWORD)
    state = context.storage_state()
    context.close()
    return state


def _take(
    browser: Browser, url: str, shot: Shot, size: str, theme: str, cookies: StorageState | None
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        locale=shot.language,
        storage_state=cookies,
    )
    page = context.new_page()
    page.goto(url + shot.path, wait_until="load")
    if shot.upload is not None:
        file: FilePayload = {
            "name": "predictions.csv",
            "mimeType": "text/csv",
            "buffer": shot.upload,
        }
        page.locator("input[type=file]").set_input_files(file)
        page.locator("[data-facts] .note").wait_for()
    if shot.is_sent:
        page.locator("input[name=declared]").check()
        page.locator("[data-send]").click()
        page.locator("[data-result] table").wait_for()
    target = OUT / f"{shot.name}-{size}-{theme}.png"
    page.screenshot(path=target, full_page=True)
    print(target)
    context.close()


if __name__ == "__main__":
    sys.exit(main())
