"""A small server with a real assignment, for the browser tests and for the screenshots.

The assignment is scikit-learn's digits: 1,797 photographs of hand-written digits. Predictions come
from models that are really trained on the part that students get.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import sqlalchemy as sa
from digits import (
    Digits,
    load_digits,
    predict,
    prediction_csv,
    score_csv,
    spoil,
    svm_scores,
    write_assignment,
)
from sqlalchemy.orm import Session

sys.path.append(str(Path(__file__).parents[1] / "common"))

from sparing import SPARED

from leaderboard.accounts import accounts, courses
from leaderboard.assignments import editions
from leaderboard.config import load_settings
from leaderboard.db import Database, utcnow
from leaderboard.models import Role
from leaderboard.operations.installation import initialise
from leaderboard.queue import estimates, workers
from leaderboard.state import open_state

COURSE = "dl-2026"
PASSWORD = "correct horse battery"  # of a throw-away server on this machine
INSTRUCTOR = "ada@example.org"
STUDENT = "mei@example.org"


HOSTILE = '<script>window.hacked=1</script><img src onerror="hacked=1">'
"""A name that would run if a page failed to escape it: as long as a team's name may be."""

START_SECONDS = 60.0
SCORED_SECONDS = 120.0
MAILED_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What one team hands in: a model and how many of the 1,000 images it is trained on."""

    team: str
    email: str
    model: str
    train_on: int = 1000
    message: str = ""
    is_baseline: bool = False
    is_spoiled: bool = False  # the file has errors, as students make them


BASELINES = (
    Entry(team="centroids", email="b1@example.org", model="centroids", is_baseline=True),
    Entry(team="ridge", email="b2@example.org", model="ridge", is_baseline=True),
    Entry(team="svm", email="b3@example.org", model="svm", train_on=500, is_baseline=True),
    # one more than a report compares with by itself
    Entry(team="tree", email="b4@example.org", model="tree", is_baseline=True),
)

CLASSROOM = (
    *BASELINES,
    Entry(team="gradient gang", email="t01@example.org", model="svm"),
    Entry(team="Overfitters anonymous", email="t02@example.org", model="neighbours"),
    Entry(team="Lin Mei", email=STUDENT, model="tree", message="first try", is_spoiled=True),
    Entry(team="Lin Mei", email=STUDENT, model="tree", train_on=700, message="a decision tree"),
    Entry(team="Lin Mei", email=STUDENT, model="neighbours", train_on=650, message="5 neighbours"),
    Entry(
        team="Lin Mei",
        email=STUDENT,
        model="svm scores",
        train_on=700,
        message="RBF kernel, C = 10",
    ),
    Entry(team="深度学习小组", email="t03@example.org", model="svm", train_on=800),
    Entry(team="batch norm or bust", email="t04@example.org", model="neighbours", train_on=600),
    Entry(team="Kernel panic", email="t05@example.org", model="svm", train_on=300),
    Entry(team="Bayes watch", email="t06@example.org", model="neighbours", train_on=300),
    Entry(team="The vanishing gradients", email="t07@example.org", model="ridge", train_on=800),
    Entry(team="softmax & hardmax", email="t08@example.org", model="neighbours", train_on=150),
    Entry(team="ReLU-ctant", email="t09@example.org", model="ridge", train_on=400),
    Entry(team="Team 12", email="t10@example.org", model="centroids", train_on=200),
    Entry(team="Random forest gump", email="t11@example.org", model="tree"),
)


@dataclass(frozen=True, kw_only=True)
class Exhibition:
    """A running server and its assignment."""

    url: str
    state_dir: Path
    digits: Digits
    links_used: set[str] = field(default_factory=set)

    @property
    def assignment_url(self) -> str:
        return f"{self.url}/c/{COURSE}/a/digits/"

    def hand_in(self, entry: Entry) -> str:
        """Hand in by the API, as the team's member; return the submission's id."""
        if entry.model == "svm scores":
            content = score_csv(self.digits, svm_scores(self.digits, entry.train_on))
        else:
            labels = predict(self.digits, entry.model, entry.train_on)
            content = prediction_csv(self.digits, labels)
        content = spoil(content) if entry.is_spoiled else content
        with httpx.Client(base_url=f"{self.url}/api/v1", trust_env=False) as client:
            credentials = {"email": entry.email, "password": PASSWORD}
            token = client.post("/tokens", json=credentials).raise_for_status().json()["token"]
            answer = client.post(
                f"/courses/{COURSE}/assignments/digits/submissions",
                headers={"Authorization": f"Bearer {token}"},
                files={"file": ("predictions.csv", content)},
                data={"message": entry.message},
            )
            return str(answer.raise_for_status().json()["id"])

    def mailed_link(self, address: str, start: str) -> str:
        """Return the link, of those that begin so, in the next mail to an address.

        Raises:
            TimeoutError: none came.
        """
        log = self.state_dir.parent / "server.log"
        head, link = f"mail to {re.escape(address)} ──\n", re.escape(self.url + start)
        pattern = rf"{head}(?:(?!── mail).)*?({link}\S+)"
        deadline = time.monotonic() + MAILED_SECONDS
        while time.monotonic() < deadline:
            found = re.findall(pattern, log.read_text(encoding="utf-8"), re.DOTALL)
            if found and found[-1] not in self.links_used:
                self.links_used.add(found[-1])
                return str(found[-1])
            time.sleep(0.1)
        raise TimeoutError(f"no mail to {address} came")

    def worker_pid(self) -> int:
        """Return the process id of the server's worker."""
        with self._reading() as session:
            (worker,) = workers.live(session, now=utcnow(), dead_after_seconds=3600)
            return int(worker.facts["pid"])

    def release(self) -> None:
        """Release the private board, as the instructor."""
        with httpx.Client(base_url=f"{self.url}/api/v1", trust_env=False) as client:
            credentials = {"email": INSTRUCTOR, "password": PASSWORD, "scopes": ["read", "staff"]}
            token = client.post("/tokens", json=credentials).raise_for_status().json()["token"]
            client.post(
                f"/staff/courses/{COURSE}/assignments/digits/release",
                headers={"Authorization": f"Bearer {token}"},
                json={"released": True},
            ).raise_for_status()

    @contextmanager
    def worker_held(self) -> Iterator[None]:
        """Stop the worker for as long as a block lasts: what is handed in waits."""
        worker = self.worker_pid()
        os.kill(worker, signal.SIGSTOP)
        while not self._can_be_written():  # it was stopped in the middle of a transaction
            os.kill(worker, signal.SIGCONT)
            time.sleep(0.05)
            os.kill(worker, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(worker, signal.SIGCONT)

    def _can_be_written(self) -> bool:
        path = sa.make_url(load_settings(self.state_dir).database_url).database
        connection = sqlite3.connect(str(path), timeout=0.5, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()
        return True

    def wait_until_scored(self) -> None:
        """Return when nothing waits or runs.

        Raises:
            TimeoutError: the worker is too slow.
        """
        deadline = time.monotonic() + SCORED_SECONDS
        while self._unfinished():
            if time.monotonic() > deadline:
                raise TimeoutError("the worker did not score everything in time")
            time.sleep(0.1)

    def _unfinished(self) -> int:
        with self._reading() as session:
            health = estimates.health(session)
        return health.queued + health.running

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        database = Database(load_settings(self.state_dir).database_url)
        with database.reading() as session:
            yield session
        database.dispose()


@contextmanager
def open_exhibition(
    folder: Path, entries: Sequence[Entry] = BASELINES, guests: Mapping[str, str] | None = None
) -> Iterator[Exhibition]:
    """Start a server in an empty folder, hand the entries in, and stop it at the end.

    Args:
        guests: team by e-mail address, of students who have handed nothing in yet.
    """
    digits = load_digits()
    state_dir = folder / "state"
    write_assignment(digits, folder / "assignment")
    teams = {entry.email: entry for entry in entries}
    students = {STUDENT: "Lin Mei", **(guests or {})}
    students |= {email: entry.team for email, entry in teams.items() if not entry.is_baseline}
    baselines = {email: entry.team for email, entry in teams.items() if entry.is_baseline}
    _furnish(state_dir, folder / "assignment", students, baselines)
    with _served(state_dir, folder / "server.log") as url:
        exhibition = Exhibition(url=url, state_dir=state_dir, digits=digits)
        for entry in entries:
            exhibition.hand_in(entry)
        exhibition.wait_until_scored()
        yield exhibition


def _furnish(
    state_dir: Path, assignment: Path, students: Mapping[str, str], baselines: Mapping[str, str]
) -> None:
    """Make the state folder, the course, the accounts, and publish the assignment."""
    state = open_state(initialise(state_dir))
    with state.database.session() as session:
        course = courses.create_course(
            session,
            code=COURSE,
            title="Deep Learning",
            term="Autumn 2026",
            time_zone="Asia/Shanghai",
        )
        teacher = accounts.create_user(
            session, email=INSTRUCTOR, name="Ada Byron", password=PASSWORD
        )
        courses.enrol(session, course, teacher, Role.INSTRUCTOR)
        for role, teams in ((Role.STUDENT, students), (Role.BASELINE, baselines)):
            for email, team in teams.items():
                user = accounts.create_user(session, email=email, name=team, password=PASSWORD)
                courses.enrol(session, course, user, role, team_name=team)
        editions.publish(session, state, assignment, course)
    state.close()


@contextmanager
def _served(state_dir: Path, log: Path) -> Iterator[str]:
    """Run `leaderboard serve` on a free port; what it prints goes to `log`."""
    command = [sys.executable, "-m", "leaderboard.cli", "--state", str(state_dir)]
    # in development mails are printed, so that the tests can read them in the log
    environment = {**os.environ, **SPARED, "LEADERBOARD_ENVIRONMENT": "development"}
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "serve", "--port", "0"], stdout=output, stderr=output, env=environment
        )
        try:
            url = _address(log, server)
            _wait_for_page(f"{url}/sign-in")
            yield url
        finally:
            server.terminate()
            server.wait(30)


def _address(log: Path, server: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(r"Leaderboard at (http://\S+)", log.read_text(encoding="utf-8"))
        if found:
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{log.read_text(encoding='utf-8')}")


def _wait_for_page(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(url, trust_env=False).raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
