"""What machines ask of a server: does it live, is it ready, how is it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from scraped import Scrape
from small_site import Site, predictions_csv

from leaderboard import create_app
from leaderboard.evaluations import publishing
from leaderboard.operations.monitoring.history import History
from leaderboard.queue.durable import Job


def scrape(app: Flask) -> Scrape:
    reply = app.test_client().get("/metrics")
    assert reply.status_code == 200, reply.text
    assert reply.content_type == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(reply.text)


def test_a_server_with_everything_is_alive_and_ready(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/healthz").text == "alive\n"
    ready = client.get("/readyz")
    assert (ready.status_code, ready.text) == (200, "ready\n")


def test_what_is_missing_is_named_and_the_process_lives_on(app: Flask, site: Site) -> None:
    with site.state.database.migrating() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    shutil.rmtree(site.settings.state_dir / "blobs")
    (site.settings.state_dir / "blobs").write_text("no folder")
    client = app.test_client()
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.text == "not ready: tables of this version, file store\n"
    assert client.get("/healthz").status_code == 200


def test_a_database_that_is_away_is_named_without_its_address(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> str:
        raise sa.exc.OperationalError("SELECT", {}, Exception("host=secret password=secret"))

    monkeypatch.setattr("leaderboard.migrations.mismatch", away)
    ready = app.test_client().get("/readyz")
    assert (ready.status_code, ready.text) == (503, "not ready: database\n")


ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


@pytest.mark.parametrize(
    ("settings", "headers", "environ", "status"),
    [
        ({}, {}, {}, 200),
        ({}, {}, ELSEWHERE, 403),
        ({}, {"X-Forwarded-For": "127.0.0.1"}, {}, 403),  # a proxy that nobody told of
        # a silent proxy on this machine looks like this machine
        ({"public_url": "https://grader.example.edu"}, {}, {}, 403),
        ({"public_url": "https://g.example.edu", "trusted_proxies": 1}, {}, {}, 200),
        ({"trusted_proxies": 1}, {"X-Forwarded-For": "127.0.0.1"}, {}, 403),
        ({"trusted_proxies": 1}, {"X-Forwarded-For": "127.0.0.1"}, ELSEWHERE, 403),
        ({"metrics_token": "s3cret"}, {}, {}, 403),
        ({"metrics_token": "s3cret"}, {"Authorization": "Bearer other"}, {}, 403),
        ({"metrics_token": "s3cret"}, {"Authorization": "Bearer s3cret"}, ELSEWHERE, 200),
    ],
)
def test_numbers_are_for_this_machine_or_the_token(
    site: Site, settings: dict[str, Any], headers: dict[str, str], environ: Any, status: int
) -> None:
    state = replace(site.state, settings=replace(site.settings, **settings))
    client = create_app(state=state).test_client()
    assert client.get("/metrics", headers=headers, environ_base=environ).status_code == status


def test_a_scrape_tells_of_queue_verdicts_phases_and_requests(app: Flask, site: Site) -> None:
    for wrong in (0, 6):
        site.score(site.hand_in("ada", predictions_csv(site.folder, wrong=wrong)))
    site.hand_in("ada", predictions_csv(site.folder, wrong=1))
    app.test_client().get("/no/such/page")
    found = scrape(app)
    assert found.value("leaderboard_queue_waiting", lane="csv") == 1
    assert 0 <= found.value("leaderboard_queue_oldest_seconds", lane="csv") < 60
    assert found.value("leaderboard_workers", lane="csv") == 0
    assert found.value("leaderboard_evaluations_total", verdict="OK", cause="hand_in") == 2
    assert found.value("leaderboard_phase_seconds_count", phase="scoring") == 2
    assert found.value("leaderboard_phase_seconds_count", phase="hidden") == 0
    process = found.labels("leaderboard_http_requests_total")[0]["process"]
    assert (
        found.value("leaderboard_http_requests_total", process=process, route="none", status="404")
        == 1
    )


def test_no_label_holds_a_name_of_a_person_or_what_a_client_sent(app: Flask, site: Site) -> None:
    client = app.test_client()
    site.score(site.hand_in("zebedee", predictions_csv(site.folder)))
    for number in range(3):
        client.get(f"/made-up/{number}?q=zebedee", headers={"User-Agent": "zebedee"})
        client.get(f"/s/made-up-{number}")
    page = client.get("/metrics").text
    assert "zebedee" not in page
    assert "made-up" not in page


def test_web_processes_of_one_machine_have_numbers_of_their_own(app: Flask, site: Site) -> None:
    name = "leaderboard_http_requests_total"
    other = create_app(state=site.state)
    for each in (app, other):
        each.test_client().get("/healthz")
    numbers = {scrape(each).labels(name)[0]["process"] for each in (app, other)}
    assert numbers == {"0", "1"}


@pytest.fixture
def failed_thrice(site: Site) -> Callable[[str], None]:
    """Hand in, and have the evaluation fail of one reason as often as it is tried."""

    def fail(reason: str) -> None:
        found = site.submission(site.hand_in("eve", predictions_csv(site.folder)))
        for attempt in range(3):
            job = Job(submission_id=found.id, number=found.evaluation_number, attempt=attempt)
            assert publishing.note_fault(site.state, job, reason)

    return fail


def test_failures_of_ours_are_told_by_their_class(
    app: Flask, failed_thrice: Callable[[str], None]
) -> None:
    failed_thrice("StartFailed: no namespaces on node-17")
    failed_thrice("ZeroDivisionError: of student 4711")
    found = scrape(app)
    for name in ("leaderboard_internal_errors_lately", "leaderboard_internal_errors_total"):
        assert found.value(name, cause="sandbox") == 1
        assert found.value(name, cause="other") == 1


def test_history_counts_each_evaluation_once_however_often_it_looks(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History()
    for count in (1, 2):
        site.score(site.hand_in("ada", predictions_csv(site.folder, wrong=count)))
        with site.state.database.reading() as session:
            assert history.totals(session).verdicts == {("OK", "hand_in"): count}
    monkeypatch.setattr("leaderboard.operations.monitoring.history._SETTLED", timedelta(hours=-1))
    for _ in range(2):  # all are counted for good now
        with site.state.database.reading() as session:
            assert history.totals(session).verdicts == {("OK", "hand_in"): 2}
    assert history._upto > 0
