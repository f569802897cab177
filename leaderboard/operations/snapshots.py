"""A database in one file, as it was at one moment, while others go on writing; and back again.

The file is an SQLite database, whichever kind the server's is: so what was backed up on one kind
comes back on the other, and needs no program of PostgreSQL's, nor its version, to be read.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from leaderboard import migrations
from leaderboard.db import Database, sqlite_url
from leaderboard.models.keeping import models_where, name_of
from leaderboard.operations import table_rows

FILE_NAME = "database.sqlite3"
_LEFT_OUT = frozenset(map(name_of, models_where(lambda keeping: not keeping.backed_up)))


class SnapshotFailed(Exception):
    """The database could not be written to, or read from, a file; the sentence says why."""


def kind_of(database: Database) -> str:
    """sqlite or postgresql."""
    return database.engine.dialect.name


def take(database: Database, into: Path) -> tuple[str, dict[str, int]]:
    """Write our tables to a new file; their revision, and how many rows each has.

    What is of use for the moment only is left out; tables of an older version are written as they
    are.

    Raises:
        SnapshotFailed: the database could not be read, or the file not written.
    """
    copy = Database(sqlite_url(into))
    try:
        with _one_moment(database) as source, copy.migrating() as target:
            revision = _known_revision(source)
            migrations.upgrade_on(target, revision)
            rows = table_rows.copy(source, target, without=_LEFT_OUT)
    except DBAPIError as error:
        raise SnapshotFailed(f"the database could not be copied: {_first_line(error)}") from error
    finally:
        copy.dispose()
    with closing(sqlite3.connect(into)) as file:
        file.execute("PRAGMA journal_mode=DELETE")  # one file, no -wal beside it
    return revision, rows


def load(database: Database, source: Path, revision: str, rows: dict[str, int]) -> None:
    """Fill an empty database from such a file, of a revision and with so many rows a table (none
    given: not counted). All of it or nothing.

    Raises:
        SnapshotFailed: it was not taken whole.
    """
    try:
        with opened(source) as old, database.migrating() as new:
            migrations.upgrade_on(new, revision)
            arrived = table_rows.copy(old, new)
            if rows and arrived != rows:
                raise SnapshotFailed(f"{source} has {arrived} rows, and it was made with {rows}")
    except DBAPIError as error:
        raise SnapshotFailed(
            f"{kind_of(database)} does not take what is in {source}: {_first_line(error)}"
        ) from error


@contextmanager
def opened(source: Path) -> Iterator[sa.Connection]:
    """Read such a file as it is; it may lie where nothing can be written."""
    address = f"file:{quote(str(source.absolute()))}?mode=ro"
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def opened_as_of_now(source: Path, revision: str) -> Iterator[sa.Connection]:
    """Read such a file in tables of this version, though it is of an older revision."""
    if revision == migrations.head():
        with opened(source) as connection:
            yield connection
        return
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        now = shutil.copy(source, folder)
        database = Database(sqlite_url(Path(now)))
        try:
            migrations.upgrade(database)
            with database.engine.connect() as connection:
                yield connection
        finally:
            database.dispose()


def is_empty(database: Database) -> bool:
    """Whether a database holds no table of anybody's. Leaves no file where there was none."""
    if database.is_sqlite:
        path = Path(database.url.database or "")
        if not path.exists():
            return True
        with opened(path) as connection:
            made = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
            return int(made.scalar_one()) == 0
    with database.engine.connect() as connection:
        tables = connection.execute(
            sa.text(
                "SELECT count(*) FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            )
        )
        return int(tables.scalar_one()) == 0


@contextmanager
def _one_moment(database: Database) -> Iterator[sa.Connection]:
    """A connection that reads what was true at its first look, whatever is written meanwhile."""
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


def _known_revision(source: sa.Connection) -> str:
    revision = migrations.revision_on(source)
    if revision is None:
        raise SnapshotFailed("The database holds no tables yet: there is nothing to back up.")
    if not migrations.is_known(revision):
        raise SnapshotFailed(
            f"The database's tables are of revision {revision}, which is newer than this version: "
            "make the backup with the version that they were made with, or a later one."
        )
    return revision


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
