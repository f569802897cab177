"""Databases of every released schema, with data in them, up and down; on both databases."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import first_release
import pytest
import sqlalchemy as sa
import third_release
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from databases import EACH_DATABASE
from first_release import NOW
from small_site import Api, Site, initialised_site, predictions_csv, write_assignment

from grader.words.message import in_language, with_data
from leaderboard import audit, create_app, migrations, receipts
from leaderboard.cli import main
from leaderboard.config import load_settings
from leaderboard.db import Database, sqlite_url
from leaderboard.migrations import drift
from leaderboard.models import Enrolment, Evaluation, Extension, Reason, Submission, Team, User
from leaderboard.operations import doctor, verification
from leaderboard.operations.installation import initialise
from leaderboard.state import open_state


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


def test_a_database_of_the_first_release_keeps_every_value_up_down_and_up_again(
    open_database: Callable[[], Database],
) -> None:
    database = open_database()
    before = first_release.make(database)
    columns = {name: list(rows[0]) for name, rows in first_release.rows().items()}
    del before["sign_in_failure"], columns["sign_in_failure"]  # of use for fifteen minutes only

    migrations.upgrade(database)
    assert first_release.dump(database, columns) == before
    with database.write() as session:
        audit.sign_heads(session)
    with database.reading() as session:
        submission = session.scalars(sa.select(Submission)).one()
        assert (submission.days_late, submission.late_days_spent) == (0, 0)
        assert submission.content_removed_at is None
        assert session.scalars(sa.select(User.email_verified_at)).one() == first_release.NOW
        assert [(head.chain, head.number) for head in audit.heads(session)] == [(1, 1)]

    migrations.downgrade(database, first_release.REVISION)
    assert migrations.revision_of(database) == first_release.REVISION
    assert first_release.dump(database, columns) == before
    migrations.upgrade(database)
    assert first_release.dump(database, columns) == before
    assert migrations.is_current(database)


def test_extensions_come_to_a_database_in_use_and_go_without_touching_the_rest(
    open_database: Callable[[], Database],
) -> None:
    database = open_database()
    first_release.make(database)
    migrations.upgrade(database, "0003")
    columns = {name: list(rows[0]) for name, rows in first_release.rows().items()}
    del columns["sign_in_failure"]
    del columns["audit_event"]  # what is added below is recorded
    before = first_release.dump(database, columns)

    migrations.upgrade(database)
    with database.write() as session:
        team = session.scalars(sa.select(Team).order_by(Team.id)).all()[0]
        session.add(
            Extension(
                course_id=team.course_id,
                team_id=team.id,
                hours=24,
                reason=Reason.ILLNESS,
                granted_at=first_release.NOW,
            )
        )
    with database.reading() as session:
        team = session.scalars(sa.select(Team).order_by(Team.id)).all()[0]
        assert [(each.hours, each.late_days) for each in team.extensions] == [(24, 0)]
    for wrong in ("hours = -1", "reason = 'boredom'", "due = '2027-01-01 00:00:00'"):
        with pytest.raises(sa.exc.IntegrityError), database.write() as session:
            session.execute(sa.text(f"UPDATE extension SET {wrong}"))

    migrations.downgrade(database, "0003")
    assert first_release.dump(database, columns) == before


def test_what_teams_were_told_without_values_gets_its_code_and_the_rest_stays_a_sentence(
    open_database: Callable[[], Database],
) -> None:
    database = open_database()
    first_release.make(database)
    migrations.upgrade(database, "0006")
    for number, detail in enumerate(["The program ran out of memory.", "Killed by 7."], start=2):
        _another_evaluation(database, number, detail)

    migrations.upgrade(database)

    with database.reading() as session:
        told = session.scalars(sa.select(Evaluation).order_by(Evaluation.number)).all()
    assert [each.detail_said for each in told[-2:]] == [
        {"code": "run.hidden_memory", "values": {}},
        None,
    ]
    assert in_language(with_data(told[-2].detail, told[-2].detail_said), "zh") == "程序的内存不足。"


def test_student_numbers_come_to_a_database_in_use_each_once_a_course(
    open_database: Callable[[], Database],
) -> None:
    database = open_database()
    columns, before = third_release.make(database)
    for table in ("audit_event", "audit_head"):  # what is added below is recorded
        del columns[table], before[table]
    migrations.upgrade(database)
    with database.write() as session:
        old = session.scalars(sa.select(Enrolment)).one()
        old.number = "0042"
        session.add(new := User(email="b@x.example", name="B", password_hash="", created_at=NOW))
        session.flush()
        values = {"user_id": new.id, "course_id": old.course_id, "role": old.role}

    with pytest.raises(sa.exc.IntegrityError), database.write() as session:
        session.add(Enrolment(number="0042", **values))
    with database.write() as session:
        session.add(Enrolment(**values))
    with database.write() as session:
        session.execute(sa.delete(Enrolment).where(Enrolment.user_id == values["user_id"]))
        session.execute(sa.delete(User).where(User.id == values["user_id"]))

    migrations.downgrade(database, third_release.REVISION)
    assert first_release.dump(database, columns) == before


def _another_evaluation(database: Database, number: int, detail: str) -> None:
    """One more of the first submission, as any release before wrote it."""
    table = sa.Table("evaluation", sa.MetaData(), autoload_with=database.engine)
    with database.write() as session:
        row = dict(session.execute(sa.select(table).order_by(table.c.id)).mappings().first() or {})
        row |= {"id": 1000 + number, "number": row["number"] + number, "detail": detail}
        session.execute(sa.insert(table).values(row))


def test_the_history_is_read_from_the_files_as_alembic_reads_it() -> None:
    script = ScriptDirectory.from_config(migrations._config())
    assert migrations.head() == script.get_current_head()
    assert all(migrations.is_known(each.revision) for each in script.walk_revisions())
    assert not migrations.is_known("")


def test_what_a_database_of_0003_held_is_kept_by_each_later_migration_up_and_down(
    open_database: Callable[[], Database],
) -> None:
    database = open_database()
    columns, before = third_release.make(database)
    script = ScriptDirectory.from_config(migrations._config())
    later = [each.revision for each in script.iterate_revisions("head", third_release.REVISION)]

    for revision in reversed(later):
        migrations.upgrade(database, revision)
        assert first_release.dump(database, columns) == before, revision
    assert migrations.is_current(database)
    assert drift.differences(database) == []
    for revision in [*later[1:], third_release.REVISION] if later else []:
        migrations.downgrade(database, revision)
        assert first_release.dump(database, columns) == before, revision
    migrations.upgrade(database)
    assert first_release.dump(database, columns) == before


def test_rows_of_the_first_release_are_guarded_after_the_upgrade(
    open_database: Callable[[], Database],
) -> None:
    database = open_database()
    first_release.make(database)
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
    migrations.downgrade(site.state.database, first_release.REVISION)
    site.state.close()

    settings = initialise(site.settings.state_dir, {"LEADERBOARD_DATABASE_URL": url})

    site = Site(state=open_state(settings), course=site.course, folder=folder, people=site.people)
    site.score(site.hand_in("ann", predictions_csv(folder, wrong=2)))
    found = verification.verify(site.state, progress=lambda *_: None)
    assert (found.scores, found.differences) == (2, ())
    with site.state.database.reading() as session:
        assert audit.verify(session, site.state.receipts.public_key)[1] == ()
    site.state.close()


# Databases of courses were made by these: a change is a new migration, never one of an old one.
_RELEASED = {
    "0001_the_first_schema": "ee1a17fbed66cf4b1f4f71ecf7e976ac487a6fe96c8def03a63c2b5165d5c507",
    "0002_retries_and_live_logs": (
        "11d37c7582f03218e106cc0a7b667838a7e85a4ff801b6edd5f16ca749cf732e"
    ),
    "0003_former_addresses": "dfc72e027321b1013b2b4405f5761c1af3010b8b5e9f07ed80fd0648724dd1fd",
}


@pytest.mark.parametrize("name", sorted(_RELEASED))
def test_a_released_migration_is_never_changed(name: str) -> None:
    folder = Path(migrations.__file__).parent / "versions"
    content = (folder / f"{name}.py").read_bytes()

    assert hashlib.sha256(content).hexdigest() == _RELEASED[name], "write a new one instead"


def test_tables_as_the_migrations_make_them_are_as_the_models_say(
    open_database: Callable[[], Database],
) -> None:
    database = open_database()
    migrations.upgrade(database)

    assert drift.differences(database) == []


def test_what_was_changed_by_hand_is_named(open_database: Callable[[], Database]) -> None:
    database = open_database()
    migrations.upgrade(database)
    of_table = "" if database.is_sqlite else " ON evaluation"
    guard = "update" if database.is_sqlite else "change"
    changes = [
        "DROP INDEX ix_submission_queue",
        "ALTER TABLE team DROP COLUMN pseudonym",
        "ALTER TABLE team ADD COLUMN extra INTEGER",
        "DROP TABLE live_log",
        f"DROP TRIGGER evaluation_no_{guard}{of_table}",
    ]
    expected = {
        "submission lacks the index ix_submission_queue",
        "team lacks the column pseudonym",
        "team has a column extra that no version made",
        "the table live_log is missing",
        f"evaluation lacks the trigger evaluation_no_{guard}",
    }
    if not database.is_sqlite:  # which changes no column in place
        changes += [
            "ALTER TABLE course DROP CONSTRAINT ck_course_late_days_not_negative",
            "ALTER TABLE team ALTER COLUMN name DROP NOT NULL",
            "ALTER TABLE team ALTER COLUMN is_baseline TYPE integer USING 0",
            "ALTER TABLE identity DROP CONSTRAINT fk_identity_user_id_user_account",
            "ALTER TABLE enrolment DROP CONSTRAINT uq_enrolment_user_id_course_id",
        ]
        expected |= {
            "course lacks the check ck_course_late_days_not_negative",
            "team.name has the nullable True, not False",
            "team.is_baseline has the type INTEGER, not BOOLEAN",
            "identity lacks the reference fk_identity_user_id_user_account",
            "enrolment lacks the constraint uq_enrolment_user_id_course_id",
        }
    with database.migrating() as connection:
        for change in changes:
            connection.exec_driver_sql(change)

    assert set(drift.differences(database)) == expected


def test_doctor_names_what_differs(tmp_path: Path, url: str) -> None:
    site = initialised_site(tmp_path, write_assignment(tmp_path / "animals"), database_url=url)
    with site.state.database.migrating() as connection:
        connection.exec_driver_sql("DROP INDEX ix_submission_queue")

    (finding, *_) = doctor.examine(site.state)
    site.state.close()

    assert (finding.name, finding.ok, finding.required) == ("database", False, True)
    assert "submission lacks the index ix_submission_queue" in finding.sentence


def test_a_server_on_other_tables_says_so_in_one_sentence(tmp_path: Path, url: str) -> None:
    folder = write_assignment(tmp_path / "animals")
    site = initialised_site(tmp_path, folder, database_url=url)
    token = site.token("ann")
    state_dir = ["--state", str(site.settings.state_dir)]
    environment = {"LEADERBOARD_DATABASE_URL": url}
    migrations.downgrade(site.state.database, first_release.REVISION)

    for command in (["serve"], ["worker"], ["audit", "verify"], ["doctor"]):
        said = CliRunner().invoke(main, [*state_dir, *command], env=environment)
        assert said.exit_code == 4
        assert f"of revision {first_release.REVISION}" in said.output
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
