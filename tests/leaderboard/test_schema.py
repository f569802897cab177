"""Migrations, constraints, write discipline, the audit chain."""

from __future__ import annotations

import re
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from small_site import Site, predictions_csv

from leaderboard import audit, migrations
from leaderboard.db import (
    Base,
    Database,
    WriteOutsideTransaction,
    _prepare_sqlite,
    sqlite_url,
    utcnow,
    writing,
)
from leaderboard.models import AuditEvent, Course, Submission
from leaderboard.operations import audit_heads


@pytest.fixture
def empty(tmp_path: Path) -> Database:
    return Database(sqlite_url(tmp_path / "new.sqlite3"))


def test_migrating_from_nothing_gives_the_models_tables(empty: Database) -> None:
    migrations.upgrade(empty)
    migrations.upgrade(empty)  # repeatable

    assert migrations.is_current(empty)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": _ours}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_keep_checks_and_indexes(empty: Database, tmp_path: Path) -> None:
    migrations.upgrade(empty)
    fresh = Database(sqlite_url(tmp_path / "models.sqlite3"))
    with fresh.migrating() as connection:
        Base.metadata.create_all(connection)

    assert _schema(empty) == _schema(fresh)


def _ours(name: str | None, kind: str, _: object) -> bool:
    return kind != "table" or name in Base.metadata.tables


def _schema(database: Database) -> dict[str, dict[str, list[str]]]:
    """Each table's columns, keys, checks and indexes, whichever order they were made in."""
    inspector = sa.inspect(database.engine)
    described = {}
    for table in Base.metadata.tables:
        columns = [
            f"{each['name']} {each['type']} null={each['nullable']}"
            for each in inspector.get_columns(table)
        ]
        checks = [
            f"{each['name']} {each['sqltext']}" for each in inspector.get_check_constraints(table)
        ]
        described[table] = {
            "columns": sorted(columns),
            "primary key": inspector.get_pk_constraint(table)["constrained_columns"],
            "checks": sorted(checks),
            "unique": sorted(str(each) for each in inspector.get_unique_constraints(table)),
            "foreign": sorted(str(each) for each in inspector.get_foreign_keys(table)),
            "indexes": sorted(str(each) for each in inspector.get_indexes(table)),
        }
    return described


def test_what_was_committed_to_sqlite_outlives_a_power_cut(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "new.sqlite3")) as connection:
        _prepare_sqlite(connection, None)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_unannounced_write_is_a_bug(site: Site) -> None:
    with site.state.database.session() as session:
        session.get_one(Course, site.course.id).title = "changed"
        with pytest.raises(WriteOutsideTransaction):
            session.flush()
        session.rollback()
        with writing(session), pytest.raises(WriteOutsideTransaction), writing(session):
            pass


def test_parallel_writers_wait_for_each_other(site: Site) -> None:
    failures: list[BaseException] = []

    def add(number: int) -> None:
        try:
            for each in range(10):
                with site.state.database.write() as session:
                    code = f"c-{number}-{each}"
                    session.add(Course(code=code, title="x", created_at=utcnow()))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    with site.state.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Course)) == 81


def test_the_schema_itself_refuses_nonsense(site: Site) -> None:
    site.hand_in("ann", predictions_csv(site.folder))
    for change in (
        "UPDATE submission SET status = 'lost'",
        "UPDATE submission SET status = 'finished'",  # without a verdict
        "UPDATE submission SET team_id = 999",
        "UPDATE quota_entry SET amount = 2",
        "UPDATE user_account SET email = 'ANN@example.edu'",
        "INSERT INTO enrolment (user_id, course_id, role, section) VALUES (1, 1, 'student', '')",
    ):
        with pytest.raises(sa.exc.IntegrityError), site.state.database.write() as session:
            session.execute(sa.text(change))


def test_times_without_a_zone_are_refused(site: Site) -> None:
    naive = utcnow().replace(tzinfo=None)
    with (
        pytest.raises(sa.exc.StatementError, match="time zone"),
        site.state.database.write() as session,
    ):
        session.add(Course(code="naive", title="x", created_at=naive))


def test_rows_that_say_what_was_are_never_changed(site: Site) -> None:
    site.score(site.hand_in("ann", predictions_csv(site.folder)))
    for table, column in (
        ("audit_event", "action"),
        ("evaluation", "verdict"),
        ("quota_entry", "amount"),
        ("split_score", "accuracy"),
    ):
        for change in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
            with (
                pytest.raises(sa.exc.IntegrityError, match="append-only"),
                site.state.database.write() as session,
            ):
                session.execute(sa.text(change))


def test_the_log_of_an_evaluation_may_be_removed_but_not_its_result(site: Site) -> None:
    site.score(site.hand_in("ann", predictions_csv(site.folder)))

    with site.state.database.write() as session:
        session.execute(sa.text("UPDATE evaluation SET sample_log = '', problems = '[]'"))


def tamper(site: Site, *changes: str) -> None:
    """What somebody does who has the whole database in their hands, but not the server's key."""
    with site.state.database.write() as session:
        for name in ("update", "delete"):
            session.execute(sa.text(f"DROP TRIGGER IF EXISTS audit_event_no_{name}"))
        for change in changes:
            session.execute(sa.text(change))


def reasons(site: Site, kept: tuple[audit.Head, ...] = ()) -> str:
    with site.state.database.reading() as session:
        broken = audit.verify(session, site.state.receipts.public_key, kept)[1]
    return "; ".join(link.reason for link in broken)


def test_the_audit_chain_holds_and_shows_every_kind_of_tampering(site: Site) -> None:
    for number in range(3):
        site.hand_in("ann", predictions_csv(site.folder, wrong=number))
    with site.state.database.reading() as session:
        checked, broken = audit.verify(session, site.state.receipts.public_key)
        assert checked >= 6
        assert broken == ()
        chain = session.scalars(
            sa.select(AuditEvent.id)
            .where(AuditEvent.chain == site.course.id)
            .order_by(AuditEvent.number)
        ).all()

    changes = {
        "was changed": f"UPDATE audit_event SET actor_user_id = NULL WHERE id = {chain[-1]}",
        "does not follow": f"UPDATE audit_event SET previous_hash = '{'1' * 64}', "
        f"hash = '{'2' * 64}' WHERE id = {chain[-2]}",
        "is missing": f"DELETE FROM audit_event WHERE id = {chain[1]}",
    }
    for reason, change in changes.items():
        tamper(site, change)
        assert reason in reasons(site)


def test_events_cut_off_the_end_are_missed(site: Site) -> None:
    for number in range(3):
        site.hand_in("ann", predictions_csv(site.folder, wrong=number))
    chain = site.course.id
    last = f"(SELECT max(number) FROM audit_event WHERE chain = {chain})"

    tamper(site, f"DELETE FROM audit_event WHERE chain = {chain} AND number = {last}")
    assert "last events are missing" in reasons(site)
    # the head moved along, but nobody without the key can sign it
    tamper(
        site,
        f"UPDATE audit_head SET number = {last}, hash = (SELECT hash FROM audit_event "
        f"WHERE chain = {chain} AND number = {last}) WHERE chain = {chain}",
    )
    assert "not signed by this server" in reasons(site)
    tamper(
        site,
        f"DELETE FROM audit_event WHERE chain = {chain}",
        f"DELETE FROM audit_head WHERE chain = {chain}",
    )
    assert "signed head is missing" in reasons(site)


def test_an_old_database_put_back_is_seen_by_heads_kept_elsewhere(site: Site) -> None:
    site.person("ann")
    with site.state.database.reading() as session:
        before = audit.heads(session)
    site.hand_in("ann", predictions_csv(site.folder))
    audit_heads.keep(site.state)
    audit_heads.keep(site.state)  # adds nothing
    path, key = audit_heads.file_of(site.state), site.state.receipts.public_key
    kept = audit_heads.read(path, key)
    assert len(kept) == len(before)

    for head in before:
        tamper(
            site,
            f"DELETE FROM audit_event WHERE chain = {head.chain} AND number > {head.number}",
            f"UPDATE audit_head SET number = {head.number}, hash = '{head.hash}', "
            f"signature = '{head.signature}' WHERE chain = {head.chain}",
        )

    assert reasons(site) == ""
    assert "kept elsewhere" in reasons(site, kept)
    path.write_text(path.read_text().replace(kept[-1].hash, "3" * 64))
    with pytest.raises(audit_heads.UnreadableHeads, match="not signed"):
        audit_heads.read(path, key)


def test_the_chain_holds_ids_and_hashes_but_no_names(site: Site) -> None:
    site.hand_in("ann", predictions_csv(site.folder), filename="anns-secret-name.csv")

    with site.state.database.reading() as session:
        texts = [
            f"{event.action} {event.subject} {event.details}"
            for event in session.scalars(sa.select(AuditEvent))
        ]
        assert session.scalars(sa.select(Submission.filename)).one() == "anns-secret-name.csv"
    # a word of its own: an id may hold any three letters
    assert not any(re.search(r"(?<![0-9a-z_])ann", text) for text in texts)


def test_a_database_with_retries_goes_back_a_release_and_up_again(site: Site) -> None:
    site.hand_in("ann", predictions_csv(site.folder))
    to_retry = "UPDATE submission SET evaluation_cause = 'retry'"
    with site.state.database.write() as session:
        session.execute(sa.text(to_retry))

    with site.state.database.migrating() as connection:
        command.downgrade(_config_on(connection), "0001")
    with site.state.database.reading() as session:
        assert session.scalar(sa.text("SELECT evaluation_cause FROM submission")) == "rerun"
    with pytest.raises(sa.exc.IntegrityError), site.state.database.write() as session:
        session.execute(sa.text(to_retry))

    migrations.upgrade(site.state.database)
    with site.state.database.write() as session:
        session.execute(sa.text(to_retry))


def _config_on(connection: sa.Connection) -> Config:
    config = migrations._config()
    config.attributes["connection"] = connection
    return config
