"""A database as revision 0003 left it: that of the first release, upgraded, with all that came to
hold rows and values since. Whatever migration comes later must keep every value of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import first_release
import sqlalchemy as sa
from first_release import NOW, SHA256

from leaderboard import migrations
from leaderboard.db import Database

REVISION = "0003"
LATER = NOW + timedelta(days=1, microseconds=1)

_ADDED: dict[str, dict[str, Any]] = {
    "attempt": {"id": 1, "key_sha256": SHA256, "at": NOW},
    "former_address": {"id": 1, "user_id": 1, "email": "a@example.edu", "left_at": NOW},
    "identity": {"id": 1, "user_id": 1, "issuer": "https://id", "subject": "7", "created_at": NOW},
    "invitation": {
        "id": 1,
        "course_id": 1,
        "team_id": 1,
        "role": "student",
        "section": "A",
        "email": "ben@example.edu",
        "created_by": 1,
        "created_at": NOW,
        "expires_at": LATER,
        "uses": 1,
        "revoked_at": LATER,
    },
    "live_log": {"submission_id": 1, "text": "epoch 1\n第 2 轮"},
    "notification": {
        "id": 1,
        "user_id": 1,
        "kind": "scored",
        "dedupe_key": "scored:1",
        "details": {"score": 0.1 + 0.2},
        "path": "/s/1",
        "created_at": NOW,
        "read_at": LATER,
    },
    "outgoing_mail": {
        "id": 1,
        "dedupe_key": "scored:1",
        "user_id": 1,
        "address": "ann@example.edu",
        "kind": "scored",
        "locale": "zh",
        "details": {},
        "path": "/s/1",
        "created_at": NOW,
        "due_at": NOW,
        "attempts": 2,
        "claimed_until": NOW,
        "sent_at": LATER,
        "gave_up_at": LATER,
        "error": "refused",
    },
    "rescore": {
        "id": 1,
        "assignment_id": 1,
        "actor_user_id": 1,
        "until_id": 1,
        "at_team_id": 1,
        "at_submission_id": 1,
        "total": 2,
        "done": 1,
        "created_at": NOW,
        "finished_at": LATER,
    },
}
_SET: dict[str, dict[str, Any]] = {
    "api_token": {"last_used_at": LATER, "revoked_at": LATER},
    "assignment": {"released_at": LATER, "ranks_kept_on": "2026-10-01"},
    "course": {"join_code": "K7Q2", "team_size": 3, "teams_until": LATER},
    "login_session": {"revoked_at": LATER, "last_seen_at": NOW},
    "nightly_run": {"finished_at": LATER, "exit_code": 1},
    "standing": {"macro_f1": 0.3, "interval_low": 0.1, "interval_high": 0.9, "rank_before": 2},
    "submission": {
        "claimed_by": "1:7:x",
        "content_removed_at": LATER,
        "declared": ["pretrained"],
        "days_late": 2,
        "late_days_spent": 1,
    },
    "team": {"pseudonym": "猫头鹰"},
    "user_account": {"time_zone": "Asia/Shanghai", "muted": ["mail:scored"], "erased_at": LATER},
    "worker": {"stopped_at": LATER},
}


def make(database: Database) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Fill an empty database; its columns by tables, and what they hold (`first_release.dump`)."""
    first_release.make(database)
    migrations.upgrade(database, REVISION)
    with database.migrating() as connection:
        tables = first_release._tables(connection)
        del tables["alembic_version"]
        for name, row in _ADDED.items():
            assert set(row) == set(tables[name].columns.keys())
            connection.execute(
                sa.insert(tables[name]).values(first_release._plain(row, connection))
            )
        for name, values in _SET.items():
            connection.execute(
                sa.update(tables[name]).values(first_release._plain(values, connection))
            )
        connection.execute(_failed_evaluation(tables["evaluation"]))
        _check_complete(connection, tables)
    columns = {name: list(table.columns.keys()) for name, table in tables.items()}
    return columns, first_release.dump(database, columns)


def _failed_evaluation(table: sa.Table) -> sa.Insert:
    """A third one, of the values that those of the first release lack; they take no change."""
    changed = {"id": 3, "number": 3, "failed_in": "hidden", "labels_sha256": SHA256}
    row = [sa.literal(changed[c.name], c.type) if c.name in changed else c for c in table.columns]
    return sa.insert(table).from_select(
        list(table.columns.keys()), sa.select(*row).where(table.c.id == 2)
    )


def _check_complete(connection: sa.Connection, tables: dict[str, sa.Table]) -> None:
    """Every column of every table holds something, or its loss would not be seen."""
    for table in tables.values():
        counts = connection.execute(sa.select(*map(sa.func.count, table.columns))).one()
        empty = [column.name for column, n in zip(table.columns, counts, strict=True) if not n]
        assert empty == [], table.name
