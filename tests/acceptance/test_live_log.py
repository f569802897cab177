"""A student watches what the sample run prints, while it runs."""

from __future__ import annotations

import io
import re
import zipfile

from needs import NEEDS_SANDBOX
from playwright.sync_api import expect

TALKS = """
import time

import torch

print("<script>window.hacked=1</script> step 1")
time.sleep(8)
print("step 2")
time.sleep(4)
raise ValueError("my own bug")
"""


pytestmark = NEEDS_SANDBOX


def bundle(model: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("model.py", model)
    return packed.getvalue()


def test_the_log_of_a_sample_run_grows_on_the_page_and_stays_text(visit):
    student = visit("tariq@example.org")
    page = student.open("submit")
    student.choose(bundle(TALKS), name="talks.zip")
    page.get_by_role("button", name="Submit").click()

    log = page.locator("[data-live-log]")
    expect(log).to_contain_text("step 1", timeout=60_000)
    expect(log).to_contain_text("<script>window.hacked=1</script>")
    expect(log).not_to_contain_text("step 2")
    expect(page.locator("#live")).to_have_attribute("data-status", "running")
    # what a reader marked stays as it was: the page is not put in anew for a line of a log
    page.evaluate("document.querySelector('[data-live-log]').marked = true")
    expect(log).to_contain_text("step 2")
    assert page.evaluate("document.querySelector('[data-live-log]').marked")

    expect(page.get_by_role("heading", name="Contract error")).to_be_visible(timeout=30_000)
    expect(log).to_contain_text("my own bug")
    expect(page.get_by_text(re.compile("not counted"))).to_be_attached()
    assert page.evaluate("window.hacked") is None
