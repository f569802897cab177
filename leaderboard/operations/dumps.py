"""Dumps of PostgreSQL's own, which backups of version 0.1 hold: how they come back."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import sqlalchemy as sa

from leaderboard.db import Database
from leaderboard.operations.snapshots import SnapshotFailed

FILE_NAME = "database.dump"
_PROGRAM = "pg_restore"
_OPTIONS = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")


def load(database: Database, source: Path) -> None:
    """Fill an empty PostgreSQL database from a dump.

    Raises:
        SnapshotFailed: the database refused it.
    """
    if shutil.which(_PROGRAM) is None:
        raise SnapshotFailed(f"{_PROGRAM} is not installed here (Debian: postgresql-client)")
    address, secrets = _without_password(database.url)
    done = subprocess.run(
        [_PROGRAM, f"--dbname={address}", *_OPTIONS, str(source)],
        env={**os.environ, **secrets},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SnapshotFailed(f"{_PROGRAM} failed: {done.stderr.strip()[-1000:]}")


def _without_password(url: sa.URL) -> tuple[str, dict[str, str]]:
    """The URL as it may be seen in a list of processes, and what is said by the environment.

    Rendering one with its password would mask it, and a program would send the mask.
    """
    bare = sa.URL.create(
        "postgresql",
        username=url.username,
        host=url.host,
        port=url.port,
        database=url.database,
        query=url.difference_update_query(["password"]).query,
    )
    password = url.password or url.query.get("password")
    secrets = {"PGPASSWORD": str(password)} if password else {}
    return bare.render_as_string(hide_password=False), secrets
