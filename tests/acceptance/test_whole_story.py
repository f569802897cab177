"""The whole story of a new student in a browser: from the invitation to the final picks."""

from __future__ import annotations

import re

import exhibition
import pytest
from playwright.sync_api import expect

PEOPLE = f"/staff/c/{exhibition.COURSE}/people/"
TEAM = f"/c/{exhibition.COURSE}/team"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
READERS = {
    "in English": {},
    "in Chinese": {"locale": "zh-CN"},
    "on a phone": PHONE,
    "in Chinese on a phone": {"locale": "zh-CN", **PHONE},
}
# what a reader is told of the three faults of the file: by the page at once, then by the server
SEEN_HERE = {
    "en": ("Line 10: The id", "Line 21: The label", "Line 31: The id nobody is not"),
    "zh": ("第 10 行", "第 21 行", "第 31 行"),
}
SEEN_THERE = {
    "en": ("is there already", "not 3.0", "'nobody'"),
    "zh": ("已在第 6 行出现", "不要写 3.0", "'nobody'"),
}


@pytest.fixture
def three_faults(wrong_csv: bytes) -> bytes:
    """An id twice on line 10, a label as a float on line 21, an id of no image on line 31."""
    lines = wrong_csv.decode().splitlines()
    lines[30] = "nobody,3"
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("reader", READERS)
def test_a_new_student_goes_from_an_invitation_to_final_picks(
    visit, server, three_faults, right_csv, reader
):
    options = READERS[reader]
    language = options.get("locale", "en")[:2]
    address = f"{reader.replace(' ', '-').lower()}@example.com"
    staff = visit(exhibition.INSTRUCTOR).page
    staff.goto(server.url + PEOPLE)
    staff.get_by_label("E-mail addresses").fill(address)
    staff.get_by_role("button", name="Invite", exact=True).click()
    expect(staff.get_by_text("1 invitation was sent.")).to_be_visible()

    # invitation → account → team
    student = visit(**options)
    page = student.page
    student.make_account(server.mailed_link(address, "/join/"), f"Nia {reader}")
    expect(page.locator("html")).to_have_attribute("lang", {"en": "en", "zh": "zh-Hans"}[language])
    page.locator(f"main a[href='{TEAM}']").first.click()
    page.locator("#name").fill(f"Story {reader}")
    page.locator("section[aria-labelledby=names] form button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Story {reader}")
    student.check_width()

    # a wrong file: three faults by line, here at once and then from the server, free of quota
    student.open("submit")
    student.choose(three_faults)
    found = page.locator("[data-facts] .note")
    for said in SEEN_HERE[language]:
        expect(found).to_contain_text(said)
    student.check_width()
    page.locator("[data-send]").click()
    refused = page.locator("[data-result] table")
    for line, said in zip(("10", "21", "31"), SEEN_THERE[language], strict=True):
        expect(refused.get_by_role("row").filter(has_text=said)).to_contain_text(line)
    student.check_width()

    # the corrected file: a score on the page that was opened before there was one
    with server.worker_held():
        student.choose(right_csv)
        page.locator("#message").fill("nearest neighbours")
        page.locator("[data-send]").click()
        expect(page.locator("[data-place]")).to_be_visible()
        page.evaluate("window.sameDocument = true")
    expect(page.locator("[data-score]")).to_have_text(re.compile(r"\.9\d{2}"))
    assert page.evaluate("window.sameDocument") is True

    # the report
    expect(page.get_by_role("heading", level=1)).to_have_text("nearest neighbours")
    for part in ("confusion", "per-class", "claims", "about", "receipt"):
        expect(page.locator(f"section[aria-labelledby={part}]")).to_be_visible()
    assert page.locator("[data-private-score]").count() == 0
    student.check_width()

    # the board, then the final picks
    student.open("leaderboard")
    expect(page.locator("tr.mine")).to_contain_text(f"Story {reader}")
    student.check_width()
    student.open("submissions")
    page.locator("input[name=pick]").check()
    page.locator(".pick-bar button").click()
    expect(page.locator("main .note.good")).to_be_visible()
    expect(page.locator("input[name=pick]")).to_be_checked()
    student.check_width()
