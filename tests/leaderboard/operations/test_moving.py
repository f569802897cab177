"""A backup comes back on the other kind of database, whole; what fails leaves nothing behind."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import first_release
import pytest
import sqlalchemy as sa
from databases import EACH_DATABASE, NEEDS_POSTGRESQL
from small_site import Site, initialised_site, make_site, predictions_csv, write_assignment

from leaderboard import migrations
from leaderboard.db import Base, Database, sqlite_url
from leaderboard.models import Rescore, Submission, SubmissionStatus
from leaderboard.models.keeping import models_where, name_of
from leaderboard.operations import backup, dumps, restore, snapshots, verification
from leaderboard.operations.backup import BackupRefused
from leaderboard.operations.snapshots import SnapshotFailed
from leaderboard.state import State, open_state

_NOW = datetime(2026, 10, 1, 12, 30, 15, 250_001, tzinfo=UTC)
_JSON = '{"b": [0.1, 1e-7, 12345678901234567890], "a": null, "é": "\\u6df1"}'
# what a column of some name holds, where its type alone does not say it
_SPECIAL = {
    "email": "ann@example.edu",
    "time_zone": "Asia/Shanghai",
    "amount": 1,
    "status": "queued",
    "verdict": None,
    "finished_at": None,
    "content_removed_at": None,
    "ended_at": None,
    "number": 1,
    "num_classes": 2,
    "current_evaluation_id": 1,
    "split": "public",
}

_LEFT_OUT = [name_of(model) for model in models_where(lambda keeping: not keeping.backed_up)]


def silent(*_: Any) -> None:
    pass


def one_row(table: sa.Table) -> dict[str, Any]:
    """A row with something in every column, and with all its references to row 1."""
    return {column.name: _value(table, column) for column in table.columns}


def _value(table: sa.Table, column: sa.Column[Any]) -> Any:
    if column.name in _SPECIAL and not (table.name == "evaluation" and column.name == "verdict"):
        return _SPECIAL[column.name]
    if (table.name, column.name) == ("label_decision", "label"):
        return None  # the first choice is to keep the label
    kind = column.type
    if isinstance(kind, sa.Enum):
        return kind.enums[0]
    if isinstance(kind, sa.String):
        return f"{column.name} – 深度"[: kind.length]
    if isinstance(kind, sa.JSON):
        return sa.literal_column(f"'{_JSON}'")
    for python, value in ((bool, True), (int, 1), (float, 0.1 + 0.2), (bytes, b"\x00\xff\x07")):
        if kind.python_type is python:
            return value
    return _NOW


def fill(database: Database) -> None:
    """A row in every table that there is."""
    with database.migrating() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        for table in Base.metadata.tables.values():
            connection.execute(sa.insert(table).values(one_row(table)))
        connection.exec_driver_sql("UPDATE user_account SET muted = 'null'")  # JSON's own


def contents(database: Database) -> dict[str, list[Any]]:
    """Everything that our tables hold, JSON with its text."""
    columns = {
        table: [
            sa.type_coerce(sa.cast(column, sa.Text), sa.Text)
            if isinstance(column.type, sa.JSON)
            else column
            for column in table.columns
        ]
        for table in Base.metadata.tables.values()
    }
    with database.engine.connect() as connection:
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(sa.select(*chosen).order_by(*table.primary_key))
            ]
            for table, chosen in columns.items()
        }


@pytest.fixture(params=EACH_DATABASE)
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "data.sqlite3")
    made: str = request.getfixturevalue("new_database")()
    return made.replace("postgresql:", "postgresql+psycopg:")


@NEEDS_POSTGRESQL
def test_a_row_of_every_table_goes_to_postgresql_and_back_as_it_was(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    first = Database(sqlite_url(tmp_path / "first.sqlite3"))
    migrations.upgrade(first)
    fill(first)
    there = Database(new_database().replace("postgresql:", "postgresql+psycopg:"))
    back = Database(sqlite_url(tmp_path / "back.sqlite3"))

    before = contents(first) | {name: [] for name in _LEFT_OUT}
    for source, target in ((first, there), (there, back)):
        file = tmp_path / f"{source.engine.dialect.name}.copy"
        revision, rows = snapshots.take(source, file)
        snapshots.load(target, file, revision, rows)
        assert rows == dict.fromkeys(Base.metadata.tables, 1) | dict.fromkeys(_LEFT_OUT, 0)
        assert contents(target) == before

    with there.engine.connect() as connection:
        inspector = sa.inspect(connection)
        references = inspector.get_foreign_keys("submission")
        assert not any(each["options"].get("deferrable") for each in references)
    with there.write() as session:  # numbered from behind what came
        team = sa.insert(Base.metadata.tables["team"])
        made = session.execute(
            team.values(course_id=1, name="new", is_baseline=False, created_at=_NOW)
        )
        assert made.inserted_primary_key == (2,)
    for change in ("UPDATE split_score SET accuracy = 1", "DELETE FROM audit_event"):
        with pytest.raises(sa.exc.IntegrityError, match="append-only"), there.write() as session:
            session.execute(sa.text(change))
    for database in (first, there, back):
        database.dispose()


@NEEDS_POSTGRESQL
def test_what_the_other_database_refuses_leaves_no_table_behind(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    first = Database(sqlite_url(tmp_path / "first.sqlite3"))
    migrations.upgrade(first)
    fill(first)
    with first.write() as session:  # SQLite knows no lengths
        session.execute(sa.text("UPDATE team SET name = :name"), {"name": "x" * 101})
    revision, rows = snapshots.take(first, tmp_path / "copy")
    there = Database(new_database().replace("postgresql:", "postgresql+psycopg:"))

    with pytest.raises(SnapshotFailed, match=r"postgresql does not take .*too long"):
        snapshots.load(there, tmp_path / "copy", revision, rows)

    assert snapshots.is_empty(there)
    there.dispose()
    first.dispose()


def wait_in_every_way(site: Site) -> dict[str, str]:
    """Scored hand-ins, one that waits, one that runs, one that is tried again; by what they do."""
    for wrong in (3, 5):
        site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=wrong)))
    ids = {
        what: site.hand_in(
            "bob", predictions_csv(site.folder, wrong=number), filename=f"{what}.csv"
        )
        for number, what in enumerate(("waits", "runs", "again"))
    }
    with site.state.database.write() as session:
        for what, values in (
            ("runs", {"status": SubmissionStatus.RUNNING, "claimed_by": "gone"}),
            ("again", {"failed_attempts": 2}),
        ):
            session.execute(
                sa.update(Submission).where(Submission.public_id == ids[what]).values(**values)
            )
        session.add(
            Rescore(assignment_id=1, until_id=2, total=2, created_at=_NOW, at_submission_id=0)
        )
    return ids


def finish(state: State, site: Site) -> None:
    """A worker on the new machine does what waits, and a hand-in that comes now."""
    moved = Site(state=state, course=site.course, folder=site.folder, people=site.people)
    new = moved.hand_in("ann", predictions_csv(site.folder, wrong=1))
    with state.database.reading() as session:
        waiting = session.scalars(
            sa.select(Submission.public_id).where(Submission.status == SubmissionStatus.QUEUED)
        ).all()
    assert new in waiting
    assert len(waiting) == 4
    with moved.worker(LEADERBOARD_DATABASE_URL=state.settings.database_url):
        for public_id in waiting:
            assert moved.wait(public_id).verdict == "OK"
        end = time.monotonic() + 30
        while not rescored(state):
            assert time.monotonic() < end, "the rescore was not carried on"
            time.sleep(0.1)


def rescored(state: State) -> bool:
    with state.database.reading() as session:
        return session.scalar(sa.select(Rescore.finished_at)) is not None


@NEEDS_POSTGRESQL
@pytest.mark.parametrize("to", ["postgresql", "sqlite"])
def test_a_site_moves_to_the_other_database_and_works_on(
    tmp_path: Path, new_database: Callable[[], str], to: str
) -> None:
    folder = write_assignment(tmp_path / "animals")
    if to == "postgresql":
        site, environment = (
            make_site(tmp_path, folder),
            {"LEADERBOARD_DATABASE_URL": new_database()},
        )
    else:
        site, environment = initialised_site(tmp_path, folder, database_url=new_database()), {}
    wait_in_every_way(site)
    made = backup.make(site.state, tmp_path / "backup", progress=silent)
    site.state.close()

    done = restore.restore(tmp_path / "backup", tmp_path / "new", environment, progress=silent)

    assert (made.database, done.requeued) == ("sqlite" if to == "postgresql" else "postgresql", 3)
    state = open_state(done.settings)
    assert snapshots.kind_of(state.database) == to
    found = verification.verify(state, progress=silent)
    assert (found.receipts, found.scores, found.differences) == (5, 2, ())
    finish(state, site)
    assert verification.verify(state, progress=silent).differences == ()
    state.close()


def test_tables_of_the_first_release_are_backed_up_and_come_back_as_of_this_one(
    tmp_path: Path, any_url: str
) -> None:
    old = make_site(tmp_path, write_assignment(tmp_path / "animals"))
    database = Database(any_url)
    before = first_release.make(database)
    # its files are not there, which is said; the tables stay as the first release made them
    state = State(**{**vars(old.state), "database": database})
    made = backup.make(state, tmp_path / "backup", progress=silent)
    assert migrations.revision_of(database) == made.revision == first_release.REVISION
    assert len(made.bad) == 1

    target = Database(sqlite_url(tmp_path / "new.sqlite3"))
    snapshots.load(target, tmp_path / "backup" / made.database_file, made.revision, made.rows)
    migrations.upgrade(target)

    columns = {name: list(some[0]) for name, some in first_release.rows().items()}
    del before["sign_in_failure"], columns["sign_in_failure"]  # of use for fifteen minutes only
    if database.is_sqlite:
        assert first_release.dump(target, columns) == before
    assert {name: len(rows) for name, rows in before.items()} == {
        name: made.rows[name] for name in before
    }
    for each in (database, target):
        each.dispose()
    old.state.close()


@NEEDS_POSTGRESQL
def test_backups_of_version_0_1_come_back(tmp_path: Path, new_database: Callable[[], str]) -> None:
    url = new_database()
    site = initialised_site(tmp_path, write_assignment(tmp_path / "animals"), database_url=url)
    wait_in_every_way(site)
    made = tmp_path / "backup"
    manifest = backup.make(site.state, made, progress=silent)
    (made / snapshots.FILE_NAME).unlink()
    dumped = made / dumps.FILE_NAME
    subprocess.run(["pg_dump", "-Fc", f"--file={dumped}", f"--dbname={url}"], check=True)
    files = {name: sha for name, sha in manifest.files.items() if name != snapshots.FILE_NAME}
    old = {**asdict(manifest), "format": 1, "files": {**files, dumped.name: backup._sha256(dumped)}}
    for of_later in ("rows", "key_id", "signature"):
        del old[of_later]
    (made / "manifest.json").write_text(json.dumps(old))

    with pytest.raises(BackupRefused, match="which did not sign"):
        restore.restore(made, tmp_path / "unsigned", {}, progress=silent)
    with pytest.raises(BackupRefused, match="PostgreSQL alone can read"):
        restore.restore(made, tmp_path / "wrong", {}, progress=silent, unsigned=True)
    environment = {"LEADERBOARD_DATABASE_URL": new_database()}
    done = restore.restore(made, tmp_path / "new", environment, progress=silent, unsigned=True)

    state = open_state(done.settings)
    finish(state, site)
    assert verification.verify(state, progress=silent).differences == ()
    state.close()
    site.state.close()


def test_a_backup_of_a_later_version_is_refused_by_its_name(site: Site, tmp_path: Path) -> None:
    backup.make(site.state, tmp_path / "b", progress=silent)
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    later = {**manifest, "format": 3, "code_version": "9.9", "something_new": 1}
    (tmp_path / "b" / "manifest.json").write_text(json.dumps(later))

    with pytest.raises(BackupRefused, match=r"later version \(9\.9\)"):
        backup.read(tmp_path / "b")
    later = {**manifest, "revision": "9999", "code_version": "9.9"}
    (tmp_path / "b" / "manifest.json").write_text(json.dumps(later))
    with pytest.raises(BackupRefused, match=r"later version \(9\.9\): .* revision 9999"):
        backup.read(tmp_path / "b")


def test_rows_that_are_not_all_there_leave_no_table(site: Site, tmp_path: Path) -> None:
    made = backup.make(site.state, tmp_path / "b", progress=silent)
    target = Database(sqlite_url(tmp_path / "new.sqlite3"))

    with pytest.raises(SnapshotFailed, match="it was made with"):
        snapshots.load(
            target,
            tmp_path / "b" / made.database_file,
            made.revision,
            {**made.rows, "course": made.rows["course"] + 1},
        )

    assert snapshots.is_empty(target)
    target.dispose()


@pytest.mark.parametrize("is_there", [False, True], ids=["new folder", "empty folder"])
def test_a_backup_that_is_ended_leaves_the_folder_as_it_was(
    site: Site, tmp_path: Path, is_there: bool
) -> None:
    site.hand_in("ann", predictions_csv(site.folder))
    dest = tmp_path / "backups" / "b"
    if is_there:
        dest.mkdir(parents=True)

    def end(what: str, done: int, _: int) -> None:
        if what == "files" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup.make(site.state, dest, progress=end)

    assert dest.exists() == is_there
    assert not is_there or list(dest.iterdir()) == []
    assert backup.make(site.state, dest, progress=silent).blobs


def test_a_backup_that_finds_no_room_says_so_in_a_sentence_and_leaves_nothing(
    site: Site, tmp_path: Path
) -> None:
    dest = tmp_path / "b"
    done = subprocess.run(
        [*site.command, "backup", str(dest)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 4
    assert "No backup was made" in done.stderr
    assert "Traceback" not in done.stderr
    assert not dest.exists()


@NEEDS_POSTGRESQL
def test_a_backup_of_a_database_that_wants_another_password_says_so_and_leaves_nothing(
    site: Site, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    wrong = sa.make_url(new_database()).set(password="wrong")
    environment = {"LEADERBOARD_DATABASE_URL": wrong.render_as_string(hide_password=False)}
    done = subprocess.run(
        [*site.command, "backup", str(tmp_path / "b")],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 4
    assert "password authentication failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "b").exists()


def test_the_package_may_lie_in_a_folder_with_a_percent_sign(tmp_path: Path) -> None:
    package = Path(migrations.__file__).parents[1]
    folder = tmp_path / "100%(x)s" / "leaderboard"
    folder.parent.mkdir()
    folder.symlink_to(package)
    program = (
        "from leaderboard import migrations; from leaderboard.db import Database, sqlite_url; "
        "from pathlib import Path; assert '%' in migrations.__file__; "
        "migrations.upgrade(Database(sqlite_url(Path('new.sqlite3'))))"
    )

    subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(folder.parent)},
        check=True,
    )
