"""The schema's history (Alembic). `upgrade` brings a database to the present one."""

from __future__ import annotations

import logging
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from leaderboard.db import Database

# Alembic is imported by what changes a schema: every command asks whether it is the present one.
if TYPE_CHECKING:
    from alembic.config import Config

_TABLE = sa.table("alembic_version", sa.column("version_num"))
_OF_A_FILE = re.compile(r'^(revision|down_revision) = (?:"(\w+)"|None)$', re.MULTILINE)


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring an empty or older database up to a revision, in one transaction. Repeatable."""
    with database.migrating() as connection:
        upgrade_on(connection, revision)


def upgrade_on(connection: sa.Connection, revision: str) -> None:
    """The same, within the caller's write transaction."""
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def downgrade(database: Database, revision: str) -> None:
    """Bring the schema back to an earlier revision; what only the later one can hold is lost."""
    from alembic import command

    with database.migrating() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def revision_of(database: Database) -> str | None:
    """The schema's revision; None for a database without our tables."""
    with database.engine.connect() as connection:
        return revision_on(connection)


def revision_on(connection: sa.Connection) -> str | None:
    """The same, as a connection sees it."""
    if not sa.inspect(connection).has_table(_TABLE.name):
        return None
    return connection.scalar(sa.select(_TABLE.c.version_num))


def is_known(revision: str) -> bool:
    """Whether it is one of this version's, or of an earlier one's."""
    return revision in _history()


def head() -> str:
    """The revision that this code expects."""
    (last,) = _history().keys() - _history().values()
    return last


def is_current(database: Database) -> bool:
    """Whether the schema is the one that this code expects."""
    return revision_of(database) == head()


def mismatch(database: Database) -> str:
    """What is wrong with the schema and what to do, in one sentence; "" if nothing is."""
    present, expected = revision_of(database), head()
    if present == expected:
        return ""
    if present is None:
        return "The database holds no tables yet: run `leaderboard init`."
    if is_known(present):
        return (
            f"The database's tables are of revision {present}, this version needs {expected}: "
            "make a backup and run `leaderboard init`, which upgrades them."
        )
    return (
        f"The database's tables are of revision {present}, which is newer than this version "
        f"({expected}): install the version that they were made with, or a later one."
    )


@cache
def _history() -> dict[str, str]:
    """Each revision and the one before it, "" of the first; read from the files, none is run."""
    found = {}
    for path in (Path(__file__).parent / "versions").glob("*.py"):
        said = dict(_OF_A_FILE.findall(path.read_text(encoding="utf-8")))
        found[said["revision"]] = said["down_revision"]
    return found


def _config() -> Config:
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each plugin at INFO
    config = Config()
    # a `%` begins a reference in what Alembic reads
    folder = str(Path(__file__).parent).replace("%", "%%")
    config.set_main_option("script_location", folder)
    return config
