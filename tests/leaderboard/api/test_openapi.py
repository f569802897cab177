"""The OpenAPI document, and that every reply is as it says."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import documented
import jsonschema_rs
import pytest
import sqlalchemy as sa
from flask import Flask
from small_site import PASSWORD, Api, Site, make_site, predictions_csv, write_assignment

from leaderboard import create_app
from leaderboard.api.openapi import document
from leaderboard.db import utcnow
from leaderboard.models import GradeLowering, LabelDecision, Role

A = "/courses/dl-1/assignments/animals"
# programs call these: one that was released is never renamed
NAMES = {
    "cancel_submission",
    "download_grades",
    "download_pack",
    "follow_submission",
    "get_assignment",
    "get_leaderboard",
    "get_me",
    "get_openapi",
    "get_quota",
    "get_receipt_key",
    "get_submission",
    "grant_extension",
    "list_all_submissions",
    "list_assignments",
    "list_extensions",
    "list_submissions",
    "make_token",
    "pick_finals",
    "rejudge_submission",
    "release_board",
    "revoke_extension",
    "submit",
}


def _operations() -> list[dict]:
    return [
        operation
        for item in document()["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    ]


def test_the_document_names_every_route_and_no_other(app: Flask) -> None:
    routes = {
        (re.sub(r"<(?:int:)?(\w+)>", r"{\1}", rule.rule.removeprefix("/api/v1")), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    told = {
        (path.replace("{submission}", "{public_id}"), method)
        for path, item in document()["paths"].items()
        for method in item
        if method != "parameters"
    }

    assert told == routes


def test_what_the_document_refers_to_is_there_and_used() -> None:
    parts = document()["components"]
    referred = set(re.findall(r"#/components/(\w+)/(\w+)", json.dumps(document())))

    assert referred == {(kind, name) for kind in ("schemas", "responses") for name in parts[kind]}


def test_every_operation_has_a_name_of_its_own_and_one_group() -> None:
    names = [operation["operationId"] for operation in _operations()]
    groups = {tag["name"] for tag in document()["tags"]}

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(?:_[a-z]+)*", name) for name in names)
    assert set(names) >= NAMES
    assert {tag for operation in _operations() for tag in operation["tags"]} == groups
    assert all(len(operation["tags"]) == 1 for operation in _operations())


def test_every_reply_is_as_the_document_says(tmp_path: Path) -> None:
    made = make_site(
        tmp_path,
        write_assignment(
            tmp_path / "animals",
            daily_limit=5,
            scoring='feedback = "confusion"',
            schedule='due = 2099-01-01T00:00:00+00:00\ntime_zone = "Asia/Shanghai"',
        ),
    )
    app = create_app(state=made.state)
    app.testing = True
    held = documented.holding(app)
    _tell(app, made, held)
    made.state.close()

    reached = {name for name, status in held.seen if status < 300}
    assert reached == held.operations()
    assert {status for _name, status in held.seen} >= {304, 400, 401, 403, 404, 409, 422}


def _tell(app: Flask, site: Site, held: documented.Held) -> None:
    """Call every operation, as a student and as an instructor, before and after the release."""
    site.person("ada", Role.INSTRUCTOR)
    ann = Api(app.test_client(), site.token("ann"))
    ada = Api(app.test_client(), site.token("ada", staff=True))
    nobody = Api(app.test_client(), "nothing")
    app.test_client().post(
        "/api/v1/tokens", json={"email": "ann@example.edu", "password": PASSWORD}
    )
    for path in ("/openapi.json", "/receipt-key", "/me", "/courses/dl-1/assignments", A):
        ann.get(path)
    scored = ann.hand_in(predictions_csv(site.folder, wrong=9), key="one").get_json()["id"]
    ann.hand_in(predictions_csv(site.folder, wrong=9), key="one")
    ann.hand_in(predictions_csv(site.folder, wrong=9), key="two")  # warns of a twin
    ann.hand_in(predictions_csv(site.folder, wrong=8), key="one")
    ann.hand_in(b"id,label\nimg000,9\n")
    ann.hand_in(b"\x89PNG", filename="cat.png")
    waiting = ann.hand_in(predictions_csv(site.folder, wrong=7)).get_json()["id"]
    _upload(ann, predictions_csv(site.folder, wrong=6))
    ann.get(f"/submissions/{waiting}")
    ann.post(f"/submissions/{waiting}/cancel")
    _watch(site, ada, ann.hand_in(predictions_csv(site.folder, wrong=5)).get_json()["id"])
    site.score(scored)
    ann.post(f"{A}/picks", submissions=[scored])
    granted = ada.post(
        "/staff/courses/dl-1/extensions",
        whom="ann@example.edu",
        hours=24,
        assignment="animals",
    )
    ada.post(f"/staff/submissions/{scored}/rejudge")
    site.score(scored)
    for released in (False, True):
        ada.post(f"/staff{A}/release", released=released)
        for path in ("/pack", "/leaderboard", "/quota", "/submissions"):
            ann.get(A + path)
        for reader in (ann, ada):
            reader.get(f"/submissions/{scored}")
            _follow(reader, scored, held)
            reader.get(f"{A}/leaderboard?split=private")
        for path in ("submissions", "grades.csv"):
            ada.get(f"/staff{A}/{path}")
    _grade(ann, ada)
    _regrade(ann, ada, scored)
    _sign(site, ada)
    _labels(site, ada)
    _decide_cases(ann, ada, scored)
    ada.get("/staff/courses/dl-1/extensions")
    ada.client.delete(
        f"/api/v1/staff/courses/dl-1/extensions/{granted.get_json()['id']}",
        headers={"Authorization": f"Bearer {ada.token}"},
    )
    board = ann.get(f"{A}/leaderboard")
    ann.get(f"{A}/leaderboard", **{"If-None-Match": board.headers["ETag"]})
    ann.get(f"{A}/leaderboard?track=none")
    _erasure(Api(app.test_client(), site.token("ben")))
    ann.get("/submissions/s_0000000000")
    ann.get(f"/staff{A}/submissions")
    nobody.get("/me")


def _watch(site: Site, ada: Api, waiting: str) -> None:
    """The course at a glance, while one of its students has not handed in."""
    site.person("cem")
    for path in ("/staff/courses/dl-1/overview", f"/staff{A}/missing", f"/staff{A}/difficulty"):
        ada.get(path)
    now = utcnow()
    between = {"since": (now - timedelta(hours=1)).isoformat(), "until": now.isoformat()}
    ada.post(f"/staff{A}/away", **between)
    ada.post(f"/staff{A}/away", since="x", until="y")
    ada.post(f"/staff/submissions/{waiting}/first")
    ada.get("/staff/courses/dl-1/jobs")
    ada.post(f"/staff{A}/missing")
    ada.post(f"/staff{A}/missing")
    ada.post(f"/staff/submissions/{waiting}/notes", text="Ask about the seed.")
    for path in ("notes", "file"):
        ada.get(f"/staff/submissions/{waiting}/{path}")
    for path in ("rejudge", "cancel"):
        ada.post(f"/staff{A}/{path}", submissions=[waiting])
        ada.post(f"/staff{A}/{path}", submissions=[])


def _grade(ann: Api, ada: Api) -> None:
    """Decide about a grade and end it, publish, and ask for a lowering that nobody signs; then for
    one that is a day old."""
    grades = f"/staff{A}/grades"
    ada.get(grades)
    ada.get("/staff/courses/dl-1/grades")
    for kind in ("csv", "xlsx", "blackboard", "none"):
        ada.get(f"{grades}/export?format={kind}")
    book = b"Student,ID,SIS User ID,SIS Login ID,Section\nann,1,,ann@example.edu,\n"
    for dry_run in ("true", "false"):
        ada.client.post(
            f"/api/v1{grades}/fill",
            headers={"Authorization": f"Bearer {ada.token}"},
            data={"file": (io.BytesIO(book), "canvas.csv"), "dry_run": dry_run},
        )
    made = ada.post(
        f"{grades}/decisions", whom="ann@example.edu", kind="override", value="1", reason="A talk."
    )
    bearer = {"Authorization": f"Bearer {ada.token}"}
    ada.post(f"{grades}/publish")
    ada.client.delete(f"/api/v1{grades}/decisions/{made.get_json()['id']}", headers=bearer)
    ann.get(f"{A}/grade")
    ada.post(f"{grades}/lowering", reason="The key was wrong.")
    ada.post(f"{grades}/lowering/sign")
    ada.client.delete(f"/api/v1{grades}/lowering", headers=bearer)
    ada.post(f"{grades}/lowering", reason="The key was wrong.")


def _regrade(ann: Api, ada: Api, scored: str) -> None:
    """Ask about a grade; it is assigned, answered and closed. A reply is kept and forgotten."""
    threads, kept = "/staff/courses/dl-1/regrades", "/staff/courses/dl-1/saved-replies"
    asked = ann.post(f"/submissions/{scored}/regrade", text="Please look again.").get_json()
    ann.get(f"/submissions/{scored}/regrade")
    ada.get(threads)
    one = f"{threads}/{asked['id']}"
    ada.post(f"{one}/assign", owner="ada@example.edu", due_at="2099-01-01T00:00")
    ada.post(one, text="We do.")
    ada.post(one, text="It stays.", outcome="unchanged")
    reply = ada.post(kept, title="Stays", text="It stays.").get_json()
    ada.get(kept)
    bearer = {"Authorization": f"Bearer {ada.token}"}
    ada.client.delete(f"/api/v1{kept}/{reply['id']}", headers=bearer)


def _sign(site: Site, ada: Api) -> None:
    with site.state.database.write() as session:
        session.execute(sa.update(GradeLowering).values(asked_at=utcnow() - timedelta(days=2)))
    ada.post(f"/staff{A}/grades/lowering/sign")


def _labels(site: Site, ada: Api) -> None:
    """One decision is taken back, another confirmed a day later and published."""
    labels, why = f"/staff{A}/labels", "It can't be told."
    for image in ("img000", "img001"):
        ada.post(labels, image=image, choice="withdraw", reason=why)
    ada.post(labels, image="img002", choice="relabel", label="unicorn", reason=why)
    ada.post(f"{labels}/1/drop", reason="It can.")
    ada.post(f"{labels}/2/confirm")
    with site.state.database.write() as session:
        session.execute(sa.update(LabelDecision).values(decided_at=utcnow() - timedelta(days=2)))
    ada.post(f"{labels}/2/confirm")
    ada.post(f"{labels}/moves")
    edition = ada.get(labels).get_json()["edition"]
    ada.post(f"{labels}/publish", edition=edition)
    ada.post(f"{labels}/publish", edition=edition)


def _decide_cases(ann: Api, ada: Api, scored: str) -> None:
    """One case from notice to reply, void and back; another is closed."""
    until = (utcnow() + timedelta(days=7)).isoformat()
    for steps in (("notice", "reply", "void", "restore"), ("close",)):
        opened = ada.post(f"/staff/submissions/{scored}/cases", text="The same file.").get_json()
        route = f"/courses/dl-1/cases/{opened['id']}"
        for step in steps:
            if step == "reply":
                ann.get(route)
                ann.post(f"{route}/reply", text="I made it.")
            else:
                fields = {"reply_until": until} if step == "notice" else {}
                ada.post(f"/staff{route}/{step}", text="Because.", **fields)
            ann.get(f"/submissions/{scored}")
        ada.get(f"/staff{route}")
    ada.get("/staff/courses/dl-1/cases")


def _erasure(ben: Api) -> None:
    ben.get("/me/erasure")
    bearer = {"Authorization": f"Bearer {ben.token}"}
    ben.client.delete("/api/v1/me/erasure", headers=bearer)
    ben.post("/me/erasure", confirmation=PASSWORD)


def _upload(ann: Api, content: bytes) -> None:
    """Commit to a file and send it in two parts; commit to another and withdraw it."""
    fields = {"size": len(content), "filename": "p.csv"}
    made = ann.post(f"{A}/uploads", sha256=hashlib.sha256(content).hexdigest(), **fields).get_json()
    bearer = {"Authorization": f"Bearer {ann.token}"}
    for start, part in ((0, content[:9]), (9, content[9:]), (9, b"again")):
        ann.get(f"/uploads/{made['id']}")
        ann.client.patch(
            f"/api/v1/uploads/{made['id']}",
            data=part,
            headers={**bearer, "Upload-Offset": str(start)},
            content_type="application/octet-stream",
        )
    other = ann.post(f"{A}/uploads", sha256="a" * 64, **fields).get_json()
    ann.client.delete(f"/api/v1/uploads/{other['id']}", headers=bearer)


def _follow(reader: Api, public_id: str, held: documented.Held) -> None:
    """Hold the data of each event, which is text in the document, against the report's shape."""
    told = reader.get(f"/submissions/{public_id}/events").get_data(as_text=True)
    events = [line.removeprefix("data: ") for line in told.splitlines() if "data: " in line]
    assert events
    for event in events:
        held.validate(
            json.loads(event),
            {
                "anyOf": [
                    {"$ref": f"#/components/schemas/{name}"}
                    for name in ("Submission", "StaffSubmission")
                ]
            },
        )


@pytest.mark.parametrize(
    "reply",
    [
        {"name": "Ann", "email": "ann@example.edu"},
        {"name": 7, "email": "ann@example.edu", "courses": []},
    ],
    ids=["a member is missing", "a wrong type"],
)
def test_a_reply_that_is_not_as_the_document_says_is_noticed(
    app: Flask, api: Callable[..., Api], reply: dict
) -> None:
    documented.holding(app)
    app.view_functions["api.me"] = lambda: reply
    with pytest.raises(jsonschema_rs.ValidationError):
        api("ann").get("/me")
