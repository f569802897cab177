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
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from leaderboard import courses, editions, queue, workers
from leaderboard.auth import service
from leaderboard.config import load_settings
from leaderboard.db import Database, utcnow
from leaderboard.installation import initialise
from leaderboard.models import Role
from leaderboard.state import open_state

COURSE = "dl-2026"
PASSWORD = "correct horse battery"  # noqa: S105 - of a throw-away server on this machine
INSTRUCTOR = "ada@example.org"
STUDENT = "mei@example.org"

README = """\
# Handwritten digits

Tell the ten digits apart on **8 × 8** grey images. You get 1,000 images with labels; the labels of
the other 797 stay with us.

## What to hand in

| kind | what |
|------|------|
| CSV  | one row a test image: its `id` and your `label` |
| code | `model.py` with `build_model()` and a checkpoint |

Start with a linear model, then try a small network with two convolutions. *Do not* tune on the
public board: the private part decides.
"""

TOML = """\
slug = "digits"
title = "Handwritten digits"
classes = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

[data]
test_images = "public"

[split]
public_fraction = 0.3
seed = 20260101

[submission]
kinds = ["csv", "code"]
daily_limit = 20

[schedule]
opens = 2026-01-01T00:00:00+08:00
due = {due}
time_zone = "Asia/Shanghai"

[scoring]
metric = "accuracy"
feedback = "confusion"
"""


HOSTILE = '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">'
"""A name that would run if a page failed to escape it."""

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

        Raises: TimeoutError.
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

        Raises: TimeoutError.
        """
        deadline = time.monotonic() + SCORED_SECONDS
        while self._unfinished():
            if time.monotonic() > deadline:
                raise TimeoutError("the worker did not score everything in time")
            time.sleep(0.1)

    def _unfinished(self) -> int:
        with self._reading() as session:
            health = queue.health(session)
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
        teacher = service.create_user(
            session, email=INSTRUCTOR, name="Ada Byron", password=PASSWORD
        )
        courses.enrol(session, course, teacher, Role.INSTRUCTOR)
        for role, teams in ((Role.STUDENT, students), (Role.BASELINE, baselines)):
            for email, team in teams.items():
                user = service.create_user(session, email=email, name=team, password=PASSWORD)
                courses.enrol(session, course, user, role, team_name=team)
        editions.publish(session, state, assignment, course)
    state.close()


@contextmanager
def _served(state_dir: Path, log: Path) -> Iterator[str]:
    """Run `leaderboard serve` on a free port; what it prints goes to `log`."""
    command = [sys.executable, "-m", "leaderboard.cli", "--state", str(state_dir)]
    # in development mails are printed, so that the tests can read them in the log
    environment = {**os.environ, "LEADERBOARD_ENVIRONMENT": "development"}
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


@dataclass(frozen=True, kw_only=True)
class Digits:
    """The images, uint8 N×8×8, and labels, int64 (N,), in the order of a seeded shuffle."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    test_ids: tuple[str, ...]


def load_digits() -> Digits:
    """Return 1,000 images to train on and 797 to predict; ids tell nothing of the class."""
    from sklearn import datasets

    data = datasets.load_digits()
    rng = np.random.default_rng(20260101)
    order = rng.permutation(len(data.target))
    images = (data.images * (255 / 16)).round().astype(np.uint8)[order]
    labels = data.target.astype(np.int64)[order]
    ids = tuple(f"d{number:05d}" for number in rng.choice(90_000, size=797, replace=False) + 10_000)
    return Digits(
        train_images=images[:1000],
        train_labels=labels[:1000],
        test_images=images[1000:],
        test_labels=labels[1000:],
        test_ids=ids,
    )


def write_assignment(digits: Digits, folder: Path) -> None:
    """Write the assignment folder of the digits."""
    parts = {
        "sample": (digits.train_images[:40], digits.train_labels[:40]),
        "train": (digits.train_images, digits.train_labels),
    }
    for name, (images, labels) in parts.items():
        (folder / name).mkdir(parents=True)
        np.save(folder / name / "images.npy", images)
        lines = ["label", *map(str, labels.tolist())]
        (folder / name / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "test").mkdir()
    np.save(folder / "test" / "images.npy", digits.test_images)
    rows = zip(digits.test_ids, digits.test_labels.tolist(), strict=True)
    answers = "".join(f"{name},{label}\n" for name, label in rows)
    (folder / "answers.csv").write_text("id,label\n" + answers, encoding="utf-8")
    due = (datetime.now(UTC) + timedelta(days=24)).strftime("%Y-%m-%dT15:59:59+00:00")
    (folder / "assignment.toml").write_text(TOML.replace("{due}", due), encoding="utf-8")
    (folder / "README.md").write_text(README, encoding="utf-8")


def prediction_csv(digits: Digits, labels: NDArray[np.int64]) -> bytes:
    """Return predictions as a file to hand in."""
    rows = zip(digits.test_ids, labels.tolist(), strict=True)
    return ("id,label\n" + "".join(f"{name},{label}\n" for name, label in rows)).encode()


def score_csv(digits: Digits, scores: NDArray[np.float64]) -> bytes:
    """Return scores, float64 (797, 10), as a file to hand in: one column a class."""
    rows = zip(digits.test_ids, scores.round(4).tolist(), strict=True)
    lines = (
        "id," + ",".join(map(str, range(10))),
        *(f"{name},{','.join(map(str, row))}" for name, row in rows),
    )
    return ("\n".join(lines) + "\n").encode()


def spoil(content: bytes) -> bytes:
    """Return the file with an id doubled in the place of another, and a label written as 8.0."""
    lines = content.decode().splitlines()
    lines[5] = lines[9]
    lines[20] += ".0"
    return ("\n".join(lines) + "\n").encode()


def svm_scores(digits: Digits, train_on: int) -> NDArray[np.float64]:
    """Train a support vector machine on the first images and score the test images."""
    from sklearn.svm import SVC

    images = digits.train_images[:train_on].reshape(train_on, -1) / 16.0
    machine = SVC(gamma=0.001, C=10).fit(images, digits.train_labels[:train_on])
    unseen = digits.test_images.reshape(len(digits.test_images), -1) / 16.0
    return np.asarray(machine.decision_function(unseen), dtype=np.float64)


def predict(digits: Digits, model: str, train_on: int) -> NDArray[np.int64]:
    """Train a model on the first images and predict the test images: int64 (797,)."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    images = digits.train_images[:train_on].reshape(train_on, -1) / 16.0
    labels = digits.train_labels[:train_on]
    unseen = digits.test_images.reshape(len(digits.test_images), -1) / 16.0
    if model == "centroids":
        centres = np.stack([images[labels == digit].mean(axis=0) for digit in range(10)])
        return np.square(unseen[:, None] - centres).sum(axis=2).argmin(axis=1)
    models = {
        "ridge": RidgeClassifier(),
        "tree": DecisionTreeClassifier(random_state=0),
        "neighbours": KNeighborsClassifier(5),
        "svm": SVC(gamma=0.001, C=10),
    }
    return np.asarray(models[model].fit(images, labels).predict(unseen), dtype=np.int64)
