"""The board at 10,000 teams and 1,000,000 submissions, and publishing beside it.

    python tests/bench/bench_board.py [--teams 10000] [--submissions 1000000] [--database sqlite]

A page of 100, a team's rank, a hand-in's decisions and the refresh of a team's standing, on a small
and on the full table; beside the query that needs no standing rows: a window function over every
submission's score. Times are medians of the whole call, Python included, and of the database alone.
And once: publishing rules that give pretrained weights, which a third of the hand-ins declare, a
track of their own, with which every team's rows are brought up to date.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "leaderboard"))

import private_postgres
import psycopg
import sqlalchemy as sa
from small_site import Site, initialised_site, make_site, write_assignment
from sqlalchemy.orm import Session

from leaderboard.boards import placing, standings
from leaderboard.db import utcnow
from leaderboard.models import (
    Split,
    Submission,
    Team,
)
from leaderboard.rules import quotas

TEAMS = 10_000
SUBMISSIONS = 1_000_000
_SMALL = 100  # times smaller is the table that growth is measured from
_T0 = datetime(2026, 9, 1, tzinfo=UTC)
_BATCH = 100_000
_REPEATS = 15
_NUMBERS = """
WITH RECURSIVE counted(n) AS (
  SELECT CAST(:low AS INTEGER) UNION ALL SELECT n + 1 FROM counted WHERE n < :high
), rows AS (
  SELECT n, CAST(:first AS INTEGER) + n % CAST(:teams AS INTEGER) AS team,
         ((n * CAST(7919 AS BIGINT)) % 1000003) / 1000003.0 AS score,
         'h' || n AS hash FROM counted
)
"""
_FILL = (
    """INSERT INTO submission (id, public_id, assignment_id, team_id, user_id, kind, lane, filename,
       content_sha256, size_bytes, message, status, phase, verdict, problems, claims,
       upload_started_at, days_late, late_days_spent, accepted_at, started_at, finished_at, counted,
       receipt, is_final_pick, evaluation_number, evaluation_cause, failed_attempts, priority,
       revision)
       SELECT n, 's_' || n, :assignment, team, :user, 'csv', 'csv', 'p.csv', hash, 100000, '',
       'finished', '', 'OK', '[]', '{}', '2026-09-01', 0, 0, '2026-09-01', '2026-09-01',
       '2026-09-01', (1 = 1), '{}', (1 = 0), 1, 'hand_in', 0, 1, 1 FROM rows""",
    """INSERT INTO evaluation (id, submission_id, number, cause, verdict, detail, problems, flags,
       sample_log, predictions_sha256, content_sha256, answers_sha256, folder_sha256, code_version,
       environment, timing, facts, created_at)
       SELECT n, n, 1, 'hand_in', 'OK', '', '[]', '[]', '', hash, hash, '0', '0', 'bench', '{}',
       '{}', '{}', '2026-09-01' FROM rows""",
    *(
        f"""INSERT INTO split_score (evaluation_id, split, n, primary_score, shown, accuracy,
        macro_precision, macro_recall, macro_f1, intervals, "right", report)
        SELECT n, '{split}', 40, score, score, score, score, score, score,
        '{{"accuracy": [0.1, 0.9]}}', :nothing, '{{"confusion": [[10, 0], [0, 10]]}}' FROM rows"""
        for split in Split
    ),
)
_STAND = """
INSERT INTO standing (assignment_id, team_id, split, submission_id, is_baseline, primary_score,
  rank_key, achieved_at, accuracy, macro_f1, "right", entries, last_at)
SELECT :assignment, team_id, :split, id, (1 = 0), shown, -shown, accepted_at, shown, shown,
  :nothing, entries, accepted_at
FROM (
  SELECT s.id, s.team_id, p.shown, s.accepted_at,
         count(*) OVER (PARTITION BY s.team_id) AS entries,
         row_number() OVER (PARTITION BY s.team_id ORDER BY p.shown DESC, s.id) AS n
  FROM submission s JOIN split_score p ON p.evaluation_id = s.id AND p.split = :split
  WHERE s.assignment_id = :assignment
) AS each_best WHERE n = 1
"""
_NAIVE = """
SELECT team_id, best, rank() OVER (ORDER BY best DESC, at) AS place FROM (
  SELECT s.team_id, p.shown AS best, s.accepted_at AS at,
         row_number() OVER (PARTITION BY s.team_id ORDER BY p.shown DESC, s.accepted_at) AS n
  FROM submission s
  JOIN split_score p ON p.evaluation_id = s.current_evaluation_id AND p.split = 'public'
  WHERE s.assignment_id = :assignment
) AS each_best WHERE n = 1 ORDER BY place LIMIT 100
"""


def main() -> dict[str, dict[str, float]]:
    """Measure SQLite, and PostgreSQL where it is installed, at a tenth of the full size; the whole
    by `--submissions`."""
    databases = ["sqlite", *(["postgresql"] if private_postgres.programs() else [])]
    return {each: measure(each, TEAMS // 10, SUBMISSIONS // 10) for each in databases}


def measure(database: str, teams: int, submissions: int) -> dict[str, float]:
    """Fill a small and a full table, and measure both."""
    small = _measured(database, max(200, teams // _SMALL), submissions // _SMALL, with_naive=False)
    full = _measured(database, teams, submissions, with_naive=True)
    figures = {
        "teams": float(teams),
        "submissions": float(submissions),
        **full,
        **{f"{name}_small": value for name, value in small.items()},
        "naive_to_page": full["naive_ms"] / full["page_database_ms"],
    }
    print(
        f"{database:>10}, {teams:,} teams, {submissions:,} submissions: page of 100 "
        f"{full['page_database_ms']:.1f} ms in the database ({full['page_ms']:.1f} ms in all, "
        f"{small['page_database_ms']:.1f} on a table {_SMALL} times smaller), last page "
        f"{full['last_page_database_ms']:.1f}, rank {full['rank_ms']:.1f} ms, hand-in's decisions "
        f"{full['decide_ms']:.1f} ({small['decide_ms']:.1f}), publish's standing "
        f"{full['refresh_ms']:.1f} ({small['refresh_ms']:.1f}); window function over all "
        f"{full['naive_ms']:.0f} ms; other rules {full['rules_s']:.1f} s"
    )
    return figures


def _measured(database: str, teams: int, submissions: int, *, with_naive: bool) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="bench-board-"))
    try:
        with a_site(folder, database) as site:
            fill(site, teams, submissions)
            figures = _queries(site, min(teams, submissions), with_naive=with_naive)
            return {**figures, "rules_s": _seconds_of_other_rules(site)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def a_site(folder: Path, database: str) -> Iterator[Site]:
    assignment = write_assignment(folder / "animals", daily_limit=5)
    if database == "sqlite":
        site = make_site(folder, assignment)
        yield site
        site.state.close()
        return
    with private_postgres.cluster() as cluster:
        with psycopg.connect(cluster.url.format("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE bench")
        site = initialised_site(folder, assignment, database_url=cluster.url.format("bench"))
        yield site
        site.state.close()


def fill(site: Site, teams: int, submissions: int) -> None:
    """Rows as hand-ins and publishing leave them, put in by the thousand."""
    user = site.person("filler")
    with site.state.database.reading() as session:
        assignment_id = site.assignment(session).id
        first_team = (session.scalar(sa.select(sa.func.max(Team.id))) or 0) + 1
    with site.state.database.write() as session:
        rows = [
            {
                "course_id": site.course.id,
                "name": f"team {n}",
                "is_baseline": False,
                "created_at": _T0,
            }
            for n in range(teams)
        ]
        session.execute(sa.insert(Team), rows)
    # by the database itself: a million rows in a minute
    place = {
        "assignment": assignment_id,
        "first": first_team,
        "teams": teams,
        "user": user.id,
        "nothing": b"",
    }
    for begin in range(0, submissions, _BATCH):
        span = {**place, "low": begin + 1, "high": min(begin + _BATCH, submissions)}
        with site.state.database.write() as session:
            for statement in _FILL:
                session.execute(sa.text(_NUMBERS + statement), span)
            session.execute(
                sa.text(
                    "UPDATE submission SET current_evaluation_id = id "
                    "WHERE id BETWEEN :low AND :high"
                ),
                span,
            )
    with site.state.database.write() as session:
        for split in Split:
            session.execute(sa.text(_STAND), {**place, "split": split.value})
    with site.state.database.engine.connect().execution_options(
        isolation_level="AUTOCOMMIT"
    ) as connection:
        vacuum = "ANALYZE" if site.state.database.is_sqlite else "VACUUM ANALYZE"
        connection.exec_driver_sql(vacuum)


class _Statements:
    """Records what a call asks the database, to be timed again without anything around it."""

    def __init__(self, engine: sa.Engine) -> None:
        self._asked: list[tuple[str, Any]] = []
        sa.event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, _: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        self._asked.append((statement, parameters))

    def seconds(self, session: Session, call: Callable[[], object]) -> float:
        """The time of executing and fetching all that a call asks, on the bare driver."""
        self._asked.clear()
        call()
        asked = [each for each in self._asked if not each[0].startswith("BEGIN")]
        raw = session.connection().connection.cursor()
        begin = time.perf_counter()
        for statement, parameters in asked:
            raw.execute(statement, parameters)
            if raw.description:
                raw.fetchall()
        return time.perf_counter() - begin


def _queries(site: Site, teams: int, *, with_naive: bool) -> dict[str, float]:
    statements = _Statements(site.state.database.engine)
    database = site.state.database
    with database.reading() as session:
        assignment = site.assignment(session)
        assignment_id, last = assignment.id, -(-teams // 100)
        middle = session.scalars(
            standings.ranked(assignment, Split.PUBLIC).offset(teams // 2).limit(1)
        ).one()
        team = session.get_one(Team, middle.team_id)

        def page(number: int) -> Callable[[], object]:
            return lambda: standings.board(
                session, assignment, Split.PUBLIC, page=number, my_team=team
            )

        figures = {
            **_times(statements, session, "page", page(1)),
            **_times(statements, session, "last_page", page(last)),
            **_times(statements, session, "rank", lambda: standings.rank_of(session, middle)),
            **_times(
                statements,
                session,
                "decide",
                lambda: quotas.spent(session, assignment, team, middle.submission.user, utcnow()),
            ),
        }
        if with_naive:
            naive = sa.text(_NAIVE)
            figures |= _times(
                statements,
                session,
                "naive",
                lambda: session.execute(naive, {"assignment": assignment_id}).all(),
                repeats=3,
            )
    with database.write() as session:
        assignment, team = site.assignment(session), session.get_one(Team, team.id)
        figures |= _times(
            statements, session, "refresh", lambda: placing.refresh(session, assignment, team)
        )
    return figures


def _seconds_of_other_rules(site: Site) -> float:
    with site.state.database.write() as session:
        session.execute(
            sa.update(Submission)
            .where(Submission.id % 3 == 0)
            .values(declared=["pretrained"])
            .execution_options(synchronize_session=False)
        )
    settings = site.folder / "assignment.toml"
    settings.write_text(settings.read_text() + '\n[rules]\npretrained = "own track"\n')
    begin = time.perf_counter()
    site.publish(site.folder)
    return time.perf_counter() - begin


def _times(
    statements: _Statements,
    session: Session,
    name: str,
    call: Callable[[], object],
    *,
    repeats: int = _REPEATS,
) -> dict[str, float]:
    call()
    whole = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        whole.append(time.perf_counter() - begin)
    database = [statements.seconds(session, call) for _ in range(repeats)]
    return {
        f"{name}_ms": 1000 * statistics.median(whole),
        f"{name}_database_ms": 1000 * statistics.median(database),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--teams", type=int, default=TEAMS)
    parser.add_argument("--submissions", type=int, default=SUBMISSIONS)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    found = measure(options.database, options.teams, options.submissions)
    print(json.dumps(found, indent=2))
