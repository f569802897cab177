"""`leaderboard restore`: a backup on an empty machine, checked as it comes in.

The files come first and the database last, so that what was cut off holds no database, and no
server starts on it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from leaderboard.blobs import Blob, FolderStore, open_store
from leaderboard.config import Settings, load_settings, read_settings_file
from leaderboard.db import Database, utcnow
from leaderboard.models import Rescore, Submission, SubmissionStatus, Worker
from leaderboard.operations import backup, dumps, snapshots
from leaderboard.operations.backup import BackupRefused, Manifest, Progress
from leaderboard.operations.installation import initialise
from leaderboard.settings.table import PREFIX, SETTINGS, SETTINGS_FILE
from leaderboard.state import State, open_state

# where things lay on the machine that the backup is of: this one says where its own lie
_PLACES = tuple(f"{PREFIX}{name}" for name in ("STATE_DIR", "DATABASE_URL", "BLOBS_URL"))

_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What came back. `requeued`: hand-ins that were on their way and are evaluated now."""

    settings: Settings
    manifest: Manifest
    requeued: int
    trusted: dict[str, str]  # settings of the backup that run commands or say who is believed


def restore(
    source: Path,
    state_dir: Path | None,
    environ: Mapping[str, str] | None = None,
    *,
    progress: Progress,
    unsigned: bool = False,
) -> Restored:
    """Bring a backup into an empty state folder, database and file store.

    Where the database and the files are to lie is said by the environment, or by a `settings.env`
    that is all that the state folder holds; other settings come from the backup. `unsigned` takes
    one that no key signed.

    Raises:
        BackupRefused: it is none, it is damaged or not signed, or the target is not empty.
        SnapshotFailed: the database refused it.
        BlobsAway: the file store can't be reached.
        ConfigError: a setting is wrong.
        OSError: a file can't be written.
    """
    environ = os.environ if environ is None else environ
    manifest = backup.read(source)
    if not manifest.signature and not unsigned:
        raise BackupRefused(_not_signed(source, manifest))
    folder = _empty_folder(state_dir, environ)
    _write_settings(source / SETTINGS_FILE, folder / SETTINGS_FILE)
    settings = load_settings(folder, environ)
    _check_empty(settings, manifest)
    shutil.copy(source / backup.KEY_FILE, settings.receipt_key_file)
    settings.receipt_key_file.chmod(0o600)
    shutil.copy(source / backup.HEADS_FILE, folder / backup.HEADS_FILE)
    _bring_files(source, settings, manifest, progress)
    progress("database", 0, 1)
    _bring_rows(source, settings, manifest)
    progress("database", 1, 1)
    initialise(folder, environ)  # upgrades the tables of an older version
    state = open_state(settings)
    try:
        requeued = _requeue(state)
    finally:
        state.close()
    trusted = trusted_settings(source)
    return Restored(settings=settings, manifest=manifest, requeued=requeued, trusted=trusted)


def _not_signed(source: Path, manifest: Manifest) -> str:
    """Why one without a signature is not taken unasked."""
    known = (
        f"it says that version {manifest.code_version} made it, which did not sign"
        if manifest.format == 1
        else "this version signs every backup, so that somebody took the signature off"
    )
    return (
        f"{source / backup.MANIFEST} is not signed: {known}. Nobody can tell whether its rows, "
        "files and settings, which run commands and give rights, are those of a server of yours. "
        "If you know where it has been since it was made: --unsigned"
    )


def trusted_settings(source: Path) -> dict[str, str]:
    """What a backup's settings run, and whom they believe, where it is not as by default."""
    held = read_settings_file(source / SETTINGS_FILE)
    return {
        setting.variable: "(secret)" if setting.is_secret else held[setting.variable]
        for setting in SETTINGS
        if setting.is_trusted and held.get(setting.variable, setting.default) != setting.default
    }


def _empty_folder(state_dir: Path | None, environ: Mapping[str, str]) -> Path:
    given = state_dir or Path(environ.get(PREFIX + "STATE_DIR") or "leaderboard-state")
    folder = given.expanduser().absolute()
    if folder.exists() and {path.name for path in folder.iterdir()} - {SETTINGS_FILE}:
        raise BackupRefused(f"{folder} is not empty: a restore never replaces anything")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def _write_settings(source: Path, target: Path) -> None:
    """The backup's settings, but for where things lay; what is there already wins."""
    kept = {
        name: value for name, value in read_settings_file(source).items() if name not in _PLACES
    }
    lines = {**kept, **read_settings_file(target)}
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("".join(f"{name}={value}\n" for name, value in lines.items()))


def _check_empty(settings: Settings, manifest: Manifest) -> None:
    database = Database(settings.database_url)
    try:
        if manifest.database_file == dumps.FILE_NAME and database.is_sqlite:
            raise BackupRefused(
                "the backup holds a dump of version 0.1, which PostgreSQL alone can read, and "
                f"{PREFIX}DATABASE_URL names SQLite: restore it to PostgreSQL and back that up"
            )
        if not snapshots.is_empty(database):
            raise BackupRefused("the database is not empty: a restore never replaces anything")
    finally:
        database.dispose()


def _bring_files(source: Path, settings: Settings, manifest: Manifest, progress: Progress) -> None:
    settings.cache_dir.mkdir(exist_ok=True, mode=0o700)
    target = open_store(settings)
    target.prepare()
    if next(target.everything(), None) is not None:
        raise BackupRefused("the file store is not empty: a restore never replaces anything")
    copies = FolderStore(source / backup.BLOBS)
    found: list[Blob] = list(copies.everything())
    if len(found) != manifest.blobs:
        raise BackupRefused(f"the backup has {len(found)} of its {manifest.blobs} files")
    bad = backup.copy_blobs(copies, target, [each.sha256 for each in found], progress=progress)[1]
    if bad:
        raise BackupRefused(f"{len(bad)} files of the backup are damaged, the first is {bad[0]}")


def _bring_rows(source: Path, settings: Settings, manifest: Manifest) -> None:
    database = Database(settings.database_url)
    try:
        file = source / manifest.database_file
        if manifest.database_file == dumps.FILE_NAME:
            dumps.load(database, file)
        else:
            snapshots.load(database, file, manifest.revision, manifest.rows)
    finally:
        database.dispose()


def _requeue(state: State) -> int:
    """Queue what waited or ran when the backup was made: the workers that had it are no more."""
    with state.database.write() as session:
        workers = session.scalars(sa.select(Worker)).all()
        names = [worker.executor_id for worker in workers]
        for worker in workers:
            worker.stopped_at = worker.stopped_at or utcnow()
        session.execute(
            sa.update(Submission)
            .where(Submission.status == SubmissionStatus.RUNNING)
            .values(status=SubmissionStatus.QUEUED, phase="", claimed_by=None)
        )
    for name in names:
        state.queue.take_over(name)
    return _queue_anew(state)


def _queue_anew(state: State) -> int:
    """Queue what the queue does not know of; how many submissions wait."""
    with state.database.write() as session:
        waiting = session.scalars(
            sa.select(Submission)
            .where(Submission.status == SubmissionStatus.QUEUED)
            .order_by(Submission.id)
        ).all()
        for start in range(0, len(waiting), _BATCH):
            for submission in state.queue.lost(waiting[start : start + _BATCH]):
                state.queue.put_back(session, submission)
        for rescore_id in session.scalars(
            sa.select(Rescore.id).where(Rescore.finished_at.is_(None))
        ):
            state.queue.enqueue_rescore(session, rescore_id)
    return len(waiting)
