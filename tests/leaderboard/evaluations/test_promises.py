"""What was promised by a receipt, over HTTP: several web processes, outages, restarts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import local_s3
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from databases import EACH_DATABASE
from small_site import (
    Api,
    Site,
    initialised_site,
    make_site,
    predictions_csv,
    served_address,
    write_assignment,
)

from grader.cli import cli
from leaderboard import create_app
from leaderboard.evaluations import evaluate
from leaderboard.models import QuotaEntry, Submission, SubmissionStatus

_PATH = "/api/v1/courses/dl-1/assignments/animals/submissions"


@pytest.fixture(params=EACH_DATABASE)
def limited_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A site on either database, whose teams may hand in five times a day."""
    folder = write_assignment(tmp_path / "animals", daily_limit=5)
    if request.param == "sqlite":
        site = make_site(tmp_path, folder)
    else:
        url = request.getfixturevalue("new_database")()
        site = initialised_site(tmp_path, folder, database_url=url)
    yield site
    site.state.close()


@contextmanager
def serving(site: Site, *, processes: int) -> Iterator[str]:
    """Real web processes behind one address."""
    server = subprocess.Popen(
        [*site.command, "serve", "--port", "0", "--no-worker"],
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "LEADERBOARD_WEB_PROCESSES": str(processes),
            "LEADERBOARD_DATABASE_URL": site.settings.database_url,
        },
    )
    assert server.stderr is not None
    try:
        yield served_address(server)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        server.stderr.close()


def test_one_key_is_one_submission_across_web_processes(limited_site: Site) -> None:
    site = limited_site
    content, other = (predictions_csv(site.folder, wrong=wrong) for wrong in (1, 2))
    headers = {"Authorization": f"Bearer {site.token('ann')}", "Idempotency-Key": "one"}

    with serving(site, processes=2) as address:

        def hand_in(number: int) -> httpx.Response:
            # a connection each, so that both processes get some
            return httpx.post(
                address + _PATH, headers=headers, files={"file": ("p.csv", content)}, timeout=60
            )

        with ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(hand_in, range(16)))
        conflict = httpx.post(
            address + _PATH, headers=headers, files={"file": ("p.csv", other)}, timeout=60
        )
        anew = httpx.post(
            address + _PATH,
            headers={**headers, "Idempotency-Key": "two"},
            files={"file": ("p.csv", content)},
            timeout=60,
        )

    assert {reply.status_code for reply in replies} <= {200, 201}
    assert sum(reply.status_code == 201 for reply in replies) == 1
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert len({json.dumps(reply.json()["receipt"]) for reply in replies}) == 1
    assert (conflict.status_code, conflict.json()["code"]) == (409, "idempotency_conflict")
    assert anew.status_code == 201
    assert anew.json()["id"] != replies[0].json()["id"]
    assert replies[0].json()["id"] in anew.json()["warnings"][0]
    with site.state.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Submission)) == 2
        assert session.scalar(sa.select(sa.func.sum(QuotaEntry.amount))) == 2


def test_a_student_verifies_a_receipt_with_nothing_but_two_files(
    site: Site, tmp_path: Path
) -> None:
    client = create_app(state=site.state).test_client()
    handed_in = tmp_path / "p.csv"
    handed_in.write_bytes(predictions_csv(site.folder))
    reply = Api(client, site.token("ann")).hand_in(handed_in.read_bytes()).json
    kept, key = tmp_path / "submission.json", tmp_path / "key.json"
    kept.write_text(json.dumps(reply))
    key.write_text(client.get("/api/v1/receipt-key").text)

    def verify(*options: str) -> tuple[int, str]:
        said = CliRunner().invoke(cli, ["receipt", str(kept), "--key", str(key), *options])
        return said.exit_code, said.output

    code, said = verify("--of", str(handed_in))
    assert (code, reply["id"] in said) == (0, True)
    handed_in.write_bytes(b"something else")
    assert verify("--of", str(handed_in))[0] == 3
    reply["receipt"]["accepted_at"] = "2020-01-01T00:00:00+00:00"
    kept.write_text(json.dumps(reply))
    assert "changed" in verify()[1]
    assert verify()[0] == 3


def test_while_the_object_store_is_away_a_hand_in_gets_503_and_its_retry_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in local_s3.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with local_s3.running() as server:
        site = make_site(
            tmp_path,
            write_assignment(tmp_path / "animals", daily_limit=1),
            blobs_url=server.bucket("outage"),
        )
        client = create_app(state=site.state).test_client()
        ann = Api(client, site.token("ann"))
        content = predictions_csv(site.folder)
        with site.state.database.reading() as session:
            site.state.catalog.expected_rows(site.assignment(session))  # read once, then held
        server.stop()

        away = ann.hand_in(content, key="k")
        pack = ann.get("/courses/dl-1/assignments/animals/pack")

        for reply in (away, pack):
            assert (reply.status_code, reply.json["owner"]) == (503, "platform")
            assert int(reply.headers["Retry-After"]) > 0
        server.start()
        server.bucket("outage")
        taken = ann.hand_in(content, key="k")
        assert taken.status_code == 201
        assert site.state.blobs.read(taken.json["receipt"]["sha256"]) == content
        assert taken.json["quota"]["remaining"] == 0
        site.state.close()


def test_work_waits_for_an_object_store_that_is_away_and_is_nobodys_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in local_s3.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with local_s3.running() as server:
        site = make_site(
            tmp_path, write_assignment(tmp_path / "animals"), blobs_url=server.bucket("waits")
        )
        content = predictions_csv(site.folder)
        public_id = site.hand_in("ann", content)
        with site.state.database.reading() as session:
            site.state.catalog.load(site.assignment(session))  # cached on this machine
        waits, is_back = threading.Event(), threading.Event()

        def pause(_seconds: float) -> None:
            waits.set()
            assert is_back.wait(60)

        clock = SimpleNamespace(sleep=pause, monotonic=time.monotonic)
        monkeypatch.setattr(evaluate, "time", clock)
        server.stop()
        worker = threading.Thread(target=site.score, args=(public_id,))
        worker.start()
        site.wait_for(public_id, lambda found: found.status is SubmissionStatus.RUNNING)
        assert waits.wait(60)

        server.start()
        server.bucket("waits")
        site.state.blobs.put_bytes(content)  # this server forgets what it held when it stops
        is_back.set()
        worker.join()

        found = site.submission(public_id)
        assert (found.verdict, found.failed_attempts) == ("OK", 0)
        assert found.current_evaluation is not None
        assert {"cpu", "cpus", "memory_mb", "worker"} <= set(found.current_evaluation.environment)
        site.state.close()
