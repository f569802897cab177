"""A course's hand-ins from SQLite to PostgreSQL and back: how long it takes, and that all is there.

    python tests/bench/move_site.py [--submissions 2000]

Every hand-in comes by the one door and is scored by the worker's code. Prints one line a step; the
exit code is 1 if a row, a receipt, a file or a score differs at the end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1] / "leaderboard"))

import private_postgres
from small_site import Site, make_site, predictions_csv, write_assignment

from leaderboard import audit
from leaderboard.operations import backup, restore, snapshots, verification
from leaderboard.state import State, open_state

_TEAMS = 40


@contextmanager
def timed(what: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - begun:.1f} s", flush=True)


def silent(*_: object) -> None:
    pass


def fill(site: Site, submissions: int) -> None:
    for number in range(submissions):
        content = predictions_csv(site.folder, wrong=number % 60, seed=number)
        site.score(site.hand_in(f"student{number % _TEAMS:02d}", content))


def move(state: State, folder: Path, environment: dict[str, str]) -> State:
    with timed(f"backup of {snapshots.kind_of(state.database)}"):
        made = backup.make(state, folder / "backup", progress=silent)
    with timed("restore"):
        done = restore.restore(folder / "backup", folder / "state", environment, progress=silent)
    moved = open_state(done.settings)
    with moved.database.engine.connect() as connection:
        there = {
            name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            for name in made.rows
        }
    print(f"  {sum(made.rows.values())} rows, {made.blobs} files → {sum(there.values())} rows")
    assert there == made.rows, "rows were lost"
    return moved


def differing(state: State) -> int:
    with timed(f"verify on {snapshots.kind_of(state.database)}"):
        found = verification.verify(state, progress=silent)
    with state.database.reading() as session:
        events, broken = audit.verify(session, state.receipts.public_key)
    print(
        f"  {found.receipts} receipts, {found.files} files, {found.scores} scores verified, "
        f"{len(found.differences)} differ; {events} events, {len(broken)} broken links",
        flush=True,
    )
    return len(found.differences) + len(broken)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--submissions", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, private_postgres.cluster() as cluster:
        home = Path(name)
        with psycopg.connect(cluster.url.format("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE moved")
        site = make_site(home, write_assignment(home / "animals"))
        with timed(f"{options.submissions} hand-ins accepted and scored on SQLite"):
            fill(site, options.submissions)
        for folder in (home / "there", home / "back"):
            folder.mkdir()
        there = move(
            site.state, home / "there", {"LEADERBOARD_DATABASE_URL": cluster.url.format("moved")}
        )
        wrong = differing(there)
        back = move(there, home / "back", {})
        wrong += differing(back)
        for state in (site.state, there, back):
            state.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
