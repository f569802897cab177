"""What course staff do in a browser."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import exhibition
import pytest
from playwright.sync_api import expect

STAFF = f"/staff/c/{exhibition.COURSE}/"


def row_of(page, team):
    return page.locator("tbody tr").filter(has_text=team)


def test_staff_see_both_scores_the_queue_and_the_worker_and_judge_again_to_the_same_score(
    visit, server
):
    page = visit(exhibition.INSTRUCTOR).page
    page.get_by_role("link", name="Teaching team", exact=True).click()
    expect(page.locator("[data-workers]")).to_contain_text("1")
    expect(page.locator("[data-queued]")).to_contain_text("0")
    page.get_by_role("link", name="Handwritten digits").click()

    row = row_of(page, "gradient gang")
    before = [row.locator(f"[data-{split}]").inner_text() for split in ("public", "private")]
    assert all(re.fullmatch(r"\.\d{3}", score) for score in before)
    row.locator("details.menu summary").click()
    row.get_by_role("button", name=re.compile("Re-evaluate s_")).click()
    expect(page.get_by_text("It is evaluated again")).to_be_visible()
    server.wait_until_scored()

    page.goto(f"{server.url}{STAFF}a/digits/")
    row = row_of(page, "gradient gang")
    after = [row.locator(f"[data-{split}]").inner_text() for split in ("public", "private")]
    assert after == before
    row.get_by_role("link").click()
    page.get_by_text("About this submission", exact=True).click()
    expect(page.get_by_text(re.compile("rescore · OK"))).to_be_visible()


def test_staff_filter_by_team_and_verdict(visit, server):
    page = visit(exhibition.INSTRUCTOR).page
    page.goto(f"{server.url}{STAFF}a/digits/?team=gradient")
    assert page.locator("tbody tr").count() == 1
    page.get_by_label("Status").select_option("TLE")
    expect(page.get_by_text("No submission here")).to_be_visible()
    page.get_by_role("link", name="Show all").first.click()
    expect(page.locator("tbody tr").nth(4)).to_be_attached()


def test_the_private_board_is_released_and_hidden_again(visit, server):
    staff = visit(exhibition.INSTRUCTOR).page
    student = visit("t01@example.org")
    private = f"{server.assignment_url}leaderboard?split=private"
    assert student.page.request.get(private).status == 404
    student.open("submissions")
    assert "Final score" not in student.page.content()

    staff.goto(f"{server.url}{STAFF}a/digits/")
    staff.get_by_role("link", name="Publish the final results").click()
    staff.get_by_role("button", name="Publish them").click()
    expect(staff.get_by_text("The final results are published")).to_be_visible()
    try:
        student.page.goto(private)
        mine = student.page.locator("tr.mine")
        expect(mine).to_contain_text("gradient gang")
        expect(student.page.get_by_role("columnheader", name="Public rank")).to_be_visible()
        student.open("submissions").locator("tbody th a").first.click()
        expect(student.page.locator("[data-private-score]")).to_have_text(re.compile(r"\.\d{3,4}"))
    finally:
        staff.get_by_role("link", name="Hide the final results").click()
        staff.get_by_role("button", name="Hide it").click()
    expect(staff.get_by_text("hidden from students again")).to_be_visible()
    assert student.page.request.get(private).status == 404


def test_grades_are_downloaded_as_a_table(visit, server):
    page = visit(exhibition.INSTRUCTOR).page
    page.goto(f"{server.url}{STAFF}a/digits/")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Grades (CSV)").click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8-sig")
    rows = {row["email"]: row for row in csv.DictReader(io.StringIO(text))}
    assert float(rows["t01@example.org"]["private_score"]) > 0.9
    assert "mei@example.org" in rows


@pytest.mark.parametrize(
    "path", [STAFF, f"{STAFF}a/digits/", f"{STAFF}a/digits/release", f"{STAFF}a/digits/grades.csv"]
)
def test_staff_pages_do_not_exist_for_students(visit, server, path):
    page = visit("t01@example.org").page
    assert page.request.get(server.url + path).status == 404
