"""What a student does in a browser, from signing in to the score."""

from __future__ import annotations

import hashlib
import io
import os
import re
import time
import zipfile
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from exhibition import Entry
from playwright.sync_api import expect

from leaderboard.queue import watching


def how_busy() -> float:
    """1 on a quiet machine; one that has more to do than processors, lately or in this moment,
    takes its time in proportion."""
    now = Path("/proc/loadavg")
    running = int(now.read_text().split()[3].partition("/")[0]) if now.exists() else 0
    return max(1.0, max(os.getloadavg()[0], running) / (os.cpu_count() or 1))


def test_a_student_downloads_the_data_errs_corrects_and_reads_the_score_in_two_seconds(
    visit, wrong_csv, right_csv
):
    student = visit("wang@example.org")
    page = student.page

    page.get_by_role("link", name="Handwritten digits").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name=re.compile("^Data ")).click()
    pack = Path(waiting.value.path()).read_bytes()
    page.get_by_text("Data and checksums").click()
    expect(page.get_by_text(hashlib.sha256(pack).hexdigest())).to_be_visible()
    names = zipfile.ZipFile(io.BytesIO(pack)).namelist()
    assert any(name.endswith("sample_submission.csv") for name in names)
    assert not any("answers" in name for name in names)

    page.get_by_role("navigation", name="Handwritten digits").get_by_text("Submit").click()
    student.choose(wrong_csv)
    found = page.locator("[data-facts] .note")
    expect(found).to_contain_text("Line 10: The id")
    expect(found).to_contain_text("Line 21: The label")
    expect(found).to_contain_text("1 ids are missing")

    page.get_by_role("button", name="Submit").click()
    rejected = page.locator("[data-result] table")
    expect(rejected.get_by_role("row").filter(has_text="is there already")).to_contain_text("10")
    expect(rejected.get_by_role("row").filter(has_text="is missing")).to_be_visible()
    expect(rejected.get_by_role("row").filter(has_text="not 3.0")).to_contain_text("21")

    student.choose(right_csv)
    expect(page.locator("[data-facts] .note.good")).to_contain_text("797 rows")
    page.get_by_label("Message").fill("nearest neighbours")
    sent = time.monotonic()
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("[data-score]")).to_have_text(re.compile(r"\.9\d{2}"))
    assert time.monotonic() - sent <= 2.0 * how_busy()

    expect(page.get_by_role("heading", level=1)).to_have_text("nearest neighbours")
    expect(page.get_by_role("img", name=re.compile("Confusion matrix"))).to_be_visible()
    expect(page.get_by_text("Most confused")).to_be_visible()
    assert page.locator("[data-private-score]").count() == 0
    page.get_by_role("link", name="Leaderboard").first.click()
    expect(page.locator("tr.mine")).to_contain_text("Team Wang")


def test_the_score_appears_while_the_page_is_open(visit, server, right_csv):
    student = visit("kofi@example.org")
    page = student.page
    with server.worker_held():
        student.open("submit")
        student.choose(right_csv)
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_text("Waiting", exact=True)).to_be_visible()
        expect(page.get_by_text("Place in the queue")).to_be_visible()
        page.evaluate("window.sameDocument = true")

    expect(page.locator("[data-score]")).to_be_visible(timeout=3000 * how_busy())

    assert page.evaluate("window.sameDocument") is True
    expect(page.get_by_role("status").first).to_have_text(re.compile(r"Scored: \.9\d{2}"))


def test_the_score_appears_where_event_streams_do_not_get_through(visit, server, right_csv):
    student = visit("lena@example.org")
    page = student.page
    page.route("**/events", lambda route: route.fulfill(status=404))
    with server.worker_held():
        student.open("submit")
        student.choose(right_csv)
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_text("Waiting", exact=True)).to_be_visible()
    expect(page.locator("[data-score]")).to_be_visible()
    student.faults.clear()  # the browser itself reports the blocked stream


def test_somebody_who_watches_often_leaves_the_server_free_for_others(visit, server):
    with server.worker_held():
        waiting = server.hand_in(Entry(team="", email="t01@example.org", model="ridge"))
        page = visit("t01@example.org").page
        cookie = {each["name"]: each["value"] for each in page.context.cookies()}
        with ExitStack() as streams:
            client = streams.enter_context(httpx.Client(cookies=cookie, trust_env=False))
            url = f"{server.url}/s/{waiting}/events"
            statuses = [
                streams.enter_context(client.stream("GET", url)).status_code
                for _ in range(watching.OF_A_PERSON + 4)
            ]
            assert page.request.get(server.assignment_url, timeout=60_000).ok
    assert statuses.count(200) == watching.OF_A_PERSON
    assert statuses.count(429) == 4
    server.wait_until_scored()


def test_every_step_works_without_scripts(visit, wrong_csv, right_csv):
    student = visit("omar@example.org", java_script_enabled=False)
    page = student.page
    page.get_by_role("link", name="Handwritten digits").click()
    page.get_by_role("link", name="Submit", exact=True).first.click()
    student.choose(wrong_csv)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Not accepted")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="is there already")).to_contain_text("10")

    page.get_by_role("link", name="Submit", exact=True).first.click()
    student.choose(right_csv)
    page.get_by_role("button", name="Submit").click()
    deadline = time.monotonic() + 10
    while page.locator("[data-score]").count() == 0 and time.monotonic() < deadline:
        page.reload()
    expect(page.locator("[data-score]")).to_be_visible()

    compared = page.get_by_role("region", name="Compared with")
    compared.get_by_text("Compared with").first.click()
    farthest = compared.get_by_role("option").last.inner_text()  # of a file that is all right
    expect(compared.get_by_role("rowheader", name=farthest, exact=True)).to_have_count(0)
    compared.get_by_label("Compare with another baseline").select_option(farthest)
    compared.get_by_role("button", name="Compare").click()
    expect(compared.get_by_role("row").filter(has_text=farthest)).to_contain_text("better")

    student.open("leaderboard")
    page.get_by_label("hide baselines").check()
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tr.baseline")).to_have_count(0)
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("p.csv", b"Id,Prediction\nd10001,3\n", "column 'Prediction' is unknown"),
        ("p.csv", b"id\nd10001\n", "column 'label' is missing from the header"),
        ("p.csv", b"id,label,0\nd10001,3,1\n", "both stand for labels"),
        ("p.csv", b"id,0,1\nd10001,3,1\n", "column 'two' is missing from the header"),
        ("marks.xlsx", b"PK\x03\x04" + b"xl/workbook.xml", ".xlsx files can't be graded; save"),
        ("p.csv", b"PK\x03\x04" + b"xl/workbook.xml", ".xlsx files can't be graded; save"),
        ("x.npy", b"\x93NUMPY\x01\x00", "to_csv("),
        ("model.py", b"import torch\n", "pack model.py and the checkpoint"),
    ],
)
def test_the_form_says_what_the_server_would_say_before_anything_is_sent(
    visit, name, content, told
):
    student = visit("omar@example.org")
    student.open("submit")
    student.choose(content, name=name)
    expect(student.page.locator("[data-facts] .note")).to_contain_text(told)


def test_the_form_finds_a_right_file_ready_whatever_its_header_is_called(visit, right_csv):
    student = visit("omar@example.org")
    student.open("submit")
    student.choose(right_csv.replace(b"id,label", b"ID,Label", 1))
    expect(student.page.locator("[data-facts] .note")).to_contain_text("Ready to submit")


def test_a_file_chosen_before_the_pages_script_arrives_is_looked_at_all_the_same(visit, wrong_csv):
    page, held = visit("omar@example.org").page, []
    page.route("**/upload.js*", lambda route: held.append(route))
    page.get_by_role("link", name="Handwritten digits").click()
    with page.expect_request("**/upload.js*"):
        page.get_by_role("navigation", name="Handwritten digits").get_by_text("Submit").click()
    file = {"name": "predictions.csv", "mimeType": "text/csv", "buffer": wrong_csv}
    page.locator("input[type=file]").set_input_files(file)
    assert page.locator("[data-facts] *").count() == 0
    held.pop().continue_()
    expect(page.locator("[data-facts] .note")).to_contain_text("Line 10: The id")


def test_the_same_form_sent_twice_is_one_submission(visit, right_csv):
    page = visit("priya@example.org").open("submit")
    fields = {
        name: page.locator(f"main [name={name}]").input_value()
        for name in ("csrf_token", "form_key")
    }
    file = {"name": "predictions.csv", "mimeType": "text/csv", "buffer": right_csv}
    sent = [page.request.post(page.url, multipart={**fields, "file": file}) for _ in range(2)]
    assert sent[0].url == sent[1].url
    assert "/s/s_" in sent[0].url


def test_a_student_signs_in_and_hands_in_by_keyboard_alone(visit, server, right_csv):
    student = visit()
    page = student.open("/sign-in")
    page.keyboard.type("sofia@example.org")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/")
    student.open("submit")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.locator("input[type=file]").evaluate("field => field === document.activeElement"):
            break
    student.choose(right_csv, declare=False)
    page.keyboard.press("Tab")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Submit")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[data-score]")).to_be_visible()


def test_a_file_can_be_dropped(visit, right_csv):
    student = visit("priya@example.org")
    page = student.open("submit")
    dropped = page.evaluate_handle(
        """text => {
            const data = new DataTransfer();
            data.items.add(new File([text], "dropped.csv", { type: "text/csv" }));
            return data;
        }""",
        right_csv.decode(),
    )
    page.locator("[data-drop]").dispatch_event("drop", {"dataTransfer": dropped})
    expect(page.locator("[data-facts]")).to_contain_text("dropped.csv")
    expect(page.locator("[data-facts] .note.good")).to_contain_text("797 rows")


def test_the_table_of_classes_can_be_sorted(visit, right_csv):
    student = visit("t01@example.org")
    page = student.open("submissions")
    page.locator("tbody th a").first.click()
    page.get_by_text("Precision and recall of each class").click()
    table = page.locator("table[data-sortable]")
    first = table.locator("tbody th").first
    expect(first).to_have_text("zero")
    table.get_by_role("button", name="Recall").click()
    expect(table.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    table.get_by_role("button", name="Recall").click()
    values = [float(text) for text in table.locator("tbody td:nth-child(3)").all_inner_texts()]
    assert values == sorted(values)


def test_a_token_is_shown_once_and_can_be_revoked(visit):
    student = visit("priya@example.org")
    page = student.open("/tokens")
    page.get_by_label("Name").fill("notebook")
    page.get_by_role("button", name="Make the token").click()
    secret = page.locator("[data-token]").inner_text()
    assert secret.startswith("gw_")
    page.goto(page.url)
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke notebook").click()
    expect(page.get_by_text("The token was revoked.")).to_be_visible()
    expect(page.get_by_role("button", name="Revoke notebook")).to_have_count(0)


def test_a_large_file_counts_from_the_click_and_goes_on_where_the_line_broke(visit, right_csv):
    student = visit("wang@example.org")
    page, broken = student.page, iter([True])
    page.get_by_role("link", name="Handwritten digits").click()
    page.get_by_role("navigation", name="Handwritten digits").get_by_text("Submit").click()
    student.choose(_as_long_scores(right_csv))

    def break_once(route):
        if route.request.method == "PATCH" and next(broken, False):
            return route.fulfill(status=503)  # as a proxy whose server is away
        return route.continue_()

    page.route("**/uploads/*", break_once)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Your time is safe. Keep uploading.")).to_be_visible()
    expect(page.get_by_text("The connection broke.")).to_be_visible()
    expect(page.locator("[data-score]")).to_have_text(re.compile(r"\.9\d{2}"))
    assert [fault for fault in student.faults if "503" not in fault] == []
    student.faults.clear()


def _as_long_scores(labels: bytes) -> bytes:
    """The same answers as a column of scores a class, with more digits than anybody needs."""
    rows = [line.split(",") for line in labels.decode().split()[1:]]
    scores = {each: ",".join(f"{each == label:.40f}" for label in range(10)) for each in range(10)}
    header = ",".join(["id", *map(str, range(10))])
    content = "\n".join([header, *(f"{name},{scores[int(label)]}" for name, label in rows)])
    assert len(content) > 256 * 1024
    return content.encode()
