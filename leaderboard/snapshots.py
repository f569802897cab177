"""A database in one file, as it was at one moment, while others go on writing; and back again.

SQLite by its online backup, PostgreSQL by pg_dump and pg_restore. The queue's tables are in the
same database, so that work and rows are of the same moment.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa

from leaderboard.db import Database, sqlite_url

FILE_NAMES = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}


class SnapshotFailed(Exception):
    """The database could not be written to, or read from, a file; the sentence says why."""


def kind_of(database: Database) -> str:
    """sqlite or postgresql."""
    return database.engine.dialect.name


@contextmanager
def taken(database: Database, into: Path) -> Iterator[sa.Connection]:
    """Write the database to a file; gives a connection that reads just what the file holds.

    Raises: SnapshotFailed.
    """
    if database.is_sqlite:
        with _copied_sqlite(database, into) as connection:
            yield connection
        return
    with database.engine.connect() as connection:
        connection = connection.execution_options(isolation_level="REPEATABLE READ")
        snapshot = connection.execute(sa.text("SELECT pg_export_snapshot()")).scalar_one()
        _run(database.url, "pg_dump", "-Fc", f"--snapshot={snapshot}", f"--file={into}")
        yield connection


def load(database: Database, source: Path) -> None:
    """Fill an empty database from such a file. Raises: SnapshotFailed."""
    if not database.is_sqlite:
        _run(
            database.url,
            "pg_restore",
            "--no-owner",
            "--no-privileges",
            "--exit-on-error",
            "--single-transaction",
            str(source),
        )
        return
    with closing(sqlite3.connect(source)) as old, closing(_open_file(database.url)) as new:
        old.backup(new)
        (found,) = new.execute("PRAGMA integrity_check").fetchone()
    if found != "ok":
        raise SnapshotFailed(f"the database of the backup is damaged: {found}")


def is_empty(database: Database) -> bool:
    """Whether a database holds no table of anybody's. Leaves no file where there was none."""
    if database.is_sqlite:
        path = Path(database.url.database or "")
        return not path.exists() or path.stat().st_size == 0
    with database.engine.connect() as connection:
        tables = connection.execute(
            sa.text(
                "SELECT count(*) FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            )
        )
        return int(tables.scalar_one()) == 0


@contextmanager
def _copied_sqlite(database: Database, into: Path) -> Iterator[sa.Connection]:
    # in one step: a copy in several starts anew whenever somebody writes in between
    with closing(_open_file(database.url)) as source, closing(sqlite3.connect(into)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, no -wal beside it
    engine = sa.create_engine(sqlite_url(into))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _open_file(url: sa.URL) -> sqlite3.Connection:
    return sqlite3.connect(url.database or "", timeout=30)


def _run(url: sa.URL, program: str, *arguments: str) -> None:
    """Run a PostgreSQL program on a database; the password goes where `ps` does not show it."""
    if shutil.which(program) is None:
        raise SnapshotFailed(f"{program} is not installed here (Debian: postgresql-client)")
    address = url.set(drivername="postgresql", password=None).render_as_string()
    done = subprocess.run(
        [program, f"--dbname={address}", *arguments],
        env={**os.environ, **({"PGPASSWORD": url.password} if url.password else {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SnapshotFailed(f"{program} failed: {done.stderr.strip()[-1000:]}")
