"""Machines whose clocks are wrong: nobody alive is buried, and one clock decides."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from databases import EACH_DATABASE, NEEDS_POSTGRESQL
from needs import NEEDS_SANDBOX
from small_site import (
    IS_HIDDEN,
    Site,
    bundle_zip,
    initialised_site,
    predictions_csv,
    write_assignment,
)

from leaderboard import create_app
from leaderboard.accounts.links import Links
from leaderboard.clock import CLOCK, Clock, steady_seconds
from leaderboard.db import sqlite_url, utcnow
from leaderboard.models import Evaluation, Worker
from leaderboard.operations import doctor
from leaderboard.queue import workers

_SOURCE = Path(__file__).with_name("wrong_clock.c")
NEEDS_COMPILER = pytest.mark.skipif(
    shutil.which("cc") is None and not os.environ.get("CI"),
    reason="no C compiler is installed here (Debian: apt-get install gcc libc6-dev)",
)
_SETTINGS = {
    "LEADERBOARD_HEARTBEAT_SECONDS": "0.5",
    "LEADERBOARD_DEAD_AFTER_SECONDS": "6",  # a busy machine holds a live one up for seconds
    "LEADERBOARD_WARM_SANDBOXES": "0",
    "LEADERBOARD_RETRY_SECONDS": "1",
}


# long enough for the other worker to start and to look away for a dead one's time, twice
LONG_ON_HIDDEN_IMAGES = f"9 * {IS_HIDDEN}"


@pytest.fixture(params=EACH_DATABASE)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    url = sqlite_url(tmp_path / "data.sqlite3")
    if request.param == "postgresql":
        url = request.getfixturevalue("new_database")()
    made = initialised_site(tmp_path, write_assignment(tmp_path / "animals"), database_url=url)
    yield made
    made.state.close()


@pytest.fixture(scope="session")
def wrong_clock(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], dict[str, str]]:
    """The environment that makes a process's machine's clock so many seconds ahead."""
    library = tmp_path_factory.mktemp("clock") / "wrong_clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, _SOURCE], check=True)
    return lambda ahead: {"LD_PRELOAD": str(library), "WRONG_BY": str(ahead)}


@contextmanager
def worker(
    site: Site, name: str, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A real worker process."""
    process = subprocess.Popen(
        [*site.command, "worker", "--name", name],
        env={
            **os.environ,
            **_SETTINGS,
            "LEADERBOARD_DATABASE_URL": site.settings.database_url,
            **(environment or {}),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            said = process.communicate(timeout=30)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate()[1]
        sys.stderr.write(said)


def until(is_so: Callable[[], bool], what: str, *, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def known(site: Site) -> dict[str, Worker]:
    with site.state.database.reading() as session:
        return {
            each.executor_id.rpartition(":")[2]: each for each in session.scalars(sa.select(Worker))
        }


def evaluated_by(site: Site) -> list[str]:
    with site.state.database.reading() as session:
        made = session.scalars(sa.select(Evaluation).order_by(Evaluation.id))
        return [each.environment["worker"].partition(":")[0] for each in made]


@NEEDS_COMPILER
@NEEDS_SANDBOX
@pytest.mark.parametrize(
    "ahead",
    [
        pytest.param(-60, id="a minute behind"),
        pytest.param(60, id="a minute ahead", marks=pytest.mark.long),
    ],
)
def test_a_live_worker_with_a_wrong_clock_keeps_its_work(
    site: Site,
    ahead: int,
    wrong_clock: Callable[[int], dict[str, str]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    public_id = site.hand_in("ann", bundle_zip(pause=LONG_ON_HIDDEN_IMAGES), filename="bundle.zip")
    with worker(site, "skewed", wrong_clock(ahead)):
        site.wait_for(public_id, lambda found: found.claimed_by is not None, seconds=60)
        with worker(site, "right"):
            until(lambda: "right" in known(site), "the second worker did not start")
            submission = site.wait(public_id, seconds=60)

    assert (submission.verdict, submission.failed_attempts) == ("OK", 0)
    assert evaluated_by(site) == ["skewed"]
    assert "took over" not in capfd.readouterr().err


@NEEDS_COMPILER
@NEEDS_POSTGRESQL
def test_times_of_a_worker_with_a_wrong_clock_are_the_databases_and_doctor_names_it(
    tmp_path: Path, new_database: Callable[[], str], wrong_clock: Callable[[int], dict[str, str]]
) -> None:
    site = initialised_site(
        tmp_path, write_assignment(tmp_path / "animals"), database_url=new_database()
    )
    with worker(site, "skewed", wrong_clock(-60)):
        until(lambda: "skewed" in known(site), "the worker did not start")
        submission = site.wait(site.hand_in("ann", predictions_csv(site.folder)))
        until(
            lambda: workers.CLOCK_AHEAD in known(site)["skewed"].facts, "it did not say how wrong"
        )
        with site.state.database.reading() as session:
            live = workers.live(session, now=utcnow(), dead_after_seconds=3)
        clock, clocks = doctor._clock(site.state), doctor._worker_clocks(site.state)
    site.state.close()

    assert [each.executor_id.rpartition(":")[2] for each in live] == ["skewed"]
    assert submission.accepted_at <= submission.started_at <= submission.finished_at <= utcnow()
    assert not clocks.ok
    told = re.search(r"skewed is ([\d.]+) s behind", clocks.sentence)
    assert told is not None, clocks.sentence
    assert float(told[1]) == pytest.approx(60, abs=2)  # it is out by half of what the answer took
    assert "behind the database's" in clocks.sentence
    assert clock.ok


@NEEDS_COMPILER
@NEEDS_POSTGRESQL
def test_doctor_on_a_machine_with_a_wrong_clock_says_so(
    tmp_path: Path, new_database: Callable[[], str], wrong_clock: Callable[[int], dict[str, str]]
) -> None:
    site = initialised_site(
        tmp_path, write_assignment(tmp_path / "animals"), database_url=new_database()
    )
    said = subprocess.run(
        [*site.command, "doctor"],
        env={
            **os.environ,
            "LEADERBOARD_DATABASE_URL": site.settings.database_url,
            **wrong_clock(60),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    site.state.close()

    assert said.returncode == 4
    assert "BAD  clock" in said.stdout
    assert "s ahead of the database's" in said.stdout


_ON_ANOTHER_MACHINE = """
import json, re, sys
from leaderboard import create_app
from leaderboard.accounts.links import WELCOME_LASTS, Links
from leaderboard.config import load_settings
from leaderboard.models import User
from leaderboard.state import open_state

state = open_state(load_settings())
client = create_app(state=state).test_client()
page = client.get("/sign-in").get_data(as_text=True)
with state.database.session() as session:
    link = Links(state.settings.secret_key).of_password(session.get_one(User, 1), WELCOME_LASTS)
state.close()
cookie = client.get_cookie("leaderboard").value
token = re.search(r'name="csrf_token" value="([^"]+)"', page).group(1)
json.dump({"link": link, "cookie": cookie, "token": token}, sys.stdout)
"""


@NEEDS_COMPILER
@NEEDS_POSTGRESQL
def test_forms_cookies_and_links_of_a_machine_that_is_ahead_work_on_another_at_once(
    tmp_path: Path, new_database: Callable[[], str], wrong_clock: Callable[[int], dict[str, str]]
) -> None:
    site = initialised_site(
        tmp_path, write_assignment(tmp_path / "animals"), database_url=new_database()
    )
    ann = site.person("ann")
    there = subprocess.run(
        [sys.executable, "-c", _ON_ANOTHER_MACHINE],
        env={
            **os.environ,
            "LEADERBOARD_STATE_DIR": str(site.settings.state_dir),
            "LEADERBOARD_DATABASE_URL": site.settings.database_url,
            **wrong_clock(60),
        },
        stdout=subprocess.PIPE,
        check=True,
    )
    made = json.loads(there.stdout)

    client = create_app(state=site.state).test_client()
    client.set_cookie("leaderboard", made["cookie"])
    form = {"email": "ann@example.edu", "password": "wrong", "csrf_token": made["token"]}
    assert client.post("/sign-in", data=form).status_code == 401  # not 400, a form too old
    with site.state.database.session() as session:
        read = Links(site.settings.secret_key).password(session, made["link"])
        assert read.id == ann.id == 1
    site.state.close()


def test_a_worker_is_dead_once_its_sign_of_life_stays_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0.0]
    monkeypatch.setattr(workers, "steady_seconds", lambda: passed[0])
    vigil = workers.Vigil(dead_after_seconds=3)

    def look(after: float, *, beats: datetime | None = None) -> list[str]:
        passed[0] += after
        with site.state.database.write() as session:
            if beats is not None:
                workers.beat(session, incarnation="a", now=beats)
            return vigil.dead(session)

    with site.state.database.write() as session:
        workers.announce(
            session,
            executor_id="here:1",
            incarnation="a",
            concurrency=1,
            facts={},
            now=utcnow() - timedelta(days=1),
        )
    assert look(0) == []
    assert look(2) == []
    assert look(2, beats=utcnow() - timedelta(hours=2)) == []  # its clock is wrong, and it lives
    assert look(2, beats=utcnow() + timedelta(hours=2)) == []
    assert look(2.9) == []
    assert look(0.2) == ["here:1"]
    assert look(60) == []  # this looked away for longer than that: it watches anew
    assert look(2) == []
    assert look(2) == ["here:1"]
    assert look(1, beats=utcnow()) == []


@pytest.mark.alone
def test_a_clock_follows_the_database_but_not_every_trifle() -> None:
    clock = Clock()
    assert clock.wants_to_know
    assert clock.ahead_seconds() == 0.0

    ours = datetime.now(UTC)
    clock.tell(ours + timedelta(minutes=1), asked_at=steady_seconds())
    assert not clock.wants_to_know
    assert clock.ahead_seconds() == pytest.approx(-60, abs=0.2)
    at = clock.now()
    clock.tell(clock.now() - timedelta(seconds=0.1), asked_at=steady_seconds())
    assert clock.now() >= at  # never back by what an answer took
    # of an answer that took long nobody knows to which moment it belongs
    clock.tell(ours, asked_at=steady_seconds() - 10)
    assert clock.ahead_seconds() == pytest.approx(-60, abs=0.2)
    clock.tell(datetime.now(UTC), asked_at=steady_seconds())
    assert clock.ahead_seconds() == pytest.approx(0, abs=0.2)


@NEEDS_POSTGRESQL
def test_a_process_on_postgresql_asks_it_for_the_time(
    tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Clock()
    monkeypatch.setattr("leaderboard.db.CLOCK", told)
    site = initialised_site(
        tmp_path, write_assignment(tmp_path / "animals"), database_url=new_database()
    )
    site.state.close()

    assert not told.wants_to_know
    assert abs(told.ahead_seconds()) < 1
    assert CLOCK is not told
