"""Migrations, constraints, write discipline, the audit chain."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from small_site import Site, predictions_csv

from leaderboard import audit, migrations
from leaderboard.db import Base, Database, WriteOutsideTransaction, sqlite_url, utcnow, writing
from leaderboard.models import AuditEvent, Course, Submission


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


def test_the_audit_chain_holds_and_shows_every_kind_of_tampering(site: Site) -> None:
    for number in range(3):
        site.hand_in("ann", predictions_csv(site.folder, wrong=number))
    with site.state.database.reading() as session:
        checked, broken = audit.verify(session)
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
        with site.state.database.write() as session:
            session.execute(sa.text(change))
        with site.state.database.reading() as session:
            assert any(reason in link.reason for link in audit.verify(session)[1])


def test_the_chain_holds_ids_and_hashes_but_no_names(site: Site) -> None:
    site.hand_in("ann", predictions_csv(site.folder), filename="anns-secret-name.csv")

    with site.state.database.reading() as session:
        texts = [
            f"{event.action} {event.subject} {event.details}"
            for event in session.scalars(sa.select(AuditEvent))
        ]
        assert session.scalars(sa.select(Submission.filename)).one() == "anns-secret-name.csv"
    assert not any("ann" in text.replace("channel", "") for text in texts)


def test_a_database_with_retries_goes_back_a_release_and_up_again(site: Site) -> None:
    site.hand_in("ann", predictions_csv(site.folder))
    to_retry = "UPDATE submission SET evaluation_cause = 'retry'"
    with site.state.database.write() as session:
        session.execute(sa.text(to_retry))

    with site.state.database.migrating() as connection:
        migrations.command.downgrade(_config_on(connection), "0001")
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
