"""Hand-ins under load: a deadline storm, and the rate that lasts beside a bare insert.

    python tests/bench/bench_queue.py [--database sqlite|postgresql]

CPU: what the server's processes take for a hand-in and for a bare insert, by the system's account.
Storm: 300 teams hand in a 10,000-row CSV each within 10 s; what the slowest waited, and when all
were scored. Burst: the same in one instant. Rate: hand-ins a second with as many clients as keep
the server busy, beside a bare Flask + SQLAlchemy application under the same gunicorn that knows by
a token whose it is, takes the same upload and inserts it, bytes included, into the same kind of
database, as durable. No two hand-ins bring the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from secrets import token_urlsafe
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "leaderboard"))
sys.path.insert(0, str(Path(__file__).parents[1] / "common"))

import numpy as np
import private_postgres
import psycopg
import sqlalchemy as sa
from ports import held_port
from small_site import Site, initialised_site, make_site, predictions_csv, write_assignment

from leaderboard.db import utcnow
from leaderboard.models import ApiToken, Enrolment, Role, Submission, Team, TeamMember, User

TEAMS = 300
ROWS = 10_000
STORM_SECONDS = 10.0
RATE_SECONDS = 6.0
CLIENTS = 8
RUNS = 5  # a single pair swings by a fifth
_SETTINGS = {
    "LEADERBOARD_WEB_PROCESSES": "2",
    "LEADERBOARD_API_REQUESTS_PER_MINUTE": "1000000",
    "LEADERBOARD_UPLOADS_PER_MINUTE": "1000000",
}
PATH = "/api/v1/courses/dl-1/assignments/animals/submissions"
_BOUNDARY = "----gradewright-bench"

_BARE = """
import hashlib
import sys
import sqlalchemy as sa
from flask import Flask, request
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from leaderboard.config import load_settings
from leaderboard.server import _gunicorn_settings
from gunicorn.app.base import BaseApplication
from pathlib import Path

class Base(DeclarativeBase): pass

class Token(Base):
    __tablename__ = "bare_token"
    sha256: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[int]

class Upload(Base):
    __tablename__ = "bare_upload"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[int]
    filename: Mapped[str]
    message: Mapped[str]
    content: Mapped[bytes]

def create():
    engine = sa.create_engine(sys.argv[2], pool_size=20, max_overflow=64)
    if engine.dialect.name == "sqlite":
        @sa.event.listens_for(engine, "connect")
        def prepare(connection, _):
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
                connection.execute("PRAGMA " + pragma)
    app = Flask("bare")
    @app.post("/upload")
    def upload():
        sha256 = hashlib.sha256(request.authorization.token.encode()).hexdigest()
        with Session(engine) as session:
            owner = session.scalar(sa.select(Token.owner).filter_by(sha256=sha256))
            if owner is None:
                return {}, 401
            session.commit()
            file = request.files["file"]
            row = Upload(owner=owner, filename=file.filename,
                         message=request.form.get("message", ""), content=file.read())
            session.add(row)
            session.commit()
            return {"id": row.id}, 201
    return app

class Server(BaseApplication):
    def load_config(self):
        for name, value in _gunicorn_settings(load_settings(Path(sys.argv[1])), None).items():
            self.cfg.set(name, value)
        self.cfg.set("bind", ["127.0.0.1:" + sys.argv[3]])
    def load(self):
        return create()

engine = sa.create_engine(sys.argv[2])
Base.metadata.create_all(engine)
with Session(engine) as session:
    for owner, token in enumerate(Path(sys.argv[4]).read_text().split()):
        session.merge(Token(sha256=hashlib.sha256(token.encode()).hexdigest(), owner=owner))
    session.commit()
engine.dispose()
sys.argv, Server.args = sys.argv[:4], sys.argv
Server().run()
"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    seconds: float


def main() -> dict[str, dict[str, float]]:
    """Measure both databases; PostgreSQL where it is installed."""
    figures = {"sqlite": measure("sqlite")}
    if private_postgres.programs() is not None:
        figures["postgresql"] = measure("postgresql")
    return figures


def measure(database: str) -> dict[str, float]:
    """Storm and rate on one database."""
    folder = Path(tempfile.mkdtemp(prefix="bench-queue-"))
    try:
        with a_site(folder, database) as site:
            bodies = Bodies([predictions_csv(site.folder, wrong=n, seed=n) for n in range(20)])
            figures = {
                **storm(site, bodies, "storm", STORM_SECONDS),
                **storm(site, bodies, "burst", 0.0),
                **rates(site, bodies, folder),
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"{database:>10}: storm p50 {figures['storm_p50_ms']:.0f} ms, "
        f"p95 {figures['storm_p95_ms']:.0f} ms, refused {figures['storm_refused']:.0f}, "
        f"all scored {figures['storm_scored_s']:.0f} s after the first; all in one instant: "
        f"p95 {figures['burst_p95_ms']:.0f} ms, refused {figures['burst_refused']:.0f}; "
        f"{figures['hand_ins_per_s']:.0f} hand-ins/s, bare insert "
        f"{figures['bare_inserts_per_s']:.0f}/s, ratio {figures['ratio_to_bare']:.2f}; "
        f"{figures['hand_in_cpu_ms']:.1f} ms of CPU each, bare {figures['bare_insert_cpu_ms']:.1f}"
    )
    return figures


@contextmanager
def a_site(folder: Path, database: str) -> Iterator[Site]:
    assignment = big_assignment(folder / "animals")
    if database == "sqlite":
        site = make_site(folder, assignment, web_processes="2")
        yield enrolled(site)
        site.state.close()
        return
    with private_postgres.cluster(options="-c fsync=on") as cluster:
        with psycopg.connect(cluster.url.format("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE bench")
        site = initialised_site(folder, assignment, database_url=cluster.url.format("bench"))
        yield enrolled(site)
        site.state.close()


def big_assignment(folder: Path) -> Path:
    """The tests' small assignment with 10,000 images."""
    write_assignment(folder, submission="kinds = ['csv']")
    labels = np.random.default_rng(0).integers(0, 4, ROWS)
    rows = "".join(f"img{index:06d},{label}\n" for index, label in enumerate(labels))
    (folder / "answers.csv").write_text("id,label\n" + rows)
    np.save(folder / "test" / "images.npy", np.zeros((ROWS, 8, 8), dtype=np.uint8))
    return folder


def enrolled(site: Site) -> Site:
    """300 teams of one, with a token each; put in directly, as hashing passwords takes a minute."""
    now = utcnow()
    with site.state.database.write() as session:
        for number in range(TEAMS):
            user = User(
                email=f"s{number}@example.edu", name=f"s{number}", password_hash="", created_at=now
            )
            team = Team(course_id=site.course.id, name=f"team {number}", created_at=now)
            session.add_all([user, team])
            session.flush()
            place = {"user_id": user.id, "course_id": site.course.id}
            session.add(Enrolment(role=Role.STUDENT, **place))
            session.add(TeamMember(team_id=team.id, **place))
    return site


def tokens(site: Site) -> list[str]:
    """A token of each student, in one transaction."""
    now = utcnow()
    with site.state.database.write() as session:
        users = session.scalars(sa.select(User.id).order_by(User.id)).all()
        secrets = {user_id: f"gw_{token_urlsafe(32)}" for user_id in users}
        session.add_all(
            ApiToken(
                user_id=user_id,
                name="bench",
                token_sha256=hashlib.sha256(secret.encode()).hexdigest(),
                prefix=secret[:10],
                scopes=["read", "submit"],
                created_at=now,
                expires_at=now + timedelta(days=1),
            )
            for user_id, secret in secrets.items()
        )
    return list(secrets.values())


class Bodies:
    """Requests' bodies, no two with the same file: what is stored already would cost less."""

    def __init__(self, files: list[bytes]) -> None:
        self._files = files
        self._numbers = itertools.count()

    def __next__(self) -> bytes:
        number = next(self._numbers)
        header, _, rows = self._files[number % len(self._files)].partition(b"\n")
        # a row of these files is 12 bytes: the next number starts at a later one
        cut = rows.index(b"\n", 13 * number % len(rows)) + 1
        return multipart(header + b"\n" + rows[cut:] + rows[:cut])


def multipart(content: bytes) -> bytes:
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="message"\r\n\r\nbench\r\n'
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="p.csv"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    )
    return head.encode() + content + f"\r\n--{_BOUNDARY}--\r\n".encode()


def storm(site: Site, bodies: Bodies, name: str, within: float) -> dict[str, float]:
    """300 teams within some seconds, the worker running beside."""
    keys = tokens(site)
    draw = random.Random(1)
    moments = sorted(draw.uniform(0, within) for _ in keys)
    answers: list[Answer] = []
    with served(site, with_worker=True) as port:
        warm_up(port, keys[0], next(bodies))
        begin = time.monotonic()

        def one(index: int) -> None:
            time.sleep(max(0.0, begin + moments[index] - time.monotonic()))
            answers.append(post(port, PATH, next(bodies), keys[index]))

        with ThreadPoolExecutor(len(keys)) as pool:
            list(pool.map(one, range(len(keys))))
        scored = scored_after(site, begin)
    seconds = sorted(answer.seconds for answer in answers)
    return {
        f"{name}_p50_ms": 1000 * seconds[len(seconds) // 2],
        f"{name}_p95_ms": 1000 * seconds[int(0.95 * len(seconds))],
        f"{name}_max_ms": 1000 * seconds[-1],
        f"{name}_refused": float(sum(answer.status != 201 for answer in answers)),
        f"{name}_scored_s": scored,
    }


def scored_after(site: Site, begin: float) -> float:
    waiting = sa.select(sa.func.count()).where(Submission.status.in_(("queued", "running")))
    while time.monotonic() - begin < 180:
        with site.state.database.reading() as session:
            if not session.scalar(waiting):
                return time.monotonic() - begin
        time.sleep(0.1)
    return float("inf")


def rates(site: Site, bodies: Bodies, folder: Path) -> dict[str, float]:
    """Ours and the bare insert in turns; medians, the ratio that of the pairs."""
    keys = tokens(site)
    ours, bare = [], []
    for _ in range(RUNS):
        with served(site, with_worker=False) as port:
            warm_up(port, keys[0], next(bodies))
            ours.append(rate(port, PATH, bodies, keys))
        with bare_server(site, folder, keys) as port:
            warm_up(port, keys[0], next(bodies), "/upload")
            bare.append(rate(port, "/upload", bodies, keys))
    pairs = list(zip(ours, bare, strict=True))
    return {
        "hand_ins_per_s": median(each.a_second for each in ours),
        "bare_inserts_per_s": median(each.a_second for each in bare),
        "ratio_to_bare": median(mine.a_second / theirs.a_second for mine, theirs in pairs),
        "hand_in_cpu_ms": median(each.cpu_ms for each in ours),
        "bare_insert_cpu_ms": median(each.cpu_ms for each in bare),
    }


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What was accepted a second, and the server's processor time for each, in milliseconds."""

    a_second: float
    cpu_ms: float


def rate(port: int, path: str, bodies: Bodies, keys: list[str]) -> Rate:
    """By clients that send one after another."""
    before = cpu_seconds()
    end = time.monotonic() + RATE_SECONDS
    accepted = [0] * CLIENTS

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        turn = number
        while time.monotonic() < end:
            answer = send(connection, path, next(bodies), keys[turn % len(keys)])
            assert answer == 201, answer
            accepted[number] += 1
            turn += CLIENTS

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = cpu_seconds() - before
    return Rate(a_second=sum(accepted) / RATE_SECONDS, cpu_ms=1000 * took / sum(accepted))


def cpu_seconds() -> float:
    """What this process's children, and theirs, have taken of the processors so far."""
    ticks = os.sysconf("SC_CLK_TCK")
    return sum(sum(map(int, _stat(each)[11:13])) / ticks for each in _below(os.getpid()))


def _below(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            yield child
            yield from _below(child)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name, utime and stime among them (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def post(port: int, path: str, body: bytes, token: str) -> Answer:
    begin = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    status = send(connection, path, body, token)
    connection.close()
    return Answer(status=status, seconds=time.monotonic() - begin)


def send(connection: http.client.HTTPConnection, path: str, body: bytes, token: str) -> int:
    connection.request(
        "POST",
        path,
        body,
        {
            "Authorization": f"Bearer {token}",
            "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
        },
    )
    answer = connection.getresponse()
    answer.read()
    return answer.status


def warm_up(port: int, token: str, body: bytes, path: str = PATH) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(OSError, http.client.HTTPException):
            if [post(port, path, body, token).status for _ in range(8)][-1] == 201:
                return
        time.sleep(0.3)
    raise AssertionError("the server did not answer")


@contextmanager
def served(site: Site, *, with_worker: bool) -> Iterator[int]:
    port = held_port()
    command = [*site.command, "serve", "--port", str(port)]
    with running([*command, *([] if with_worker else ["--no-worker"])], site):
        yield port


@contextmanager
def bare_server(site: Site, folder: Path, keys: list[str]) -> Iterator[int]:
    port = held_port()
    program, known = folder / "bare.py", folder / "tokens"
    program.write_text(textwrap.dedent(_BARE))
    known.write_text("\n".join(keys))
    is_sqlite = site.settings.database_url.startswith("sqlite")
    url = f"sqlite:///{folder / 'bare.sqlite3'}" if is_sqlite else site.settings.database_url
    state_dir = str(site.settings.state_dir)
    with running([sys.executable, str(program), state_dir, url, str(port), str(known)], site):
        yield port


@contextmanager
def running(command: list[str], site: Site) -> Iterator[None]:
    environment = {
        **os.environ,
        **_SETTINGS,
        "LEADERBOARD_DATABASE_URL": site.settings.database_url,
    }
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--database", choices=("sqlite", "postgresql"))
    chosen = parser.parse_args().database
    print(json.dumps(measure(chosen) if chosen else main(), indent=2))
