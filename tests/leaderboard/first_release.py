"""A database as the first release left it: its migration, and a row of every table by plain SQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from leaderboard import audit, migrations
from leaderboard.db import Database
from leaderboard.models import AuditEvent
from leaderboard.operations import table_rows

REVISION = "0001"
NOW = datetime(2026, 10, 1, 12, 30, 15, 250_000, tzinfo=UTC)
SHA256 = "ab" * 32


def rows() -> dict[str, list[dict[str, Any]]]:
    """A row of every table as the first release wrote them, in an order that references allow."""
    event = AuditEvent(
        course_id=1,
        chain=1,
        number=1,
        at=NOW,
        actor_user_id=1,
        action="course.create",
        subject="course:1",
        details={},
        previous_hash="0" * 64,
    )
    event.hash = audit._hash(event)
    macro = dict.fromkeys(("macro_precision", "macro_recall", "macro_f1"), 0.1 + 0.2)
    figures = {"n": 24, "primary_score": 0.875, "shown": 0.875, "accuracy": 0.875, **macro}
    score = {**figures, "intervals": {"accuracy": [0.7, 0.95]}, "right": b"\x07\xff", "report": {}}
    common = {"assignment_id": 1, "team_id": 1}
    return {
        "course": [
            {
                "id": 1,
                "code": "dl-1",
                "title": "深度学习",
                "term": "2026",
                "time_zone": "Asia/Shanghai",
                "late_days": 2,
                "created_at": NOW,
            }
        ],
        "nightly_run": [
            {"id": 1, "started_at": NOW, "finished_at": None, "exit_code": None, "output": ""}
        ],
        "sign_in_failure": [{"id": 1, "key_sha256": SHA256, "at": NOW}],
        "user_account": [
            {
                "id": 1,
                "email": "ann@example.edu",
                "name": "Ann",
                "password_hash": "$argon2",
                "locale": "zh",
                "is_admin": False,
                "created_at": NOW,
            }
        ],
        "worker": [
            {
                "id": 1,
                "executor_id": "host:1",
                "incarnation": "1:7:x",
                "concurrency": 2,
                "started_at": NOW,
                "beat_at": NOW,
                "stopped_at": None,
                "facts": {"sandbox": "bubblewrap"},
            }
        ],
        "api_token": [
            {
                "id": 1,
                "user_id": 1,
                "name": "laptop",
                "token_sha256": SHA256,
                "prefix": "gw_abc",
                "scopes": ["read", "submit"],
                "created_at": NOW,
                "expires_at": NOW,
                "last_used_at": None,
                "revoked_at": None,
            }
        ],
        "assignment_group": [{"id": 1, "course_id": 1, "slug": "hw-1", "title": "Homework"}],
        "audit_event": [
            {
                "id": 1,
                "course_id": 1,
                "chain": 1,
                "number": 1,
                "at": NOW,
                "actor_user_id": 1,
                "action": event.action,
                "subject": event.subject,
                "details": {},
                "previous_hash": event.previous_hash,
                "hash": event.hash,
            }
        ],
        "enrolment": [{"id": 1, "user_id": 1, "course_id": 1, "role": "student", "section": "A"}],
        "login_session": [
            {
                "id": 1,
                "user_id": 1,
                "secret_sha256": SHA256,
                "user_agent": "browser",
                "created_at": NOW,
                "expires_at": NOW,
                "revoked_at": None,
            }
        ],
        "team": [
            {"id": 1, "course_id": 1, "name": "Owls", "is_baseline": False, "created_at": NOW}
        ],
        "assignment": [
            {
                "id": 1,
                "course_id": 1,
                "group_id": 1,
                "slug": "animals",
                "title": "Animals",
                "settings_toml": "slug = 'animals'",
                "readme": "# Animals",
                **{f"{name}_sha256": SHA256 for name in ("folder", "pack", "rows", "answers")},
                "pack_bytes": 1 << 33,
                "num_classes": 4,
                "metric": "accuracy",
                "public_data_note": "",
                "published_at": NOW,
                "released_at": None,
            }
        ],
        "team_member": [{"id": 1, "team_id": 1, "user_id": 1, "course_id": 1}],
        "submission": [
            {
                "id": 1,
                "public_id": "s_0123456789",
                **common,
                "user_id": 1,
                "kind": "csv",
                "filename": "p.csv",
                "content_sha256": SHA256,
                "size_bytes": 1 << 31,
                "message": "first",
                "idempotency_key": "k",
                "status": "finished",
                "phase": "",
                "verdict": "OK",
                "problems": [],
                "claims": {"accuracy": "0.9"},
                "upload_started_at": NOW,
                "accepted_at": NOW,
                "started_at": NOW,
                "finished_at": NOW,
                "counted": True,
                "receipt": {"id": "s_0123456789"},
                "is_final_pick": True,
                "evaluation_number": 2,
                "evaluation_cause": "rescore",
                "failed_attempts": 0,
                "priority": 500_000_001,
                "claimed_by": None,
                "revision": 7,
                "current_evaluation_id": None,  # until the evaluation is there
            }
        ],
        "evaluation": [
            {
                "id": number,
                "submission_id": 1,
                "number": number,
                "cause": cause,
                "verdict": "OK",
                "detail": "",
                "failed_in": None,
                "problems": [],
                "flags": [],
                "sample_log": "",
                **{
                    f"{name}_sha256": SHA256
                    for name in ("predictions", "content", "answers", "folder")
                },
                "code_version": "0.1.0",
                "environment": {"worker": "1:7:x"},
                "timing": {"evaluation_seconds": 0.25},
                "facts": {},
                "created_at": NOW,
            }
            for number, cause in ((1, "hand_in"), (2, "rescore"))
        ],
        "quota_entry": [
            {
                "id": 1,
                **common,
                "submission_id": 1,
                "day": "2026-10-01",
                "amount": 1,
                "reason": "handed in",
                "at": NOW,
            }
        ],
        "standing": [
            {
                "id": 1,
                **common,
                "split": "public",
                "submission_id": 1,
                "is_baseline": False,
                "primary_score": 0.875,
                "rank_key": -0.875,
                "achieved_at": NOW,
                "accuracy": 0.875,
                "macro_f1": None,
                "interval_low": None,
                "interval_high": None,
                "right": b"",
                "entries": 1,
                "last_at": NOW,
            }
        ],
        "split_score": [
            {"id": 1, "evaluation_id": 2, "split": "public", **score},
            {"id": 2, "evaluation_id": 2, "split": "private", **score},
        ],
    }


def make(database: Database) -> dict[str, list[str]]:
    """A database as the first release left it: its migration, and rows written by plain SQL."""
    migrations.upgrade(database, REVISION)
    written = rows()
    with database.migrating() as connection:
        tables = _tables(connection)
        assert set(written) == set(tables) - {"alembic_version"}, "every table has a row"
        for name, some in written.items():
            for row in some:
                assert set(row) == set(tables[name].columns.keys())
                connection.execute(sa.insert(tables[name]).values(_plain(row, connection)))
            if not database.is_sqlite:
                table_rows._count_on(connection, tables[name])
        connection.exec_driver_sql("UPDATE submission SET current_evaluation_id = 2")
    return dump(database, {name: list(some[0]) for name, some in written.items()})


def dump(database: Database, columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """What some columns of some tables hold, as the database gives it."""
    with database.engine.connect() as connection:
        return {
            table: [
                repr(tuple(row))
                for row in connection.execute(
                    sa.select(*map(sa.column, names))
                    .select_from(sa.table(table))
                    .order_by(sa.column(names[0]))  # its key
                ).all()
            ]
            for table, names in columns.items()
        }


def _tables(connection: sa.Connection) -> dict[str, sa.Table]:
    metadata = sa.MetaData()
    metadata.reflect(connection)
    return dict(metadata.tables)


def _plain(row: dict[str, Any], connection: sa.Connection) -> dict[str, Any]:
    """SQLite keeps times without a zone, in UTC."""
    if connection.dialect.name != "sqlite":
        return row
    return {
        name: value.replace(tzinfo=None) if isinstance(value, datetime) else value
        for name, value in row.items()
    }
