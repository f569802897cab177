"""Two machines share the work; one that is cut off loses it to the other, and cannot publish.

The machines are two network namespaces with an address each, joined by a cable (veth). PostgreSQL
runs on one of them; files are shared, as an object store would be.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import private_postgres
import psycopg
import pytest
import sqlalchemy as sa
from needs import NEEDS_SANDBOX, missing
from small_site import Site, bundle_zip, initialised_site, predictions_csv, write_assignment

from leaderboard.models import Evaluation, Submission, SubmissionStatus

HERE, THERE = "10.213.77.1", "10.213.77.2"


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _why_not() -> str:
    if os.geteuid() != 0 or not shutil.which("ip"):
        return "network namespaces need root and iproute2"
    probe = f"gw-probe-{os.getpid()}"
    if not _run("ip", "netns", "add", probe):
        return "this machine lets nobody make network namespaces"
    _run("ip", "netns", "del", probe)
    return ""


@pytest.fixture(autouse=True)
def possible() -> None:
    if private_postgres.programs() is None:
        missing("PostgreSQL is not installed here")
    if reason := _why_not():
        pytest.skip(reason)


pytestmark = NEEDS_SANDBOX


class Cable:
    """Two namespaces, joined; `cut` and `mend` are what somebody does to the plug."""

    def __init__(self) -> None:
        self.one, self.two = f"gw-one-{os.getpid()}", f"gw-two-{os.getpid()}"

    def lay(self) -> None:
        pair = ("gwveth1", "gwveth2")
        for name in (self.one, self.two):
            assert _run("ip", "netns", "add", name)
        ends = ("netns", self.one, "type", "veth", "peer", "name", pair[1], "netns", self.two)
        assert _run("ip", "link", "add", pair[0], *ends)
        for name, device, address in ((self.one, pair[0], HERE), (self.two, pair[1], THERE)):
            inside = ("ip", "-n", name)
            assert _run(*inside, "addr", "add", f"{address}/24", "dev", device)
            assert _run(*inside, "link", "set", device, "up")
            assert _run(*inside, "link", "set", "lo", "up")

    def cut(self) -> None:
        assert _run("ip", "-n", self.two, "link", "set", "gwveth2", "down")

    def mend(self) -> None:
        assert _run("ip", "-n", self.two, "link", "set", "gwveth2", "up")

    def remove(self) -> None:
        for name in (self.one, self.two):
            _run("ip", "netns", "del", name)


@pytest.fixture
def cable() -> Iterator[Cable]:
    made = Cable()
    try:
        made.lay()
        yield made
    finally:
        made.remove()


@pytest.fixture
def site(tmp_path: Path, cable: Cable) -> Iterator[Site]:
    with private_postgres.cluster(listen=HERE, namespace=cable.one) as cluster:
        with psycopg.connect(cluster.url.format("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE shared")
        made = initialised_site(
            tmp_path,
            write_assignment(tmp_path / "animals"),
            database_url=cluster.url.format("shared"),
        )
        yield made
        made.state.close()


@contextmanager
def worker(site: Site, namespace: str, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker on one of the machines, which reaches the database by its address."""
    url = f"{private_postgres.server_url(HERE)}/shared"
    process = subprocess.Popen(
        ["ip", "netns", "exec", namespace, *site.command, "worker", "--name", name],
        env={**os.environ, "LEADERBOARD_DATABASE_URL": url, "LEADERBOARD_WARM_SANDBOXES": "0"},
        stderr=sys.stderr,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def who(site: Site, public_id: str) -> str:
    """The name of the worker that has it."""
    return (site.submission(public_id).claimed_by or "").partition(":")[0]


def evaluated_by(site: Site, public_id: str) -> list[str]:
    with site.state.database.reading() as session:
        made = session.scalars(
            sa.select(Evaluation)
            .join(Submission, Submission.id == Evaluation.submission_id)
            .where(Submission.public_id == public_id)
        ).all()
        return [each.environment["worker"].partition(":")[0] for each in made]


@pytest.mark.long
def test_work_moves_from_a_machine_that_is_cut_off_and_its_late_result_is_refused(
    site: Site, cable: Cable
) -> None:
    with worker(site, cable.one, "one") as first, worker(site, cable.two, "two") as second:
        ids = [
            site.hand_in(name, bundle_zip(pause=3), filename="bundle.zip")
            for name in ("ann", "bob")
        ]
        running = {"one", "two"}
        end = time.monotonic() + 60
        while {who(site, public_id) for public_id in ids} != running:
            assert time.monotonic() < end, "the two machines do not share the work"
            time.sleep(0.05)
        theirs = next(public_id for public_id in ids if who(site, public_id) == "two")

        cable.cut()
        begin = time.monotonic()
        site.wait_for(theirs, lambda _: who(site, theirs) == "one", seconds=30)
        moved = time.monotonic() - begin
        for public_id in ids:
            site.wait(public_id, seconds=90)
        cable.mend()

        # it comes back, finds its claim gone, and works on: alone now
        first.send_signal(signal.SIGTERM)
        first.wait(30)
        csv = site.hand_in("cyd", predictions_csv(site.folder))
        assert site.wait(csv, seconds=90).verdict == "OK"
        assert second.poll() is None

    assert moved < 30
    assert evaluated_by(site, theirs) == ["one"]
    assert evaluated_by(site, csv) == ["two"]
    for public_id in ids:
        found = site.submission(public_id)
        assert (found.status, found.verdict) == (SubmissionStatus.FINISHED, "OK")
        assert found.failed_attempts == 0
