"""A term's worth of hand-ins while everything is killed: nothing may be lost, doubled or wrong.

    python tests/leaderboard/chaos.py --submissions 500 --kills 60 --database postgresql

Teams hand in through the real client. Meanwhile workers, web processes and the database are killed
with -9 and started again at random moments. Afterwards every receipt must have exactly one final
evaluation with the score that the grader gives, every quota be right, nothing wait, and no verdict
blame a student for a failure of ours.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "common"))

import private_postgres
from chaos_examination import HandIn, Seen, examine
from ports import held_port
from small_site import (
    SPARED,
    Site,
    bundle_zip,
    initialised_site,
    make_site,
    predictions_csv,
    write_assignment,
)

from grader.client.client import Client
from leaderboard.models import Submission, Team
from leaderboard.settings import table

SETTINGS = {
    "LEADERBOARD_HEARTBEAT_SECONDS": "0.5",
    "LEADERBOARD_DEAD_AFTER_SECONDS": "4",
    "LEADERBOARD_RETRY_SECONDS": "0.5",
    "LEADERBOARD_API_REQUESTS_PER_MINUTE": "100000",
    "LEADERBOARD_UPLOADS_PER_MINUTE": "100000",
    "LEADERBOARD_WEB_THREADS": "16",
    **SPARED,
}
KNOWN = {n: v for n, v in SETTINGS.items() if n in {each.variable for each in table.SETTINGS}}
_LONGEST_WAIT_SECONDS = 180.0
_UPLOADS_AT_ONCE = 8
_DAILY_LIMIT = 100


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is handed in and how much is killed; the same seed gives the same plan."""

    submissions: int
    kills: int
    teams: int = 40
    code: int = 0  # of the submissions, code bundles
    workers: int = 3
    web_processes: int = 2
    seconds_between_kills: float = 1.5
    seed: int = 5


class Program:
    """A process that is started again soon after it was killed."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._command = command
        self._environment = {**os.environ, **environment}
        self._over = False
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep_alive, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        with self._lock:
            alive = self._process is not None and self._process.poll() is None
            return self._process.pid if alive and self._process else None

    def _keep_alive(self) -> None:
        while not self._over:
            with self._lock:
                self._process = subprocess.Popen(self._command, env=self._environment)
            self._process.wait()
            time.sleep(0.3)

    def end(self) -> None:
        self._over = True
        with self._lock:
            process = self._process
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join(5)


def children_of(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(each) for each in found]


def kill(pid: int | None) -> bool:
    """Kill with -9; whether there was something to kill."""
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def hand_ins(plan: Plan, folder: Path) -> list[HandIn]:
    """Mostly valid CSVs, some broken ones, some code; in a random order."""
    rng = random.Random(plan.seed)
    made = []
    for number in range(plan.submissions):
        team = f"team{number % plan.teams:02d}"
        key = f"{plan.seed}-{number}"
        wrong = rng.randrange(60)
        if number < plan.code:
            content, filename, verdict = bundle_zip(), "bundle.zip", "OK"
        elif rng.random() < 0.05:
            content = predictions_csv(folder).replace(b",", b";", 5)
            filename, verdict = "broken.csv", "REJ"
        else:
            content = predictions_csv(folder, wrong=wrong, seed=number)
            filename, verdict = "predictions.csv", "OK"
        made.append(HandIn(team=team, content=content, filename=filename, verdict=verdict, key=key))
    rng.shuffle(made)
    return made


class Students:
    """Hand everything in, with the client that students use."""

    def __init__(self, url: str, tokens: dict[str, str], folder: Path) -> None:
        self._url, self._tokens, self._folder = url, tokens, folder
        self.seen = Seen()

    def send(self, each: HandIn, pace: float) -> None:
        path = self._folder / f"{each.key}-{each.filename}"
        path.write_bytes(each.content)
        time.sleep(pace)
        with Client(
            self._url, self._tokens[each.team], attempts=40, on_retry=self._note_retry
        ) as client:
            report = client.send(
                path, assignment="animals", course="dl-1", idempotency_key=each.key
            )
        assert report.receipt is not None
        self.seen.receipts[each.key] = {"id": report.id, "raw": report}

    def _note_retry(self, reason: str, _: float) -> None:
        found = re.search(r"answered (\d+)", reason)
        self.seen.retries[found.group(1) if found else "no answer"] += 1

    def probe(self, each: HandIn) -> None:
        """Hand in by hand while the database is away: what exactly is answered?"""
        with suppress(httpx.TransportError):
            answer = httpx.post(
                f"{self._url}/api/v1/courses/dl-1/assignments/animals/submissions",
                headers={
                    "Authorization": f"Bearer {self._tokens[each.team]}",
                    "Idempotency-Key": each.key,
                },
                files={"file": (each.filename, each.content)},
                timeout=60,
            )
            assert answer.status_code in (200, 201, 503), answer.text
            assert answer.status_code != 503 or answer.headers["Retry-After"].isdigit()
            self.seen.probes[answer.status_code] += 1


class Monkey:
    """Kills workers, web processes and the database at random moments."""

    def __init__(
        self,
        plan: Plan,
        workers: list[Program],
        web: Program,
        cluster: private_postgres.Cluster | None,
        while_away: Callable[[], None],
    ) -> None:
        self._plan, self._workers, self._web, self._cluster = plan, workers, web, cluster
        self._while_away = while_away
        self._rng = random.Random(plan.seed + 1)
        self.killed: Counter[str] = Counter()

    def run(self) -> None:
        while self.killed.total() < self._plan.kills:
            time.sleep(self._rng.uniform(0.2, 2) * self._plan.seconds_between_kills)
            self._kill_one()

    def _kill_one(self) -> None:
        draw = self._rng.random()
        if draw < 0.15 and self._cluster is not None:
            self._cluster.kill()
            self._while_away()
            self._cluster.start()
            self.killed["database"] += 1
        elif draw < 0.5:
            # `serve` → gunicorn's master → its web processes
            master = next(iter(children_of(self._web.pid or 0)), None)
            processes = children_of(master) if master else []
            whole = self._rng.random() < 0.2 or not processes
            self.killed["web"] += kill(master if whole else self._rng.choice(processes))
        else:
            self.killed["worker"] += kill(self._rng.choice(self._workers).pid)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run was like, for whoever reads it."""

    killed: Counter[str]
    retries: Counter[str]
    probes: Counter[int]
    verdicts: Counter[str]
    seconds: float
    problems: tuple[str, ...]


@contextmanager
def a_site(folder: Path, database: str) -> Iterator[tuple[Site, private_postgres.Cluster | None]]:
    assignment = write_assignment(folder / "animals", daily_limit=_DAILY_LIMIT)
    if database == "sqlite":
        site = make_site(folder, assignment)
        yield site, None
        site.state.close()
        return
    with private_postgres.cluster() as cluster:
        with psycopg.connect(cluster.url.format("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE chaos")
        site = initialised_site(folder, assignment, database_url=cluster.url.format("chaos"))
        yield site, cluster
        site.state.close()


def run(plan: Plan, database: str, folder: Path) -> Outcome:
    """Carry a plan through; `problems` is empty if nothing was lost or wrong."""
    with a_site(folder, database) as (site, cluster):
        tokens = {f"team{n:02d}": site.token(f"team{n:02d}") for n in range(plan.teams)}
        files = folder / "files"
        files.mkdir()
        begun = time.monotonic()
        environment = {
            **KNOWN,
            "LEADERBOARD_DATABASE_URL": site.settings.database_url,
            "LEADERBOARD_WEB_PROCESSES": str(plan.web_processes),
        }
        port = held_port()
        url = f"http://127.0.0.1:{port}"
        web = Program([*site.command, "serve", "--no-worker", "--port", str(port)], environment)
        workers = [
            Program([*site.command, "worker", "--name", f"w{number}"], environment)
            for number in range(plan.workers)
        ]
        students = Students(url, tokens, files)
        todo = hand_ins(plan, site.folder)
        probes = iter(todo)
        monkey = Monkey(plan, workers, web, cluster, lambda: students.probe(next(probes)))
        try:
            _wait_for_web(url)
            _send_all(students, todo, plan, monkey)
            waited = _wait_for_the_end(site)
        finally:
            for program in (web, *workers):
                program.end()
        problems = [] if waited else ["something still waits"]
        problems += examine(site, todo, students.seen)
        return Outcome(
            killed=monkey.killed,
            retries=students.seen.retries,
            probes=students.seen.probes,
            verdicts=_verdicts(site),
            seconds=time.monotonic() - begun,
            problems=tuple(problems),
        )


def _send_all(students: Students, todo: list[HandIn], plan: Plan, monkey: Monkey) -> None:
    """Spread the hand-ins over the time that the kills take."""
    pace = plan.kills * plan.seconds_between_kills * 1.1 * _UPLOADS_AT_ONCE / len(todo)
    killing = threading.Thread(target=monkey.run, daemon=True)
    killing.start()
    with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as uploads:
        list(uploads.map(lambda each: students.send(each, pace), todo))
    killing.join()


def _wait_for_the_end(site: Site) -> bool:
    """Whether nothing waits or runs any more."""
    waiting = sa.select(sa.func.count()).where(Submission.status.in_(("queued", "running")))
    end = time.monotonic() + _LONGEST_WAIT_SECONDS
    while time.monotonic() < end:
        with suppress(sa.exc.OperationalError), site.state.database.reading() as session:
            if not session.scalar(waiting):
                return True
        time.sleep(0.5)
    return False


def _verdicts(site: Site) -> Counter[str]:
    with site.state.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Team))
        return Counter(session.scalars(sa.select(Submission.verdict)))


def _wait_for_web(url: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/sign-in").status_code == httpx.codes.OK:
                return
        time.sleep(0.2)
    raise AssertionError("the web server did not start")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--submissions", type=int, default=500)
    parser.add_argument("--teams", type=int, default=40)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--code", type=int, default=0, help="of the submissions, code bundles")
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    single = options.database == "sqlite"
    plan = Plan(
        submissions=options.submissions,
        teams=options.teams,
        kills=options.kills,
        code=options.code,
        seed=options.seed,
        workers=1 if single else 3,
        web_processes=1 if single else 2,
    )
    folder = Path(tempfile.mkdtemp(prefix="leaderboard-chaos-"))
    try:
        outcome = run(plan, options.database, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{plan.submissions} hand-ins of {plan.teams} teams in {outcome.seconds:.0f} s")
    print(f"killed: {dict(outcome.killed)}")
    print(f"clients tried again because of: {dict(outcome.retries)}")
    print(f"answers while the database was away: {dict(outcome.probes)}")
    print(f"verdicts: {dict(outcome.verdicts)}")
    for problem in outcome.problems:
        print(f"PROBLEM {problem}")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
