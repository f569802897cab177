"""The table of submissions: filters, orders, pages, what is done to several; one for staff."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from commands import run
from flask.testing import FlaskClient
from forms import app_of, send
from large_course import fill
from signing_in import signed_in
from small_site import Site, bundle_zip, make_site, predictions_csv, write_assignment

from leaderboard.models import (
    AuditEvent,
    Notification,
    OutgoingMail,
    Role,
    Submission,
    SubmissionNote,
    User,
)
from leaderboard.operations import privacy
from leaderboard.submissions import sources
from leaderboard.views.staff import filters, listing

TABLE = "/staff/c/dl-1/a/animals/"
ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("crowd")
    made = make_site(folder, write_assignment(folder / "animals"))
    fill(made, people=30, submissions=400)
    made.person("ada", Role.INSTRUCTOR)
    yield made
    made.state.close()


def pages(site: Site, **fields: str) -> list[listing.StaffPage]:
    """Every page that these filters give."""
    found, after = [], ""
    with site.state.database.reading() as session:
        assignment = site.assignment(session)
        while True:
            wanted = filters.read(fields, ZONE)
            found.append(listing.page(session, assignment, wanted, after=after))
            after = found[-1].after or ""
            if not after:
                return found


def every(site: Site, **fields: str) -> list[listing.StaffRow]:
    return [row for page in pages(site, **fields) for row in page.rows]


@pytest.mark.parametrize("order", list(listing.Order))
def test_pages_show_each_once_in_every_order(crowd: Site, order: str) -> None:
    rows = every(crowd, order=order)
    scored = [row for row in every(crowd) if row.private is not None]
    keys = {
        "newest": lambda row: -row.upload_started_at.timestamp(),
        "oldest": lambda row: row.upload_started_at.timestamp(),
        "public": lambda row: -row.public,
        "private": lambda row: -row.private,
    }
    assert len({row.id for row in rows}) == len(rows)
    assert len(rows) == (400 if order in ("newest", "oldest") else len(scored))
    assert [keys[order](row) for row in rows] == sorted(map(keys[order], rows))
    assert max(len(page.rows) for page in pages(crowd, order=order)) == listing.PAGE


def test_filters_find_what_they_say_and_together_less(crowd: Site) -> None:
    whole = every(crowd)
    day = str(whole[0].upload_started_at.astimezone(ZONE).date())
    expected = {
        ("verdict", "TLE"): lambda row: row.verdict == "TLE",
        ("kind", "code"): lambda row: row.kind == "code",
        ("flag", "ND"): lambda row: "ND" in row.flags,
        ("section", "S3"): lambda row: int(row.person.split()[1]) % 7 == 3,
        ("person", "Person 1003"): lambda row: row.person == "Person 1003",
        ("team", "team 100"): lambda row: row.team_name.startswith("Team 100"),
        ("search", "try 77"): lambda row: row.message == "try 77",
        ("score_from", "0.8"): lambda row: row.private is not None and row.private >= 0.8,
        ("since", day): lambda row: str(row.upload_started_at.astimezone(ZONE).date()) >= day,
    }
    for (name, value), holds in expected.items():
        wanted = [row.id for row in whole if holds(row)]
        assert [row.id for row in every(crowd, **{name: value})] == wanted, name
        assert wanted, name
    both = every(crowd, verdict="OK", section="S3", kind="csv")
    assert {(row.verdict, row.kind) for row in both} == {("OK", "csv")}
    assert pages(crowd, verdict="TLE")[0].total == len(every(crowd, verdict="TLE"))
    assert every(crowd, flag="OUTDATED") == []


def test_what_means_nothing_is_as_no_filter_and_wildcards_are_letters(crowd: Site) -> None:
    nonsense = {"score_from": "nan", "since": "soon", "order": "x", "kind": "exe", "flag": "%"}
    assert len(every(crowd, **nonsense)) == 400
    assert every(crowd, search="%") == []
    client = signed_in(app_of(crowd), "ada")
    for after in ("x", "0x1p9999:1", "-1", "9" * 40, "nan:3"):
        assert client.get(f"{TABLE}?order=private&after={after}").status_code == 200


def test_a_page_asks_as_much_for_four_hundred_as_for_one(
    crowd: Site, statements: list[str]
) -> None:
    client = signed_in(app_of(crowd), "ada")
    counts = set()
    for query in ("", "?person=Person+1003", "?order=private", "?search=try+77", "?section=S3"):
        client.get(TABLE + query)
        statements.clear()
        assert client.get(TABLE + query).status_code == 200
        counts.add(len(statements))
    assert max(counts) <= 18


def test_the_command_lists_what_the_table_does(crowd: Site) -> None:
    listed = run(
        crowd.settings.state_dir,
        *("submissions", "dl-1", "animals", "--status", "TLE", "--section", "S3", "--json"),
    )
    told = [each["id"] for each in json.loads(listed.stdout)]
    assert told == [row.id for row in every(crowd, verdict="TLE", section="S3")]


@pytest.mark.long
def test_with_sixty_thousand_submissions_each_page_takes_less_than_300_ms(tmp_path: Path) -> None:
    made = make_site(tmp_path, write_assignment(tmp_path / "animals"))
    fill(made, people=700, submissions=60_000)
    made.person("ada", Role.INSTRUCTOR)
    client = signed_in(app_of(made), "ada")
    slow = {}
    for path in (
        "/staff/c/dl-1/",
        TABLE,
        f"{TABLE}?search=1234",
        f"{TABLE}?order=private",
        f"{TABLE}?flag=ND",
        f"{TABLE}?section=S3",
        f"{TABLE}?after=130000",
        f"{TABLE}?score_from=0.9",
        f"{TABLE}missing/",
        "/staff/c/dl-1/jobs/",
    ):
        client.get(path)
        took = []
        for _ in range(3):
            began = time.process_time()
            assert client.get(path).status_code == 200
            took.append(time.process_time() - began)
        slow[path] = min(took)
    made.state.close()
    assert {path: took for path, took in slow.items() if took > 0.3} == {}


@pytest.fixture
def teacher(site: Site) -> FlaskClient:
    site.person("ada", Role.INSTRUCTOR)
    return signed_in(app_of(site), "ada")


def test_several_are_judged_again_cancelled_and_written_to(
    site: Site, teacher: FlaskClient
) -> None:
    ids = [
        site.hand_in(name, predictions_csv(site.folder, wrong=n + 1))
        for n, name in enumerate(("ann", "bob", "ann"))
    ]
    for public_id in ids[:2]:
        site.score(public_id)
    act = f"{TABLE}several/"

    again = send(teacher, act, form=TABLE, action="rescore", submission=ids)
    assert "2 are evaluated again." in teacher.get(again.location).text
    cancelled = send(teacher, act, form=TABLE, action="cancel", submission=ids)
    assert "3 are cancelled." in teacher.get(cancelled.location).text
    words = "The test set was wrong.\nHand in again."
    send(teacher, act, form=TABLE, action="write", submission=ids, text=words)
    send(teacher, act, form=TABLE, action="write", submission=ids, text=" ")

    assert [site.submission(each).verdict for each in ids] == ["OK", "OK", None]
    with site.state.database.reading() as session:
        mails = session.scalars(sa.select(OutgoingMail).filter_by(kind="words")).all()
        told = [
            each for each in session.scalars(sa.select(Notification)) if "words" in each.details
        ]
        event = session.scalars(sa.select(AuditEvent).filter_by(action="assignment.write")).one()
    both = {site.person("ann").id, site.person("bob").id}
    assert {each.user_id for each in mails} == {each.user_id for each in told} == both
    assert words not in str(event.details)
    assert "Hand in again." in signed_in(app_of(site), "ann").get("/notifications").text


def test_nothing_is_done_to_what_belongs_to_another_assignment(
    site: Site, teacher: FlaskClient, tmp_path: Path
) -> None:
    site.publish(write_assignment(tmp_path / "others", slug="others"))
    public_id = site.hand_in("ann", predictions_csv(site.folder), slug="others")
    done = send(teacher, f"{TABLE}several/", form=TABLE, action="cancel", submission=[public_id])
    assert "Nothing was chosen." in teacher.get(done.location).text
    assert site.submission(public_id).status == "queued"


def test_source_is_text_with_numbers_whatever_stands_in_it(
    site: Site, teacher: FlaskClient
) -> None:
    evil = "<script>alert(1)</script>\n"
    public_id = site.hand_in("ann", bundle_zip(break_it=f"# {evil}"), filename="my.zip")
    page = f"/staff/s/{public_id}/"

    shown = teacher.get(page).text
    source = teacher.get(f"{page}source?file=model.py").text
    raw = teacher.get(f"{page}file")

    assert "checkpoint.safetensors" in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in source
    assert "<script>alert" not in source
    assert "This file is no text." in teacher.get(f"{page}source?file=checkpoint.safetensors").text
    assert raw.data == bundle_zip(break_it=f"# {evil}")
    assert raw.headers["Content-Disposition"].startswith("attachment")
    assert raw.mimetype == "application/octet-stream"
    for name in ("../../etc/passwd", "nothing.py", ""):
        assert teacher.get(f"{page}source?file={name}").status_code == 404
    assert signed_in(app_of(site), "ann").get(page).status_code == 404


def test_code_that_reads_otherwise_than_it_runs_is_seen(site: Site) -> None:
    trick = "#\u202e } \u2066if admin\u2069 \u2066 begin\u200b\x0c\x1b[2J\ttab é 林\n"
    bundle = bundle_zip(break_it=trick + "\n" * 200_000)
    public_id = site.hand_in("ann", bundle, filename="my.zip")

    shown = sources.source(site.state.blobs, site.submission(public_id), "model.py")

    assert shown.lines is not None
    assert shown.lines[0] == (
        "#<U+202E> } <U+2066>if admin<U+2069> <U+2066> begin<U+200B><U+000C><U+001B>[2J\ttab é 林"
    )
    assert shown.is_cut
    assert len(shown.lines) == sources.MOST_LINES


def test_a_csv_is_read_up_to_a_bound(site: Site) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    found = site.submission(public_id)
    shown = sources.source(site.state.blobs, found, "predictions.csv")
    assert shown.lines is not None
    assert shown.lines[0] == "id,label"
    assert not shown.is_cut


def test_staff_see_both_scores_and_the_history_of_one(site: Site, teacher: FlaskClient) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder, wrong=8))
    site.score(public_id)
    page = teacher.get(f"/staff/s/{public_id}/").text
    for part in ("data-public", "data-private"):
        assert re.search(rf"{part}>1?\.\d{{3}}", page), part
    assert site.submission(public_id).current_evaluation.content_sha256 in page
    assert f"/staff/s/{public_id}/" in teacher.get(f"/s/{public_id}").text


def test_a_note_is_the_teams_own_and_goes_with_the_person(site: Site, teacher: FlaskClient) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder, wrong=8))
    site.score(public_id)
    page = f"/staff/s/{public_id}/"
    send(teacher, f"{page}notes", form=page, text="  Ask about the seed.  ")
    send(teacher, f"{page}notes", form=page, text="Second.")
    assert send(teacher, f"{page}notes", form=page, text=" ").status_code == 400
    shown = teacher.get(page).text
    assert "Ask about the seed." in shown
    note = re.findall(r'name="note" value="(\d+)"', shown)
    send(teacher, f"{page}notes/remove", form=page, note=note[1])

    ann = signed_in(app_of(site), "ann")
    assert "Ask about the seed." not in ann.get(f"/s/{public_id}").text
    with site.state.database.session() as session:
        user = session.get_one(User, site.person("ann").id)
        [told] = privacy.record_of(session, user)["notes"]
        assert (told["text"], told["submission"]) == ("Ask about the seed.", public_id)
        assert not re.search(r"\bada\b", str(told))  # an id may hold any three letters
        privacy.erase(session, site.state, user)
        assert session.scalars(sa.select(SubmissionNote)).all() == []
        assert session.scalars(sa.select(Submission)).one().current_evaluation_id


def test_a_note_outlives_its_author_without_their_name(site: Site) -> None:
    from leaderboard.submissions import notes

    site.person("ada", Role.INSTRUCTOR)
    public_id = site.hand_in("ann", predictions_csv(site.folder, wrong=8))
    site.score(public_id)
    with site.state.database.session() as session:
        ada = session.get_one(User, site.person("ada").id)
        found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
        notes.add(session, found, "Seen.", actor=ada)
        privacy.erase(session, site.state, ada)
        assert session.scalars(sa.select(SubmissionNote)).one().author_id is None
