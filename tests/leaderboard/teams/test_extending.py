"""Extending by page, API and command; what the student and team mates see of it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from commands import run
from flask import Flask
from signing_in import signed_in
from small_site import Api, Site, predictions_csv, write_assignment

from leaderboard.models import Course, Extension, Role, User
from leaderboard.teams import membership

DUE = datetime(2097, 3, 1, 12, 0, 0, tzinfo=UTC)
LATER = DUE + timedelta(days=2)
PAGE = "/staff/c/dl-1/extensions/"
ROUTE = "/staff/courses/dl-1/extensions"


@pytest.fixture
def assignment_folder(tmp_path: Path) -> Path:
    return write_assignment(
        tmp_path / "animals", schedule=f"due = {DUE.isoformat()}", daily_limit=3
    )


def api(app: Flask, site: Site, name: str, role: Role = Role.STUDENT) -> Api:
    site.person(name, role)
    return Api(app.test_client(), site.token(name, staff=role.is_staff))


def send(app: Flask, who: str, path: str, **fields: Any) -> Any:
    client = signed_in(app, who)
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(PAGE).text)
    assert found is not None
    return client.post(path, data={"csrf_token": found[1], **fields})


def test_an_instructor_extends_by_page_and_the_student_reads_the_new_date(
    app: Flask, site: Site
) -> None:
    ann = site.person("ann")
    site.person("boss", Role.INSTRUCTOR)

    reply = send(
        app,
        "boss",
        PAGE,
        whom=f"user:{ann.id}",
        assignment="animals",
        due="2097-03-03T20:00",  # in Shanghai
        daily_limit="1",
        reason="illness",
        reference="DSO 2027-118",
    )

    listed = signed_in(app, "boss").get(PAGE).text
    student = signed_in(app, "ann")
    assert reply.status_code == 303
    assert "DSO 2027-118" in listed
    for path in ("/c/dl-1/", "/c/dl-1/a/animals/", "/c/dl-1/a/animals/submit"):
        text = student.get(path).text
        assert "2097-03-03 20:00" in text
        assert LATER.isoformat() in text  # the countdown's
        assert "extended" in text
        assert "DSO 2027" not in text
    assert "4 per team" in student.get("/c/dl-1/a/animals/").text
    assert "due at 2097-03-03 20:00 (Asia/Shanghai) now" in student.get("/notifications").text


def test_what_the_form_refuses_is_said_and_kept(app: Flask, site: Site) -> None:
    ann = site.person("ann")
    site.person("boss", Role.INSTRUCTOR)

    reply = send(
        app, "boss", PAGE, whom=f"user:{ann.id}", assignment="animals", due="2097-02-01T00:00"
    )

    assert reply.status_code == 400
    assert "later than everybody" in reply.text
    assert 'value="2097-02-01T00:00"' in reply.text


def test_revoking_by_page_brings_the_old_date_back(app: Flask, site: Site) -> None:
    site.person("ann")
    boss = api(app, site, "boss", Role.INSTRUCTOR)
    made = boss.post(ROUTE, whom="ann@example.edu", assignment="animals", hours=48).get_json()

    reply = send(app, "boss", f"{PAGE}{made['id']}/revoke")

    assert reply.status_code == 303
    assert "2097-03-01 20:00" in signed_in(app, "ann").get("/c/dl-1/a/animals/").text
    assert boss.get(ROUTE).get_json()["items"][0]["revoked_at"]


def test_the_api_extends_lists_and_ends(app: Flask, site: Site) -> None:
    student = api(app, site, "ann")
    boss = api(app, site, "boss", Role.INSTRUCTOR)

    made = boss.post(
        ROUTE,
        whom="ann@example.edu",
        assignment="animals",
        due="2097-03-03T20:00",
        late_days=1,
        reason="family",
    )
    seen = student.get("/courses/dl-1/assignments/animals").get_json()["schedule"]
    ended = boss.client.delete(
        f"/api/v1{ROUTE}/{made.json['id']}",
        headers={"Authorization": f"Bearer {boss.token}"},
    )
    after = student.get("/courses/dl-1/assignments/animals").get_json()["schedule"]

    assert (made.status_code, ended.status_code) == (201, 200)
    assert datetime.fromisoformat(made.json["due"]) == LATER
    assert (made.json["person"], made.json["reason"]) == ("ann@example.edu", "family")
    assert (datetime.fromisoformat(seen["due"]), seen["is_extended"]) == (LATER, True)
    assert (datetime.fromisoformat(after["due"]), after["is_extended"]) == (DUE, False)
    assert [each["id"] for each in boss.get(ROUTE).get_json()["items"]] == [made.json["id"]]


@pytest.mark.parametrize("number", [7, 1 << 80])
def test_an_extension_that_is_not_there_cannot_be_ended(
    app: Flask, site: Site, number: int
) -> None:
    boss = api(app, site, "boss", Role.INSTRUCTOR)
    headers = {"Authorization": f"Bearer {boss.token}"}

    assert boss.client.delete(f"/api/v1{ROUTE}/{number}", headers=headers).status_code == 404


def test_the_quota_of_the_api_is_the_extended_one(app: Flask, site: Site) -> None:
    student = api(app, site, "ann")
    api(app, site, "boss", Role.INSTRUCTOR).post(
        ROUTE, whom="ann@example.edu", assignment="animals", daily_limit=2
    )

    quota = student.get("/courses/dl-1/assignments/animals/quota").get_json()

    assert (quota["limit"], quota["remaining"]) == (5, 5)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"whom": "nobody@example.edu", "hours": 1},
        {"whom": "ann@example.edu", "hours": "2"},
        {"whom": "ann@example.edu", "hours": True},
        {"whom": "ann@example.edu", "assignment": "birds", "hours": 1},
        {"whom": "ann@example.edu", "assignment": "animals", "due": "soon"},
        {"whom": "ann@example.edu", "hours": 1, "reason": "boredom"},
        {"whom": "boss@example.edu", "hours": 1},
    ],
)
def test_the_api_refuses_what_makes_no_sense(
    app: Flask, site: Site, fields: dict[str, object]
) -> None:
    site.person("ann")
    reply = api(app, site, "boss", Role.INSTRUCTOR).post(ROUTE, **fields)

    assert reply.status_code in (400, 404)
    with site.state.database.reading() as session:
        assert session.scalars(sa.select(Extension)).all() == []


def test_a_command_extends_lists_in_course_time_and_ends(site: Site) -> None:
    site.person("ann")
    state = site.settings.state_dir

    made = run(
        state, "extend", "dl-1", "ann@example.edu", "-a", "animals", "--due", "2097-03-03T20:00"
    ).stdout
    listed = json.loads(run(state, "extend", "dl-1", "--json").stdout)
    ended = run(state, "extend", "dl-1", "--revoke", str(listed[0]["id"])).stdout
    refused = run(state, "extend", "dl-1", "ann@example.edu", code=3).stderr

    assert "due 2097-03-03 20:00 (Asia/Shanghai)" in made
    assert listed[0]["due"] == LATER.isoformat()
    assert "revoked" in ended
    assert "extends nothing" in refused


def test_what_a_mate_sees_is_the_date_alone(app: Flask, site: Site) -> None:
    ann, bob = site.person("ann"), site.person("bob")
    with site.state.database.session() as session:
        membership.move(
            session,
            session.get_one(Course, site.course.id),
            session.get_one(User, bob.id),
            site.team(session, "ann"),
            actor=session.get_one(User, ann.id),
        )
    boss = api(app, site, "boss", Role.INSTRUCTOR)
    boss.post(
        ROUTE, whom="ann@example.edu", assignment="animals", hours=48, reason="illness",
        reference="DSO 118",
    )  # fmt: skip

    mate = signed_in(app, "bob")
    pages = [
        mate.get(path).text for path in ("/c/dl-1/a/animals/", "/notifications", "/c/dl-1/team")
    ]
    assert "2097-03-03 20:00" in pages[0]
    assert "2097-03-03 20:00" in pages[1]
    assert not [text for text in pages if "DSO 118" in text or "llness" in text]


def test_a_chinese_reader_is_told_in_chinese(app: Flask, site: Site) -> None:
    site.person("ann")
    api(app, site, "boss", Role.INSTRUCTOR).post(
        ROUTE, whom="ann@example.edu", assignment="animals", hours=48, late_days=2
    )

    client = signed_in(app, "ann")
    text = client.get("/notifications", headers={"Accept-Language": "zh"}).text
    page = client.get("/c/dl-1/a/animals/", headers={"Accept-Language": "zh"}).text

    assert "你们小组的 Tiny animals 截止时间现为 2097-03-03 20:00（Asia/Shanghai）" in text
    assert "增加 2 个宽限日" in text
    assert "教学团队为你们小组延期了" in page


def test_a_hand_in_by_the_api_after_everybodys_date_is_taken_and_in_time(
    app: Flask, site: Site
) -> None:
    with site.state.database.write() as session:
        assignment = site.assignment(session)
        past = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
        assignment.settings_toml = assignment.settings_toml.replace(
            DUE.isoformat(), past.isoformat()
        )
    student = api(app, site, "ann")
    refused = student.hand_in(predictions_csv(site.folder))
    api(app, site, "boss", Role.INSTRUCTOR).post(
        ROUTE, whom="ann@example.edu", assignment="animals", hours=48
    )

    taken = student.hand_in(predictions_csv(site.folder))

    assert (refused.status_code, refused.json["code"]) == (403, "assignment_closed")
    assert taken.status_code == 201
    assert (taken.json["is_late"], taken.json["days_late"]) == (False, 0)
