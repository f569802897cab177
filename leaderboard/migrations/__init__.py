"""The schema's history (Alembic). `upgrade` brings a database to the present one."""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from leaderboard.db import Database


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring an empty or older database up to a revision, in one transaction. Repeatable."""
    with database.migrating() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def is_current(database: Database) -> bool:
    """Whether the schema is the one that this code expects."""
    with database.engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    return present == ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each plugin at INFO
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config
