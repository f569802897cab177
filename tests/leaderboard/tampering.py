"""Somebody with the database file and an hour: changes to single rows, past every trigger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from small_site import Site

from leaderboard.operations import verification
from leaderboard.operations.verifying.difference import Difference


@contextmanager
def planted(site: Site, table: str, row_id: int, **values: Any) -> Iterator[None]:
    """Other values in a row while the block runs; none: the row is gone."""
    with closing(_opened(site)) as database:
        database.row_factory = sqlite3.Row
        found = database.execute(f'SELECT * FROM "{table}" WHERE id = ?', (row_id,)).fetchone()
        before = dict(found)
        if values:
            told = ", ".join(f'"{name}" = ?' for name in values)
            changed = f'UPDATE "{table}" SET {told} WHERE id = ?'
            database.execute(changed, (*values.values(), row_id))
        else:
            database.execute(f'DELETE FROM "{table}" WHERE id = ?', (row_id,))
    try:
        yield
    finally:
        with closing(_opened(site)) as database:
            ids = (row_id, values.get("id", row_id))
            database.execute(f'DELETE FROM "{table}" WHERE id IN (?, ?)', ids)
            names = ", ".join(f'"{name}"' for name in before)
            holes = ", ".join("?" for _ in before)
            database.execute(
                f'INSERT INTO "{table}" ({names}) VALUES ({holes})', tuple(before.values())
            )


def differences(site: Site) -> tuple[Difference, ...]:
    """What `leaderboard verify` finds."""
    return verification.verify(site.state, progress=lambda *_: None).differences


def _opened(site: Site) -> sqlite3.Connection:
    database = sqlite3.connect(site.state.database.url.database or "", isolation_level=None)
    database.execute("PRAGMA ignore_check_constraints = ON")
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        database.execute(f'DROP TRIGGER "{name}"')
    return database
