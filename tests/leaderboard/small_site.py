"""A real server in a temporary folder: SQLite file, blobs, keys, a small assignment, workers.

Tests import it by this name; conftest.py puts its folder on the path.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import sqlalchemy as sa
from flask.testing import FlaskClient

sys.path.append(str(Path(__file__).parents[1] / "common"))

from sparing import SPARED

from leaderboard.accounts import accounts, courses
from leaderboard.accounts.scopes import SCOPES
from leaderboard.assignments import editions
from leaderboard.config import Settings, load_settings
from leaderboard.db import utcnow
from leaderboard.evaluations import evaluate
from leaderboard.models import Assignment, Course, Role, Submission, SubmissionStatus, Team, User
from leaderboard.operations.installation import initialise
from leaderboard.queue.durable import Job
from leaderboard.state import State, open_state
from leaderboard.submissions import accept as submissions
from leaderboard.submissions.accept import Accepted, UploadedFile
from sandbox import SandboxUnavailable, get_runner

PASSWORD = "correct horse battery"
CLASSES = ("cat", "dog", "fox", "owl")
IMAGES = 80
_SETTINGS = """
slug = "{slug}"
title = "Tiny animals"
classes = ["cat", "dog", "fox", "owl"]
[data]
test_images = "public"
[submission]
daily_limit = {daily_limit}
{submission}
[scoring]
{scoring}
[schedule]
{schedule}
[limits]
wall_seconds = 60
memory_mb = 2048
"""


def write_assignment(
    folder: Path,
    *,
    slug: str = "animals",
    daily_limit: int = 0,
    submission: str = "",
    scoring: str = "",
    schedule: str = "",
) -> Path:
    """An assignment of 80 images of four classes, 8×8, whose mean brightness tells the class."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(7)
    labels = np.arange(IMAGES) % len(CLASSES)
    rng.shuffle(labels)
    (folder / "assignment.toml").write_text(
        _SETTINGS.format(
            slug=slug,
            daily_limit=daily_limit,
            submission=submission,
            scoring=scoring,
            schedule=schedule,
        )
    )
    (folder / "README.md").write_text("# Tiny animals\n\nTell them apart.\n")
    rows = [f"img{index:03d},{label}" for index, label in enumerate(labels)]
    (folder / "answers.csv").write_text("id,label\n" + "\n".join(rows) + "\n")
    (folder / "test").mkdir()
    np.save(folder / "test" / "images.npy", _images(labels, rng))
    (folder / "sample").mkdir()
    few = np.arange(len(CLASSES))
    np.save(folder / "sample" / "images.npy", _images(few, rng))
    (folder / "sample" / "labels.csv").write_text("label\n0\n1\n2\n3\n")
    return folder


def _images(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.integers(0, 20, (len(labels), 8, 8))
    return (labels[:, None, None] * 60 + noise).astype(np.uint8)


def answers(folder: Path) -> dict[str, int]:
    lines = (folder / "answers.csv").read_text().splitlines()[1:]
    return {line.split(",")[0]: int(line.split(",")[1]) for line in lines}


def predictions_csv(folder: Path, *, wrong: int = 0, seed: int = 0) -> bytes:
    """A valid CSV with the first `wrong` ids (in a seeded order) answered wrongly."""
    truth = answers(folder)
    ids = sorted(truth)
    spoiled = set(np.random.default_rng(seed).permutation(ids)[:wrong].tolist())
    rows = [f"{name},{(truth[name] + (name in spoiled)) % len(CLASSES)}" for name in ids]
    return ("id,label\n" + "\n".join(rows) + "\n").encode()


# in a `pause`: whether it is the hidden run; the sample comes in one batch, each image twice
IS_HIDDEN = f"(len(images) > {2 * len(CLASSES)})"
_MODEL = """
import time

import torch
from torch import nn


class Brightness(nn.Module):
    def __init__(self):
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(4))
        self.has_paused = False

    def forward(self, images):
        if not self.has_paused:
            self.has_paused = True
            time.sleep({pause})
        brightness = images.mean(dim=(1, 2, 3))
        return -((brightness[:, None] - self.centres) ** 2)


def build_model():
    return Brightness()
"""


def bundle_zip(*, pause: float | str = 0.0, break_it: str = "") -> bytes:
    """A code bundle that answers every image rightly, after so many seconds in each run; `pause`
    may be an expression of `images`, the run's first batch. The same bytes whenever it is made."""
    centres = ((np.arange(4) * 60 + 9.5) / 255).astype(np.float32).tobytes()
    entry = {"centres": {"dtype": "F32", "shape": [4], "data_offsets": [0, len(centres)]}}
    header = json.dumps(entry).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("model.py"), break_it + _MODEL.format(pause=pause))
        archive.writestr(
            zipfile.ZipInfo("checkpoint.safetensors"),
            struct.pack("<Q", len(header)) + header + centres,
        )
    return out.getvalue()


def served_address(server: subprocess.Popen[str]) -> str:
    """Where a started `leaderboard serve` listens: on its stderr, after whatever else it says."""
    assert server.stderr is not None
    said = []
    for line in server.stderr:
        if found := re.search(r"http://\S+", line):
            # nobody reads on: a full pipe would hold the server up
            threading.Thread(target=_drain, args=(server.stderr,), daemon=True).start()
            return found[0]
        said.append(line)
    raise AssertionError("".join(said))


def _drain(pipe: IO[str]) -> None:
    with suppress(ValueError):  # it was closed meanwhile
        for _ in pipe:
            pass


@dataclass
class Site:
    """A server's state with one course, an assignment and the ways to act on it."""

    state: State
    course: Course
    folder: Path
    people: dict[str, User] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return self.state.settings

    @property
    def command(self) -> list[str]:
        """The console command, up to its subcommand."""
        state_dir = str(self.settings.state_dir)
        return [sys.executable, "-m", "leaderboard.cli", "--state", state_dir]

    def person(self, name: str, role: Role = Role.STUDENT) -> User:
        """An account enrolled in the course; made at the first mention."""
        if name not in self.people:
            with self.state.database.session() as session:
                user = accounts.create_user(
                    session, email=f"{name}@example.edu", name=name, password=PASSWORD
                )
                course = session.get_one(Course, self.course.id)
                courses.enrol(session, course, user, role)
                session.refresh(user)
                session.expunge_all()
            self.people[name] = user
        return self.people[name]

    def assignment(self, session: Any, slug: str = "animals") -> Assignment:
        return session.scalars(
            sa.select(Assignment).filter_by(course_id=self.course.id, slug=slug)
        ).one()

    def team(self, session: Any, name: str) -> Team:
        course = session.get_one(Course, self.course.id)
        team = courses.team_of(session, course, self.person(name))
        assert team is not None
        return team

    def publish(self, folder: Path, *, replace: bool = False) -> None:
        with self.state.database.session() as session:
            course = session.get_one(Course, self.course.id)
            editions.publish(session, self.state, folder, course, replace=replace)

    def upload(self, content: bytes, filename: str = "predictions.csv") -> UploadedFile:
        staging = self.state.blobs.stage("".join(Path(filename).suffixes))
        staging.write(content)
        staging.finish()
        return UploadedFile(
            path=staging.path, filename=filename, sha256=staging.sha256, size=staging.size
        )

    def hand_in(
        self,
        name: str,
        content: bytes,
        *,
        filename: str = "predictions.csv",
        key: str | None = None,
        at: datetime | None = None,
        slug: str = "animals",
    ) -> str:
        """Hand in by the one door; the public id."""
        return self.accept(name, content, filename=filename, key=key, at=at, slug=slug)[0]

    def accept(
        self,
        name: str,
        content: bytes,
        *,
        filename: str = "predictions.csv",
        key: str | None = None,
        at: datetime | None = None,
        slug: str = "animals",
    ) -> tuple[str, Accepted]:
        user = self.person(name)
        with self.state.database.session() as session:
            accepted = submissions.accept(
                session,
                self.state,
                assignment=self.assignment(session, slug),
                team=self.team(session, name),
                user=session.get_one(User, user.id),
                upload=self.upload(content, filename),
                started_at=at or utcnow(),
                idempotency_key=key,
            )
            return accepted.submission.public_id, accepted

    def score(self, public_id: str) -> None:
        """Evaluate it here and now, as a worker without a sandbox would."""
        found = self.submission(public_id)
        evaluate.evaluate(
            self.state,
            evaluate.Worker(incarnation="test", runner=None),
            Job(
                submission_id=found.id,
                number=found.evaluation_number,
                attempt=found.failed_attempts,
            ),
        )

    def submission(self, public_id: str) -> Submission:
        """A detached copy, with what hangs on it read."""
        with self.state.database.reading() as session:
            found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
            _ = found.current_evaluation and found.current_evaluation.splits
            session.expunge_all()
            return found

    def wait(self, public_id: str, *, seconds: float = 60) -> Submission:
        """The submission once it is finished."""
        return self.wait_for(
            public_id, lambda found: found.status is SubmissionStatus.FINISHED, seconds=seconds
        )

    def wait_for(
        self, public_id: str, is_there: Callable[[Submission], bool], *, seconds: float = 60
    ) -> Submission:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.submission(public_id)
            if is_there(found):
                return found
            time.sleep(0.05)
        raise AssertionError(f"{public_id} is still {found.status} {found.phase!r}")

    def token(self, name: str, *, staff: bool = False) -> str:
        with self.state.database.session() as session:
            return accounts.issue_token(
                session,
                session.get_one(User, self.person(name).id),
                name="test",
                scopes=SCOPES if staff else ("read", "submit"),
                now=utcnow(),
                lifetime=timedelta(days=1),
            ).secret

    @contextmanager
    def worker(self, name: str = "1", **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """A real worker process; killed at the end if it still runs."""
        process = subprocess.Popen(
            [*self.command, "worker", "--name", name],
            env={**os.environ, **SPARED, **environment},
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def has_sandbox() -> bool:
    """Whether students' code can run on this machine; in continuous integration it must."""
    try:
        get_runner(hold_files=False)
    except SandboxUnavailable:
        if os.environ.get("CI") == "true":
            raise
        return False
    return True


@cache
def _fresh_state() -> Path:
    """What `leaderboard init` makes; made once, since migrating takes a second."""
    folder = Path(tempfile.mkdtemp(prefix="leaderboard-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return initialise(folder / "state").state_dir


def make_site(folder: Path, assignment: Path, **settings: str) -> Site:
    """A site on SQLite with the assignment published; `settings` as in the environment."""
    state_dir = folder / "state"
    shutil.copytree(_fresh_state(), state_dir)
    return _open_site(state_dir, assignment, settings)


def initialised_site(folder: Path, assignment: Path, **settings: str) -> Site:
    """The same, made from nothing, on another database if `database_url` says so."""
    state_dir = folder / "state"
    url = settings.get("database_url")
    initialise(state_dir, {"LEADERBOARD_DATABASE_URL": url} if url else {})
    return _open_site(state_dir, assignment, settings)


def _open_site(state_dir: Path, assignment: Path, settings: dict[str, str]) -> Site:
    state = open_state(
        load_settings(
            state_dir,
            {f"LEADERBOARD_{name.upper()}": value for name, value in settings.items()},
        )
    )
    with state.database.session() as session:
        course = courses.create_course(
            session, code="dl-1", title="Deep Learning", time_zone="Asia/Shanghai"
        )
        editions.publish(session, state, assignment, course)
        session.refresh(course)
        session.expunge_all()
    return Site(state=state, course=course, folder=assignment)


@dataclass
class Api:
    """One person's API client."""

    client: FlaskClient
    token: str

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(f"/api/v1{path}", headers={**self._authorization, **headers})

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(f"/api/v1{path}", headers=self._authorization, json=body)

    def hand_in(
        self,
        content: bytes,
        *,
        filename: str = "predictions.csv",
        key: str | None = None,
        path: str = "/courses/dl-1/assignments/animals/submissions",
    ) -> Any:
        headers = {**self._authorization, **({"Idempotency-Key": key} if key else {})}
        return self.client.post(
            f"/api/v1{path}",
            headers=headers,
            data={"file": (io.BytesIO(content), filename), "message": "first try"},
        )

    @property
    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}
