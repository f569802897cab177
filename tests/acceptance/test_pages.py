"""What holds for every page: safe, accessible, small, in both languages, on a phone."""

from __future__ import annotations

import itertools
import re

import browser as chromium
import exhibition
import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from leaderboard.accounts.links import Links
from leaderboard.config import load_settings
from leaderboard.db import Database
from leaderboard.models import User

NUMBERS = itertools.count(1)
STUDENT_PAGES = ("", "leaderboard", "leaderboard?q=nobody", "submit", "submissions")
OTHER_PAGES = (
    "/",
    f"/c/{exhibition.COURSE}/",
    f"/c/{exhibition.COURSE}/team",
    "/account",
    "/notifications",
    "/tokens",
    "/nothing-here",
)
ANYBODYS_PAGES = ("/sign-in", "/code", "/join", "/password", "/privacy")
STAFF_PAGES = (
    "/staff/",
    f"/staff/c/{exhibition.COURSE}/",
    f"/staff/c/{exhibition.COURSE}/a/digits/",
    f"/staff/c/{exhibition.COURSE}/a/digits/missing/",
    f"/staff/c/{exhibition.COURSE}/a/digits/difficulty/",
    f"/staff/c/{exhibition.COURSE}/jobs/",
    f"/staff/c/{exhibition.COURSE}/extensions/",
    f"/staff/c/{exhibition.COURSE}/a/digits/release",
    f"/staff/c/{exhibition.COURSE}/a/digits/published/",
    f"/staff/c/{exhibition.COURSE}/people/",
    f"/staff/c/{exhibition.COURSE}/people/2/",
    f"/staff/c/{exhibition.COURSE}/people/codes/",
    f"/staff/c/{exhibition.COURSE}/cases/",
    "leaderboard?split=private",
)


def report_of(visitor):
    """Open the newest report of the visitor's team."""
    page = visitor.open("submissions")
    page.locator("tbody th a").first.click()
    page.locator("#live").wait_for()
    return page


def tour(visit, server, wrong_csv, **options):
    """Every page there is, one after another, as those see it who may: yields the open page."""
    anybody = visit(**options)
    for path in ANYBODYS_PAGES:
        yield anybody.open(path)
    yield from mailed_pages(visit, server, anybody)
    student = visit("t01@example.org", **options)
    for path in (*STUDENT_PAGES, *OTHER_PAGES):
        yield student.open(path)
    yield student.open(new_address_path(server, "t01@example.org"))
    yield report_of(student)
    yield from rejected_pages(student, wrong_csv)
    staff = visit(exhibition.INSTRUCTOR, **options)
    for path in STAFF_PAGES:
        yield staff.open(path)
    page = report_of_a_team(staff)
    yield page
    page.get_by_role("link", name="For the teaching team").click()
    yield page
    yield from asked_pages(staff, student)
    student.faults.clear()  # the browser reports the 404


def new_address_path(server, email):
    """Where the link leads that is mailed to an account's new address."""
    settings = load_settings(server.state_dir)
    database = Database(settings.database_url)
    with database.reading() as session:
        user = session.scalars(sa.select(User).filter_by(email=email)).one()
        secret = Links(settings.secret_key).of_address(user, f"new.{email}")
    database.dispose()
    return f"/account/email/{secret}"


def mailed_pages(visit, server, anybody):
    """What mailed links lead to: an invitation, a new password; and that a mail was sent."""
    page = anybody.open("/password")
    page.locator("#email").fill("sofia@example.org")
    with page.expect_navigation():
        page.locator("main form button").click()
    yield page
    page.goto(server.mailed_link("sofia@example.org", "/password/"))
    yield page
    address = f"tour-{next(NUMBERS)}@example.net"
    staff = visit(exhibition.INSTRUCTOR).page
    staff.goto(f"{server.url}/staff/c/{exhibition.COURSE}/people/")
    staff.get_by_label("E-mail addresses").fill(address)
    with staff.expect_navigation():
        staff.get_by_role("button", name="Invite", exact=True).click()
    page.goto(server.mailed_link(address, "/join/"))
    yield page


def rejected_pages(student, wrong_csv):
    """The form with an answer in it, and the report of what was rejected."""
    page = student.open("submit")
    student.choose(wrong_csv)
    page.locator("[data-send]").click()
    record = page.get_by_role("link", name="The record of this upload")
    record.or_(page.locator("#problems")).first.wait_for()
    if record.is_visible():  # without scripts the answer is the report
        yield page
        record.click()
        page.locator("#problems").wait_for()
    yield page


def report_of_a_team(staff):
    """A report as staff see it."""
    page = staff.open(f"/staff/c/{exhibition.COURSE}/a/digits/")
    page.locator("tbody th a").first.click()
    page.locator("#live").wait_for()
    return page


def asked_pages(staff, student):
    """A case as the instructor who gives notice sees it, and as the team that was told does."""
    page = staff.open(f"/staff/c/{exhibition.COURSE}/a/digits/?team=gradient&verdict=OK")
    page.locator("tbody th a").first.click()
    page.locator("#live").wait_for()
    if page.locator("[data-cases]").count():  # of an earlier tour
        page.locator("[data-cases] a").first.click()
    else:
        page.locator("details:has(#grounds) summary").click()
        page.locator("#grounds").fill("The same file as another team's.")
        page.locator("form:has(#grounds) button").click()
        page.locator("#notice-text").fill("How was it made?")
        page.locator("form:has(#notice-text) button").click()
    page.locator("[data-step=notice]").wait_for()
    yield page
    yield student.open(f"/c/{exhibition.COURSE}/cases/{page.url.rpartition('/')[2]}")


@pytest.mark.parametrize("email", ["t01@example.org", "t02@example.org", exhibition.INSTRUCTOR])
def test_scripts_in_names_and_messages_stay_text(visit, email):
    visitor = visit(email)
    paths = ["leaderboard"]
    paths += STAFF_PAGES if email == exhibition.INSTRUCTOR else ["submissions"]
    for path in paths:
        page = visitor.open(path)
        assert page.evaluate("window.hacked") is None
    page = visitor.open("leaderboard")
    expect(page.get_by_text(exhibition.HOSTILE).first).to_be_visible()
    if email == "t02@example.org":
        page = report_of(visitor)
        expect(page.get_by_role("heading", level=1)).to_have_text(exhibition.HOSTILE)
        assert page.evaluate("window.hacked") is None


def test_scripts_in_a_file_name_and_its_content_stay_text(visit, server):
    visitor = visit("tariq@example.org")
    page = visitor.open("submit")
    hostile = exhibition.HOSTILE.replace('"', "")
    visitor.choose(f"id,label\n{hostile},{hostile}\n".encode(), name=f"{hostile[:24]}'.csv")
    expect(page.locator("[data-facts] .note")).to_contain_text("onerror=")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("[data-result] table")).to_contain_text("<script>window.hacked=1")
    page.get_by_role("link", name="The record of this upload").click()
    expect(page.get_by_text("Not accepted")).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_no_page_may_run_or_load_what_is_not_ours(visit, server):
    page = visit("t01@example.org").page
    for path in ("", "leaderboard", "submissions"):
        headers = page.request.get(server.assignment_url + path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_a_form_without_its_token_is_refused(visit, server):
    page = visit("t01@example.org").page
    answer = page.request.post(f"{server.url}/tokens", form={"name": "x", "days": "7"})
    assert answer.status == 400
    assert "This form was too old" in answer.text()


def test_signing_in_never_leads_to_another_host(visit, server):
    visitor = visit()
    for target in ("//evil.example", "https://evil.example", "/\\evil.example"):
        page = visitor.open(f"/sign-in?next={target}")
        page.get_by_label("E-mail").fill("t01@example.org")
        page.get_by_label("Password").fill(exhibition.PASSWORD)
        page.locator("main").get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{server.url}/")
        page.get_by_role("button", name="Sign out").click()


def test_whoever_is_not_signed_in_is_asked_to_and_then_sees_what_they_wanted(visit, server):
    visitor = visit()
    page = visitor.open("leaderboard")
    assert "/sign-in" in page.url
    page.get_by_label("E-mail").fill("t01@example.org")
    page.get_by_label("Password").fill("not the password")
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Password").fill(exhibition.PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/leaderboard")
    visitor.faults.clear()  # the browser reports the 401


def test_the_pages_speak_chinese_to_a_chinese_browser(visit, wrong_csv):
    visitor = visit("tariq@example.org", locale="zh-CN")
    page = visitor.open("leaderboard")
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    expect(page.get_by_role("heading", level=1)).to_have_text("排行榜")
    page = visitor.open("submit")
    visitor.choose(wrong_csv)
    expect(page.locator("[data-facts] .note")).to_contain_text("第 10 行")
    page.locator("[data-send]").click()
    expect(page.locator("[data-result]")).to_contain_text("请写 3，不要写 3.0")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Submit")
    visitor.open("leaderboard")
    expect(page.get_by_role("heading", level=1)).to_have_text("Leaderboard")


def test_nothing_is_cut_off_on_a_phone(visit):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    student = visit("t02@example.org", **phone)
    for path in (*STUDENT_PAGES, *OTHER_PAGES[:-1]):
        student.open(path)
        assert student.overflow() <= 0, path
    report_of(student)
    assert student.overflow() <= 0
    staff = visit(exhibition.INSTRUCTOR, **phone)
    for path in STAFF_PAGES:
        staff.open(path)
        assert staff.overflow() <= 0, path


@pytest.mark.parametrize(
    ("theme", "width"),
    [("dark", 390), pytest.param("light", 1280, marks=pytest.mark.long)],
)
def test_axe_finds_no_barrier_on_any_page(visit, server, wrong_csv, theme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": theme}
    # axe is a script of its own, which the pages' policy would not let in
    options["bypass_csp"] = True
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

    def barriers(page):
        results = axe.run(page, options={"runOnly": tags})
        return [f"{page.url}: {found['id']}" for found in results.response["violations"]]

    found = [barriers(page) for page in tour(visit, server, wrong_csv, **options)]
    assert [each for each in found if each] == []
    assert len(found) >= 28


def test_every_page_stands_without_scripts(visit, server, wrong_csv):
    """Each says what it is, and whatever can be sent has a button to send it with."""
    alone = """forms => forms.filter(form => form.checkVisibility()
        && ![...form.querySelectorAll("button")].some(button => button.checkVisibility()))
        .map(form => form.outerHTML.slice(0, 200))"""
    for page in tour(visit, server, wrong_csv, java_script_enabled=False):
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.eval_on_selector_all("form", alone) == [], page.url
        expect(page.locator(".js-only:visible")).to_have_count(0)


def test_the_leaderboard_is_small_over_the_wire(visit, server):
    visitor = visit("t01@example.org")
    page = visitor.open("leaderboard")
    sizes = chromium.transfers(page)
    page.reload(wait_until="load")
    expect(page.locator("tr.mine")).to_be_visible()
    print(f"leaderboard: {sum(sizes.values())} bytes over the wire: {sizes}")
    assert len(sizes) >= 3
    assert sum(sizes.values()) <= 150_000


def test_the_reader_chooses_light_or_dark_and_the_choice_stays(visit):
    visitor = visit("t01@example.org", color_scheme="light")
    page = visitor.open("leaderboard")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Switch between light and dark").press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_own_place_is_in_view_on_a_long_board(visit):
    visitor = visit("t02@example.org", viewport={"width": 1280, "height": 420})
    page = visitor.open("leaderboard")
    page.evaluate("scrollTo(0, 0)")
    assert page.locator("[data-place]").bounding_box()["y"] < 420
    page.evaluate("document.querySelector('.board').scrollIntoView()")
    assert 0 <= page.locator("tr.mine th").bounding_box()["y"] < 420


def test_teams_are_found_by_name(visit):
    page = visit("t01@example.org").open("leaderboard")
    page.get_by_label("Find a team").fill("GRADIENT")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr .rank")).to_have_text(re.compile(r"[1-9]"))


def test_the_board_is_downloaded_as_csv_and_json(visit, server):
    page = visit("t01@example.org").page
    table = page.request.get(f"{server.assignment_url}leaderboard.csv")
    assert table.text().splitlines()[0].startswith("rank,team")
    # a cell that a spreadsheet would run as a formula is neutralised there, not here: '<' is text
    rows = page.request.get(f"{server.assignment_url}leaderboard.json").json()["rows"]
    assert {row["team"] for row in rows} >= {"gradient gang", "svm", exhibition.HOSTILE}
