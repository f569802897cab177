"""A deadline is extended in the browser: the student sees it and is on time after the old one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import exhibition
import pytest
from exhibition import Exhibition
from playwright.sync_api import expect

from leaderboard.db import utcnow

ZONE = ZoneInfo("Asia/Shanghai")
MATE = "noor@example.org"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exhibition]:
    """A server whose assignment was due an hour ago."""
    folder = tmp_path_factory.mktemp("closed")
    with exhibition.open_exhibition(folder, (), {MATE: "Team Noor"}) as running:
        toml = folder / "assignment" / "assignment.toml"
        due = utcnow() - timedelta(hours=1)
        text = re.sub(r"due = .*", f"due = {due:%Y-%m-%dT%H:%M:%S}+00:00", toml.read_text())
        toml.write_text(text)
        command = [sys.executable, "-m", "leaderboard.cli", "--state", str(running.state_dir)]
        publish = ["publish", str(toml.parent), "--course", exhibition.COURSE]
        subprocess.run([*command, *publish], check=True, capture_output=True)
        yield running


def test_a_student_with_an_extension_sees_the_date_and_is_on_time_after_the_old_one(
    visit, right_csv
):
    student, other = visit(exhibition.STUDENT), visit(MATE)
    refuse(student)

    later = (datetime.now(UTC) + timedelta(days=2)).astimezone(ZONE)
    shown = f"{later:%Y-%m-%d %H:%M}"
    staff = visit(exhibition.INSTRUCTOR).page
    staff.get_by_role("link", name="Teaching team", exact=True).click()
    staff.get_by_role("link", name="Extensions").click()
    staff.get_by_label("For", exact=True).select_option(label=f"Lin Mei ({exhibition.STUDENT})")
    staff.get_by_label("Assignment").select_option("digits")
    staff.get_by_label("New due date").fill(f"{later:%Y-%m-%dT%H:%M}")
    staff.get_by_label("Reason").select_option("illness")
    staff.get_by_label("Reference of the office").fill("DSO 118")
    staff.get_by_role("button", name="Extend").click()
    expect(staff.get_by_text("the team was told")).to_be_visible()
    expect(staff.locator("[data-extension]")).to_contain_text("DSO 118")

    page = student.open()
    expect(page.locator("[data-due]")).to_contain_text(shown)
    expect(page.locator("[data-extended]")).to_contain_text("extended")
    expect(page.locator("[data-due] .countdown")).to_contain_text("hours")
    student.open("submit")
    student.choose(right_csv)
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("[data-score]")).to_have_text(re.compile(r"\.9\d{2}"))
    expect(page.locator("[data-late]")).to_have_count(0)
    expect(page.get_by_text("late", exact=True)).to_have_count(0)

    student.open("/notifications")
    expect(page.get_by_text(f"is due at {shown} (Asia/Shanghai) now")).to_be_visible()
    mate = other.open()
    expect(mate.locator("[data-extended]")).to_have_count(0)
    refuse(other)


def refuse(visitor):
    """Read that it is closed; there is nothing to submit with."""
    page = visitor.open("submit")
    expect(page.locator("[data-shut=closed]")).to_contain_text("Nothing more can be submitted")
    expect(page.locator("input[type=file]")).to_have_count(0)


def test_the_page_of_extensions_fits_a_phone_and_speaks_chinese(visit):
    phone = visit(viewport={"width": 375, "height": 700}, locale="zh-CN")
    phone.sign_in(exhibition.INSTRUCTOR)
    page = phone.open(f"/staff/c/{exhibition.COURSE}/extensions/")

    expect(page.get_by_role("heading", level=1)).to_have_text("延期")
    phone.check_width()
