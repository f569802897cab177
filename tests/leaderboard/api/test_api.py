"""`/api/v1` as programs see it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import documented
import pytest
import sqlalchemy as sa
from flask import Flask
from small_site import PASSWORD, Api, Site, make_site, predictions_csv, write_assignment
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from grader import Predictions
from leaderboard import create_app
from leaderboard.models import Role
from leaderboard.queue import watching
from leaderboard.views import report as views
from leaderboard.views.shapes import as_json

A = "/courses/dl-1/assignments/animals"
As = Callable[..., Api]


@pytest.fixture
def app(app: Flask) -> Flask:
    """Every reply is held against the OpenAPI document."""
    documented.holding(app)
    return app


def test_email_and_password_become_a_token(app: Flask, site: Site) -> None:
    site.person("ann")
    client = app.test_client()

    reply = client.post(
        "/api/v1/tokens",
        json={"email": "Ann@Example.edu ", "password": PASSWORD, "name": "my laptop"},
    )

    assert reply.status_code == 201
    assert reply.headers["Cache-Control"] == "no-store"
    headers = {"Authorization": f"Bearer {reply.get_json()['token']}"}
    me = client.get("/api/v1/me", headers=headers).get_json()
    assert me["email"] == "ann@example.edu"
    assert [course["role"] for course in me["courses"]] == ["student"]
    wrong = client.post("/api/v1/tokens", json={"email": "ann@example.edu", "password": "no"})
    assert (wrong.status_code, wrong.get_json()["code"]) == (401, "sign_in_refused")


def test_a_hand_in_is_answered_with_id_place_and_receipt(api: As, site: Site) -> None:
    content = predictions_csv(site.folder)
    ann = api("ann")

    reply = ann.hand_in(content, key="k")
    report = reply.get_json()

    assert reply.status_code == 201
    assert report["status"] == "queued"
    assert report["queue"]["place"] == 1
    assert report["message"] == "first try"
    assert report["receipt"]["sha256"] == hashlib.sha256(content).hexdigest()
    again = ann.hand_in(content, key="k")
    assert (again.status_code, again.get_json()["id"]) == (200, report["id"])
    other = ann.hand_in(predictions_csv(site.folder, wrong=1), key="k")
    assert (other.status_code, other.get_json()["code"]) == (409, "idempotency_conflict")


def test_a_wrong_csv_comes_back_as_rej_with_lines(api: As, site: Site) -> None:
    lines = predictions_csv(site.folder).decode().splitlines()
    lines[16] = "img999,9"

    report = api("ann").hand_in("\n".join(lines).encode()).get_json()

    assert report["verdict"] == "REJ"
    assert report["verdict_owner"] == "student"
    assert any(problem["line"] == 17 for problem in report["problems"])


def test_a_finished_submission_shows_the_public_score_only(api: As, site: Site) -> None:
    ann = api("ann")
    public_id = ann.hand_in(predictions_csv(site.folder, wrong=8)).get_json()["id"]
    site.score(public_id)

    report = ann.get(f"/submissions/{public_id}").get_json()
    staff = Api(ann.client, _staff_token(site)).get(f"/submissions/{public_id}").get_json()

    assert report["verdict"] == "OK"
    assert 0 < report["public"]["accuracy"] <= 1
    assert report["private"] is None
    assert "confusion" not in report["public"]  # the assignment's feedback is per_class
    assert len(report["public"]["per_class"]) == 4
    assert "evaluations" not in report
    assert 0 < staff["private"]["accuracy"] <= 1
    assert staff["evaluations"][0]["cause"] == "hand_in"


def test_the_board_comes_in_pages_with_an_etag(api: As, site: Site) -> None:
    for number, name in enumerate(("ann", "bob", "cid")):
        site.score(site.hand_in(name, predictions_csv(site.folder, wrong=20 * number)))
    ann = api("ann")

    reply = ann.get(f"{A}/leaderboard?per_page=2")
    board = reply.get_json()
    unchanged = ann.get(f"{A}/leaderboard?per_page=2", **{"If-None-Match": reply.headers["ETag"]})

    assert [row["team_name"] for row in board["rows"]] == ["ann", "bob"]
    assert (board["total"], board["pages"]) == (3, 2)
    assert board["mine"]["rank"] == 1
    assert unchanged.status_code == 304
    assert unchanged.data == b""
    second = ann.get(f"{A}/leaderboard?per_page=2&page=2").get_json()
    assert [(row["rank"], row["team_name"]) for row in second["rows"]] == [(3, "cid")]
    assert ann.get(f"{A}/leaderboard?page=minus").status_code == 400
    assert ann.get(f"{A}/leaderboard?split=secret").status_code == 400


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=0-4", 206, slice(0, 5)),
        ("bytes=-7", 206, slice(-7, None)),
        ("lines=1-2", 416, None),
        ("bytes=99999999-", 416, None),
    ],
)
def test_a_part_of_the_pack_can_be_had(
    api: As, asked: str, status: int, part: slice | None
) -> None:
    whole = api("ann").get(f"{A}/pack")
    reply = api("ann").get(f"{A}/pack", Range=asked)
    assert reply.status_code == status
    if part is not None:
        assert reply.data == whole.data[part]
        assert reply.headers["ETag"] == whole.headers["ETag"]
        assert reply.content_length == len(whole.data[part])
    else:
        assert reply.content_type == "application/problem+json"


def test_the_pack_is_streamed_with_its_hash(api: As, site: Site) -> None:
    reply = api("ann").get(f"{A}/pack")

    assert reply.headers["X-Content-SHA256"] == hashlib.sha256(reply.data).hexdigest()
    assert int(reply.headers["Content-Length"]) == len(reply.data)
    assert b"answers.csv" not in reply.data


def test_the_quota_counts_down(tmp_path: Path) -> None:
    site = make_site(tmp_path, write_assignment(tmp_path / "animals", daily_limit=1))
    ann = Api(create_app(state=site.state).test_client(), site.token("ann"))
    assert ann.get(f"{A}/quota").get_json()["remaining"] == 1

    ann.hand_in(predictions_csv(site.folder))
    refused = ann.hand_in(predictions_csv(site.folder, wrong=1))

    assert ann.get(f"{A}/quota").get_json()["remaining"] == 0
    problem = refused.get_json()
    assert refused.status_code == 429
    assert refused.content_type == "application/problem+json"
    assert int(refused.headers["Retry-After"]) > 0
    assert (problem["code"], problem["owner"], problem["errors"]) == (
        "quota_exceeded",
        "student",
        [],
    )


def test_an_upload_over_the_limit_is_refused_before_it_is_kept(tmp_path: Path) -> None:
    site = make_site(
        tmp_path, write_assignment(tmp_path / "animals", submission="max_upload_mb = 1")
    )
    ann = Api(create_app(state=site.state).test_client(), site.token("ann"))

    # encoded here: the test client would spool it to a file that it leaves open
    boundary, body = encode_multipart(
        {"file": FileStorage(io.BytesIO(b"0" * (3 << 20)), filename="p.csv")}
    )
    reply = ann.client.post(
        f"/api/v1{A}/submissions",
        data=body,
        content_type=f"multipart/form-data; boundary={boundary}",
        headers={"Authorization": f"Bearer {ann.token}"},
    )

    assert (reply.status_code, reply.get_json()["code"]) == (413, "too_large")
    assert list((site.state.blobs.folder / "staging").iterdir()) == []


def test_what_a_refused_upload_left_is_swept_away(api: As, site: Site) -> None:
    site.person("assistant", Role.ASSISTANT)
    reply = api("assistant").hand_in(predictions_csv(site.folder))  # staff have no team
    empty = api("ann").hand_in(b"")

    assert reply.status_code == 404
    assert (empty.status_code, empty.get_json()["code"]) == (422, "empty_upload")
    assert list((site.state.blobs.folder / "staging").iterdir()) == []


def test_picks_are_set_as_a_whole_and_decide_the_private_score(api: As, site: Site) -> None:
    ann = api("ann")
    ids = []
    for wrong in (0, 30, 60):
        ids.append(ann.hand_in(predictions_csv(site.folder, wrong=wrong)).get_json()["id"])
        site.score(ids[-1])

    assert ann.post(f"{A}/picks", submissions=ids).status_code == 400  # at most two
    picked = ann.post(f"{A}/picks", submissions=ids[1:])

    assert picked.get_json() == {"submissions": ids[1:]}
    assert [ann.get(f"/submissions/{each}").get_json()["is_final_pick"] for each in ids] == [
        False,
        True,
        True,
    ]
    assert ann.post(f"{A}/picks", submissions=["s_0000000000"]).status_code == 404
    with site.state.database.reading() as session:
        decided = session.execute(
            sa.text(
                "SELECT s.public_id FROM standing JOIN submission s ON s.id = submission_id "
                "WHERE split = 'private'"
            )
        ).scalar_one()
    assert decided == ids[1]


def test_staff_release_rejudge_and_download_by_the_api(api: As, site: Site) -> None:
    ann = api("ann")
    public_id = ann.hand_in(predictions_csv(site.folder, wrong=4)).get_json()["id"]
    site.score(public_id)
    staff = Api(ann.client, _staff_token(site))

    listed = staff.get(f"/staff{A}/submissions").get_json()["items"]
    again = staff.post(f"/staff/submissions/{public_id}/rejudge", cause="rescore")
    site.score(public_id)
    released = staff.post(f"/staff{A}/release", released=True)

    assert listed[0]["private"]["accuracy"] > 0
    assert (again.status_code, again.get_json()["status"]) == (202, "queued")
    assert released.get_json()["released_at"]
    assert ann.get(f"/submissions/{public_id}").get_json()["private"]["accuracy"] > 0
    grades = staff.get(f"/staff{A}/grades.csv").text
    assert grades.splitlines()[0].startswith("email,name,number,section,team")
    assert f",{public_id}" in grades
    assert staff.post(f"/staff{A}/release", released=False).get_json() == {"released_at": None}
    assert ann.get(f"/submissions/{public_id}").get_json()["private"] is None


def test_events_tell_of_each_step_and_end_with_the_verdict(site: Site) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    found = site.submission(public_id)
    site.state.watcher.enter(found.id, 1)
    stream = watching.stream(
        site.state.watcher,
        found.id,
        lambda session, each: as_json(views.student_report(session, each)),
    )

    first = next(stream)
    site.score(public_id)
    rest = list(stream)
    site.state.watcher.leave(found.id, 1)

    reports = [json.loads(each.split("data: ")[1]) for each in (first, *rest)]
    assert reports[0]["status"] == "queued"
    assert (reports[-1]["status"], reports[-1]["verdict"]) == ("finished", "OK")
    assert all(each["private"] is None for each in reports)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("get", "/nothing", 404), ("put", "/me", 405), ("get", "/me", 401)],
)
def test_refusals_outside_the_routes_are_problem_json_too(
    app: Flask, method: str, path: str, status: int
) -> None:
    reply = app.test_client().open(f"/api/v1{path}", method=method.upper())

    assert reply.status_code == status
    assert reply.content_type == "application/problem+json"
    assert reply.get_json()["status"] == status
    if status == 401:
        assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_stored_predictions_are_what_was_handed_in(site: Site) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder, wrong=3))
    site.score(public_id)
    evaluation = site.submission(public_id).current_evaluation
    assert evaluation is not None
    assert evaluation.predictions_sha256 is not None
    kept = Predictions.from_bytes(site.state.blobs.read(evaluation.predictions_sha256))
    assert len(kept.ids) == 80


def _staff_token(site: Site) -> str:
    site.person("instructor", Role.INSTRUCTOR)
    return site.token("instructor", staff=True)
