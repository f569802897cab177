"""The schema's history (Alembic). `upgrade` brings a database to the present one."""

from __future__ import annotations

import logging
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from leaderboard.db import Database


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring an empty or older database up to a revision, in one transaction. Repeatable."""
    with database.migrating() as connection:
        upgrade_on(connection, revision)


def upgrade_on(connection: sa.Connection, revision: str) -> None:
    """The same, within the caller's write transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def downgrade(database: Database, revision: str) -> None:
    """Bring the schema back to an earlier revision; what only the later one can hold is lost."""
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
    return MigrationContext.configure(connection).get_current_revision()


def is_known(revision: str) -> bool:
    """Whether it is one of this version's, or of an earlier one's."""
    return revision in _known()


def head() -> str:
    """The revision that this code expects."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


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


def _known() -> frozenset[str]:
    script = ScriptDirectory.from_config(_config())
    return frozenset(each.revision for each in script.walk_revisions())


def _config() -> Config:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each plugin at INFO
    config = Config()
    # a `%` begins a reference in what Alembic reads
    folder = str(Path(__file__).parent).replace("%", "%%")
    config.set_main_option("script_location", folder)
    return config
