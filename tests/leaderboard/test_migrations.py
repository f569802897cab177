"""Databases of every released schema, with data in them, up and down; on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from databases import EACH_DATABASE
from small_site import Api, Site, initialised_site, predictions_csv, write_assignment

from leaderboard import audit, create_app, migrations, receipts, verification
from leaderboard.cli import main
from leaderboard.config import load_settings
from leaderboard.db import Database, sqlite_url
from leaderboard.installation import initialise
from leaderboard.models import AuditEvent, Submission, User
from leaderboard.state import open_state

_FIRST = "0001"
_NOW = datetime(2026, 10, 1, 12, 30, 15, 250_000, tzinfo=UTC)
_SHA = "ab" * 32


@pytest.fixture(params=EACH_DATABASE)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "data.sqlite3")
    made: str = request.getfixturevalue("new_database")()
    return made.replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture
def open_database(url: str, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    opened: list[Database] = []
    key = tmp_path / "key.pem"
    receipts.write_new_key(key)

    def make() -> Database:
        opened.append(Database(url, signer=receipts.Receipts.from_file(key)))
        return opened[-1]

    yield make
    for database in opened:
        database.dispose()


def first_release_rows() -> dict[str, list[dict[str, Any]]]:
    """A row of every table as the first release wrote them, in an order that references allow."""
    event = AuditEvent(
        course_id=1,
        chain=1,
        number=1,
        at=_NOW,
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
                "created_at": _NOW,
            }
        ],
        "nightly_run": [
            {"id": 1, "started_at": _NOW, "finished_at": None, "exit_code": None, "output": ""}
        ],
        "sign_in_failure": [{"id": 1, "key_sha256": _SHA, "at": _NOW}],
        "user_account": [
            {
                "id": 1,
                "email": "ann@example.edu",
                "name": "Ann",
                "password_hash": "$argon2",
                "locale": "zh",
                "is_admin": False,
                "created_at": _NOW,
            }
        ],
        "worker": [
            {
                "id": 1,
                "executor_id": "host:1",
                "incarnation": "1:7:x",
                "concurrency": 2,
                "started_at": _NOW,
                "beat_at": _NOW,
                "stopped_at": None,
                "facts": {"sandbox": "bubblewrap"},
            }
        ],
        "api_token": [
            {
                "id": 1,
                "user_id": 1,
                "name": "laptop",
                "token_sha256": _SHA,
                "prefix": "gw_abc",
                "scopes": ["read", "submit"],
                "created_at": _NOW,
                "expires_at": _NOW,
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
                "at": _NOW,
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
                "secret_sha256": _SHA,
                "user_agent": "browser",
                "created_at": _NOW,
                "expires_at": _NOW,
                "revoked_at": None,
            }
        ],
        "team": [
            {"id": 1, "course_id": 1, "name": "Owls", "is_baseline": False, "created_at": _NOW}
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
                **{f"{name}_sha256": _SHA for name in ("folder", "pack", "rows", "answers")},
                "pack_bytes": 1 << 33,
                "num_classes": 4,
                "metric": "accuracy",
                "public_data_note": "",
                "published_at": _NOW,
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
                "content_sha256": _SHA,
                "size_bytes": 1 << 31,
                "message": "first",
                "idempotency_key": "k",
                "status": "finished",
                "phase": "",
                "verdict": "OK",
                "problems": [],
                "claims": {"accuracy": "0.9"},
                "upload_started_at": _NOW,
                "accepted_at": _NOW,
                "started_at": _NOW,
                "finished_at": _NOW,
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
                    f"{name}_sha256": _SHA
                    for name in ("predictions", "content", "answers", "folder")
                },
                "code_version": "0.1.0",
                "environment": {"worker": "1:7:x"},
                "timing": {"evaluation_seconds": 0.25},
                "facts": {},
                "created_at": _NOW,
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
                "at": _NOW,
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
                "achieved_at": _NOW,
                "accuracy": 0.875,
                "macro_f1": None,
                "interval_low": None,
                "interval_high": None,
                "right": b"",
                "entries": 1,
                "last_at": _NOW,
            }
        ],
        "split_score": [
            {"id": 1, "evaluation_id": 2, "split": "public", **score},
            {"id": 2, "evaluation_id": 2, "split": "private", **score},
        ],
    }


def make_first_release(database: Database) -> dict[str, list[str]]:
    """A database as the first release left it: its migration, and rows written by plain SQL."""
    migrations.upgrade(database, _FIRST)
    written = first_release_rows()
    with database.migrating() as connection:
        tables = _tables(connection)
        assert set(written) == set(tables) - {"alembic_version"}, "every table has a row"
        for name, rows in written.items():
            for row in rows:
                assert set(row) == set(tables[name].columns.keys())
                connection.execute(sa.insert(tables[name]).values(_plain(row, connection)))
        connection.exec_driver_sql("UPDATE submission SET current_evaluation_id = 2")
    return dump(database, {name: list(rows[0]) for name, rows in written.items()})


def dump(database: Database, columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """What some columns of some tables hold, as the database gives it."""
    with database.engine.connect() as connection:
        return {
            table: [
                repr(tuple(row))
                for row in connection.execute(
                    sa.select(*map(sa.column, names)).select_from(sa.table(table)).order_by("id")
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


def test_a_database_of_the_first_release_keeps_every_value_up_down_and_up_again(
    open_database: Callable[[], Database],
) -> None:
    database = open_database()
    before = make_first_release(database)
    columns = {name: list(rows[0]) for name, rows in first_release_rows().items()}
    del before["sign_in_failure"], columns["sign_in_failure"]  # of use for fifteen minutes only

    migrations.upgrade(database)
    assert dump(database, columns) == before
    with database.write() as session:
        audit.sign_heads(session)
    with database.reading() as session:
        submission = session.scalars(sa.select(Submission)).one()
        assert (submission.days_late, submission.late_days_spent) == (0, 0)
        assert submission.content_removed_at is None
        assert session.scalars(sa.select(User.email_verified_at)).one() == _NOW
        assert [(head.chain, head.number) for head in audit.heads(session)] == [(1, 1)]

    migrations.downgrade(database, _FIRST)
    assert migrations.revision_of(database) == _FIRST
    assert dump(database, columns) == before
    migrations.upgrade(database)
    assert dump(database, columns) == before
    assert migrations.is_current(database)


def test_rows_of_the_first_release_are_guarded_after_the_upgrade(
    open_database: Callable[[], Database],
) -> None:
    database = open_database()
    make_first_release(database)
    migrations.upgrade(database)

    for change in (
        "UPDATE split_score SET accuracy = 1",
        "UPDATE evaluation SET verdict = 'OK'",
        "UPDATE quota_entry SET amount = -1",
        "DELETE FROM split_score",
        "DELETE FROM audit_event",
    ):
        with pytest.raises(sa.exc.IntegrityError, match="append-only"), database.write() as session:
            session.execute(sa.text(change))
    if not database.is_sqlite:
        with pytest.raises(sa.exc.IntegrityError, match="append-only"), database.write() as session:
            session.execute(sa.text("TRUNCATE split_score"))
    with database.write() as session:
        session.execute(sa.text("UPDATE evaluation SET sample_log = ''"))


def test_a_site_goes_back_and_forth_and_works_on(tmp_path: Path, url: str) -> None:
    folder = write_assignment(tmp_path / "animals")
    site = initialised_site(tmp_path, folder, database_url=url)
    site.score(site.hand_in("ann", predictions_csv(folder, wrong=4)))
    migrations.downgrade(site.state.database, _FIRST)
    site.state.close()

    settings = initialise(site.settings.state_dir, {"LEADERBOARD_DATABASE_URL": url})

    site = Site(state=open_state(settings), course=site.course, folder=folder, people=site.people)
    site.score(site.hand_in("ann", predictions_csv(folder, wrong=2)))
    found = verification.verify(site.state, progress=lambda *_: None)
    assert (found.scores, found.differences) == (2, ())
    with site.state.database.reading() as session:
        assert audit.verify(session, site.state.receipts.public_key)[1] == ()
    site.state.close()


def test_a_server_on_other_tables_says_so_in_one_sentence(tmp_path: Path, url: str) -> None:
    folder = write_assignment(tmp_path / "animals")
    site = initialised_site(tmp_path, folder, database_url=url)
    token = site.token("ann")
    state_dir = ["--state", str(site.settings.state_dir)]
    environment = {"LEADERBOARD_DATABASE_URL": url}
    migrations.downgrade(site.state.database, _FIRST)

    for command in (["serve"], ["worker"], ["audit", "verify"], ["doctor"]):
        said = CliRunner().invoke(main, [*state_dir, *command], env=environment)
        assert said.exit_code == 4
        assert f"of revision {_FIRST}" in said.output
        assert "leaderboard init" in said.output
    reply = Api(create_app(state=site.state).test_client(), token).get("/me")
    assert (reply.status_code, reply.json["owner"]) == (503, "platform")
    assert "upgraded" in reply.json["detail"]

    with site.state.database.migrating() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    said = CliRunner().invoke(main, [*state_dir, "serve"], env=environment)
    assert (said.exit_code, "newer than this version" in said.output) == (4, True)
    site.state.close()


def test_a_database_that_is_away_is_said_to_be_away(tmp_path: Path) -> None:
    initialise(tmp_path / "state")
    url = "postgresql://nobody@127.0.0.1:1/nothing"

    for command in (["serve"], ["audit", "verify"]):
        said = CliRunner().invoke(
            main,
            ["--state", str(tmp_path / "state"), *command],
            env={"LEADERBOARD_DATABASE_URL": url},
        )
        assert said.exit_code == 4
        assert "cannot be reached" in said.output
    state = open_state(load_settings(tmp_path / "state", {"LEADERBOARD_DATABASE_URL": url}))
    reply = Api(create_app(state=state).test_client(), "gw_x").get("/me")
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
    state.close()
