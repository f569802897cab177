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

from leaderboard import backup, snapshots
from leaderboard.backup import BackupRefused, Manifest, Progress
from leaderboard.blobs import Blob, FolderStore, open_store
from leaderboard.config import PREFIX, SETTINGS_FILE, Settings, load_settings, read_settings_file
from leaderboard.db import Database, utcnow
from leaderboard.installation import initialise
from leaderboard.models import Submission, SubmissionStatus, Worker
from leaderboard.state import State, open_state

# where things lay on the machine that the backup is of: this one says where its own lie
_PLACES = tuple(f"{PREFIX}{name}" for name in ("STATE_DIR", "DATABASE_URL", "BLOBS_URL"))


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What came back. `requeued`: hand-ins that were on their way and are evaluated now."""

    settings: Settings
    manifest: Manifest
    requeued: int


def restore(
    source: Path,
    state_dir: Path | None,
    environ: Mapping[str, str] | None = None,
    *,
    progress: Progress,
) -> Restored:
    """Bring a backup into an empty state folder, database and file store.

    Where the database and the files are to lie is said by the environment, or by a `settings.env`
    that is all that the state folder holds; other settings come from the backup.

    Raises: BackupRefused, SnapshotFailed, BlobsAway, ConfigError, OSError.
    """
    environ = os.environ if environ is None else environ
    manifest = backup.read(source)
    folder = _empty_folder(state_dir, environ)
    _write_settings(source / SETTINGS_FILE, folder / SETTINGS_FILE)
    settings = load_settings(folder, environ)
    _check_empty(settings, manifest)
    shutil.copy(source / backup.KEY_FILE, settings.receipt_key_file)
    settings.receipt_key_file.chmod(0o600)
    shutil.copy(source / backup.HEADS_FILE, folder / backup.HEADS_FILE)
    _bring_files(source, settings, manifest, progress)
    progress("database", 0, 1)
    database = Database(settings.database_url)
    snapshots.load(database, source / snapshots.FILE_NAMES[manifest.database])
    database.dispose()
    progress("database", 1, 1)
    initialise(folder, environ)  # upgrades the tables of an older version
    state = open_state(settings)
    try:
        requeued = _requeue(state)
    finally:
        state.close()
    return Restored(settings=settings, manifest=manifest, requeued=requeued)


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
        kind = snapshots.kind_of(database)
        if kind != manifest.database:
            raise BackupRefused(
                f"the backup is of {manifest.database}, and {PREFIX}DATABASE_URL names {kind}"
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


def _requeue(state: State) -> int:
    """Queue what was running when the backup was made: the workers that had it are no more."""
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
        waiting = session.scalar(
            sa.select(sa.func.count())
            .select_from(Submission)
            .where(Submission.status == SubmissionStatus.QUEUED)
        )
    for name in names:
        state.queue.take_over(name)
    return int(waiting or 0)
