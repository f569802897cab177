"""Before release, changing every private score changes not one byte of what students get."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from every_route import leave_traces, may, requests_of
from flask import Flask
from flask.testing import FlaskClient
from signing_in import signed_in
from small_site import Site, make_site, predictions_csv, write_assignment

from leaderboard import create_app
from leaderboard.accounts import signing
from leaderboard.assignments import release
from leaderboard.db import utcnow
from leaderboard.messages import notifications
from leaderboard.models import Role, Split, SplitScore, Standing, Submission
from leaderboard.web.student import board

Responses = dict[str, tuple[int, list[tuple[str, str]], bytes]]


@pytest.fixture(params=["exact", "rounded", "ladder"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    tmp_path = tmp_path_factory.mktemp("site")
    folder = write_assignment(
        tmp_path / "animals",
        scoring=f'public_board = "{request.param}"\nfeedback = "confusion"',
    )
    made = make_site(tmp_path, folder)
    for name in ("mate", "other", "third"):
        made.person(name)
    made.person("baselines", Role.BASELINE)
    for number, name in enumerate(("mate", "other", "mate", "third", "baselines", "mate")):
        made.score(made.hand_in(name, predictions_csv(made.folder, wrong=5 * number, seed=number)))
    with made.state.database.write() as session:
        for submission in session.scalars(sa.select(Submission)):
            submission.claims = {"accuracy": "0.99", "macro_f1": "83.1%"}
    made.hand_in("mate", b"id,label\nnone,1\n")
    made.hand_in("mate", predictions_csv(made.folder, wrong=1))  # waits
    leave_traces(made)
    with made.state.database.session() as session:
        notifications.mark_read(session, made.person("mate"))  # the walk reads one
    yield made
    made.state.close()


@dataclass
class Student:
    """One signed-in student, in whose pages nothing is random and no time passes."""

    site: Site
    app: Flask
    client: FlaskClient
    token: str


@pytest.fixture
def student(site: Site, monkeypatch: pytest.MonkeyPatch) -> Student:
    app = create_app(state=site.state)
    client = signed_in(app, "mate")
    with client.session_transaction() as cookie:
        cookie["csrf_token"] = "0" * 40
    made = Student(site=site, app=app, client=client, token=site.token("mate"))
    now, moment = time.time(), utcnow()
    monkeypatch.setattr(board, "utcnow", lambda: moment)  # the chart ends at the present
    # CSRF tokens and the links of mails hold the second of their making
    monkeypatch.setattr(signing, "utcnow", lambda: moment)
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(secrets, "token_urlsafe", lambda *_: "not random")  # idempotency keys
    monkeypatch.setattr(secrets, "token_hex", lambda *_: "not random")
    return made


def everything_students_get(student: Student) -> Responses:
    """All GET routes that students may use, on every submission of the team, as one student."""
    site, app, client = student.site, student.app, student.client
    headers = {"Authorization": f"Bearer {student.token}"}
    with site.state.database.reading() as session:
        mine = session.scalars(
            sa.select(Submission.public_id).where(
                Submission.team_id == site.team(session, "mate").id,
                # a waiting one's stream lasts for minutes; its report is looked at below
                Submission.verdict.is_not(None),
            )
        ).all()
        waiting = session.scalars(
            sa.select(Submission.public_id).where(Submission.verdict.is_(None))
        ).one()
    seen: Responses = {}
    for url, api in _urls(app, mine):
        with client.get(url, headers=headers if api else {}) as reply:
            fields = [field for field in reply.headers if field[0] != "Date"]
            seen[url] = (reply.status_code, fields, reply.data)
    for url in (f"/s/{waiting}", f"/api/v1/submissions/{waiting}"):
        reply = client.get(url, headers=headers if "api" in url else {})
        seen[url] = (reply.status_code, list(reply.headers), reply.data)
    return seen


def _urls(app: Flask, public_ids: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """What a student may get, and whether it is of the API."""
    for public_id in public_ids:
        for rule, method, url in requests_of(app, public_id):
            if method != "GET" or not may("mate", rule.endpoint):
                continue
            if rule.endpoint == "probes.numbers":
                continue  # for programs of this machine: it counts the requests themselves
            queries = ("", "?split=private", "?page=2", "?q=m")
            if "public_id" not in rule.arguments and public_id != public_ids[0]:
                continue
            for query in queries if "leaderboard" in url else queries[:1]:
                yield url + query, rule.endpoint.startswith("api.")


def change_every_private_score(site: Site) -> None:
    with site.state.database.write() as session:
        # scores are append-only; this is what an own row for each would come to
        session.execute(sa.text("DROP TRIGGER IF EXISTS split_score_no_update"))
        for number, score in enumerate(
            session.scalars(sa.select(SplitScore).where(SplitScore.split == Split.PRIVATE))
        ):
            wrong = 0.987654321 - 0.1 * number
            score.primary = score.shown = score.accuracy = score.macro_f1 = wrong
            score.macro_precision = score.macro_recall = wrong
            score.intervals = {"accuracy": [0.98765, 0.99]}
            score.right = b"\xa5" * len(score.right)
            score.report = {
                name: wrong if isinstance(value, float) else value
                for name, value in score.report.items()
            }
        for number, standing in enumerate(
            session.scalars(sa.select(Standing).where(Standing.split == Split.PRIVATE))
        ):
            standing.primary = 0.123456789 + 0.1 * number
            standing.rank_key = -standing.primary
            standing.right = b"\x5a" * len(standing.right)
            standing.accuracy = standing.macro_f1 = standing.primary


def test_changing_every_private_score_changes_no_byte_that_a_student_gets(
    student: Student,
) -> None:
    before = everything_students_get(student)

    change_every_private_score(student.site)
    after = everything_students_get(student)

    assert len(before) > 50
    assert {status for status, _, _ in before.values()} <= {200, 303, 404}
    changed = [url for url in before if before[url] != after[url]]
    assert {url: (before[url], after[url]) for url in changed[:1]} == {}
    assert not any(b"0.98765" in data or b"0.12345" in data for _, _, data in after.values())


def test_the_same_comparison_notices_a_release(student: Student) -> None:
    with student.site.state.database.session() as session:
        release.release(session, student.site.assignment(session), actor=None)
    before = everything_students_get(student)

    change_every_private_score(student.site)

    assert everything_students_get(student) != before


def test_the_private_board_does_not_exist_before_its_release(site: Site) -> None:
    app = create_app(state=site.state)
    headers = {"Authorization": f"Bearer {site.token('mate')}"}
    url = "/api/v1/courses/dl-1/assignments/animals/leaderboard?split=private"
    assert app.test_client().get(url, headers=headers).status_code == 404

    with site.state.database.session() as session:
        release.release(session, site.assignment(session), actor=None)

    shown = app.test_client().get(url, headers=headers).get_json()
    assert [row["rank"] for row in shown["rows"] if not row["is_baseline"]] == [1, 2, 3]
