"""`leaderboard backup`: everything that a course remembers, in one folder, while the server runs.

First the database as it is at one moment, then the files that this copy names. Files are only ever
added, and removed no sooner than two days after the database stopped naming them (content.py), so
that the two fit together although nothing was stopped. The manifest is written last: a folder
without one is no backup, and what failed before it leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from leaderboard import audit, migrations
from leaderboard.blobs import BlobDamaged, BlobMissing, BlobStore, FolderStore
from leaderboard.db import utcnow
from leaderboard.models.versions import code_version
from leaderboard.operations import audit_heads, dumps, named_files, snapshots
from leaderboard.receipts import Receipts, canonical_json, is_signature
from leaderboard.settings.table import SETTINGS_FILE
from leaderboard.state import State

MANIFEST = "manifest.json"
BLOBS = "blobs"
KEY_FILE = "receipt_key.pem"
HEADS_FILE = "audit_heads.jsonl"
LAST_FILE = "last_backup.json"
FAILED_FILE = "backup_failed"  # there while the last try made none
_FORMAT = 2
# 1: a copy of the SQLite file, or a dump of PostgreSQL, with the queue's own tables
_READABLE = (1, _FORMAT)

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""


class BackupRefused(Exception):
    """The backup cannot be made there, or is none; the sentence says why."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup holds. `database` is the kind that it was made of; `files`: name → SHA-256;
    `bad`: files that the store itself had lost; `rows`: table → how many (not before format 2)."""

    format: int
    made_at: str
    code_version: str
    revision: str
    database: str
    files: dict[str, str]
    blobs: int
    blob_bytes: int
    bad: tuple[str, ...]
    rows: dict[str, int] = field(default_factory=dict)
    key_id: str = ""  # of the server that made it; "": of a version that did not sign
    signature: str = ""  # Ed25519, base64, of all the rest

    @property
    def database_file(self) -> str:
        """The name of the file that the database came to."""
        is_dump = self.format == 1 and self.database == "postgresql"
        return dumps.FILE_NAME if is_dump else snapshots.FILE_NAME


def make(state: State, into: Path, *, progress: Progress) -> Manifest:
    """Write a backup into a new or empty folder, readable by its owner only.

    Raises:
        BackupRefused: the folder holds something, or what is to be kept is not whole.
        SnapshotFailed: the database could not be written down.
        BlobsAway: the file store can't be reached.
        OSError: the folder can't be written; it is then as it was, as after all of these.
    """
    with _noted_failure(state), _new_or_empty(into):
        progress("database", 0, 1)
        copy = into / snapshots.FILE_NAME
        revision, rows = snapshots.take(state.database, copy)
        with snapshots.opened_as_of_now(copy, revision) as connection:
            named = connection.execute(named_files.all_named()).scalars().all()
            heads = audit_heads.as_lines(audit.heads(Session(connection)))
        progress("database", 1, 1)
        (into / HEADS_FILE).write_text(heads, encoding="utf-8")
        _copy_secrets(state, into)
        target = FolderStore(into / BLOBS)
        target.prepare()
        copied, bad = copy_blobs(state.blobs, target, named, progress=progress)
        manifest = Manifest(
            format=_FORMAT,
            made_at=utcnow().isoformat(),
            code_version=code_version(),
            revision=revision,
            database=snapshots.kind_of(state.database),
            files={path.name: _sha256(path) for path in _own_files(into)},
            blobs=len(named) - len(bad),
            blob_bytes=copied,
            bad=bad,
            rows=rows,
            key_id=state.receipts.key_id,
        )
        manifest = replace(manifest, signature=state.receipts.signature(_signed_bytes(manifest)))
        _write_manifest(into, manifest)
    _note(state, into, manifest)
    return manifest


@dataclass(frozen=True, kw_only=True)
class Last:
    """The last backup that was made on this machine."""

    made_at: datetime
    folder: str
    bad: int  # files that the store had lost


def last(state: State) -> Last | None:
    """When a backup was last made here; None where none was."""
    try:
        found = json.loads((state.settings.state_dir / LAST_FILE).read_text(encoding="utf-8"))
        made_at = datetime.fromisoformat(found["made_at"])
        return Last(made_at=made_at, folder=str(found["folder"]), bad=int(found["bad"]))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise OSError(f"{LAST_FILE} of the state folder can't be read ({error})") from error


def has_failed(state: State) -> bool:
    """Whether the last try on this machine made none."""
    return (state.settings.state_dir / FAILED_FILE).exists()


@contextmanager
def _noted_failure(state: State) -> Iterator[None]:
    """Keep that none was made, for the alarms; what went wrong is in the unit's log."""
    note = state.settings.state_dir / FAILED_FILE
    try:
        yield
    except BaseException:
        with suppress(OSError):  # of the disk, perhaps, as was the failure itself
            note.touch()
        raise
    note.unlink(missing_ok=True)


def _note(state: State, into: Path, manifest: Manifest) -> None:
    """Keep when it was made, for `doctor --production` and the alarms."""
    told = {
        "made_at": manifest.made_at,
        "folder": str(into.absolute()),
        "bad": len(manifest.bad),
    }
    writing = state.settings.state_dir / f"{LAST_FILE}.writing"
    writing.write_text(json.dumps(told), encoding="utf-8")
    writing.rename(state.settings.state_dir / LAST_FILE)


def read(source: Path) -> Manifest:
    """The manifest of a backup, its own files checked.

    Raises:
        BackupRefused: it is none, or damaged.
    """
    try:
        content: dict[str, Any] = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
        if content["format"] not in _READABLE:
            raise BackupRefused(f"{source} was made by a later version ({content['code_version']})")
        manifest = Manifest(**{**content, "bad": tuple(content["bad"])})
        if not migrations.is_known(manifest.revision):
            raise BackupRefused(
                f"{source} is of a later version ({manifest.code_version}): its tables are of "
                f"revision {manifest.revision}"
            )
    except FileNotFoundError:
        raise BackupRefused(
            f"{source} is no backup, or one that was cut off: no {MANIFEST}"
        ) from None
    except (ValueError, TypeError, KeyError):
        raise BackupRefused(f"{source / MANIFEST} is no manifest of a backup") from None
    for name, sha256 in manifest.files.items():
        path = source / name
        if not path.is_file() or _sha256(path) != sha256:
            raise BackupRefused(f"{path} is missing or was changed since the backup was made")
    for name in (SETTINGS_FILE, HEADS_FILE, KEY_FILE, manifest.database_file):
        if name not in manifest.files and (source / name).exists():
            raise BackupRefused(f"{source / name} was added since the backup was made")
    _check_signature(source, manifest)
    return manifest


def _check_signature(source: Path, manifest: Manifest) -> None:
    """Refuse a manifest that the key beside it did not sign.

    Whose key that is, `key_id` says: whoever restores compares it with the server's own.
    """
    if not manifest.signature:
        return
    signer = Receipts.from_file(source / KEY_FILE)
    content = _signed_bytes(manifest)
    if signer.key_id != manifest.key_id or not is_signature(
        manifest.signature, content, signer.public_key
    ):
        raise BackupRefused(f"{source / MANIFEST} is not signed by the key of its backup")


def _signed_bytes(manifest: Manifest) -> bytes:
    return b"backup " + canonical_json({**asdict(manifest), "signature": ""})


def copy_blobs(
    source: BlobStore, target: BlobStore, names: Sequence[str], *, progress: Progress
) -> tuple[int, tuple[str, ...]]:
    """Copy files, verifying each; how many bytes, and which the source has not, or damaged."""
    copied, bad = 0, []
    for number, sha256 in enumerate(names):
        progress("files", number, len(names))
        staging = target.stage()
        try:
            for piece in source.chunks(sha256):
                staging.write(piece)
            copied += target.keep(staging).size
        except (BlobMissing, BlobDamaged):
            bad.append(sha256)
        finally:
            staging.discard()
    progress("files", len(names), len(names))
    return copied, tuple(bad)


@contextmanager
def _new_or_empty(into: Path) -> Iterator[None]:
    """A folder to write to, which is left as it was found where that fails."""
    was_there = into.exists()
    if was_there and (not into.is_dir() or any(into.iterdir())):
        raise BackupRefused(f"{into} is not empty: a backup wants a folder of its own")
    into.mkdir(parents=True, exist_ok=True)
    into.chmod(0o700)
    try:
        yield
    except BaseException:
        for path in into.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not was_there:
            into.rmdir()
        raise


def _copy_secrets(state: State, into: Path) -> None:
    """The key that signs receipts, and the settings."""
    settings = state.settings
    shutil.copy(settings.receipt_key_file, into / KEY_FILE)
    if (settings.state_dir / SETTINGS_FILE).exists():
        shutil.copy(settings.state_dir / SETTINGS_FILE, into / SETTINGS_FILE)


def _own_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    writing = folder / f"{MANIFEST}.writing"
    with writing.open("w", encoding="utf-8") as file:
        json.dump(asdict(manifest), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    writing.rename(folder / MANIFEST)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
