"""`leaderboard backup`: everything that a course remembers, in one folder, while the server runs.

First the database as it is at one moment, then the files that this copy names. Files are only ever
added, and removed no sooner than two days after the database stopped naming them (content.py), so
that the two fit together although nothing was stopped. The manifest is written last: a folder
without one is no backup.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard import audit, audit_heads, migrations, named_files, snapshots
from leaderboard.blobs import BlobDamaged, BlobMissing, BlobStore, FolderStore
from leaderboard.config import SETTINGS_FILE
from leaderboard.db import utcnow
from leaderboard.state import State
from leaderboard.versions import code_version

MANIFEST = "manifest.json"
BLOBS = "blobs"
KEY_FILE = "receipt_key.pem"
HEADS_FILE = "audit_heads.jsonl"
_FORMAT = 1

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""


class BackupRefused(Exception):
    """The backup cannot be made there, or is none; the sentence says why."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup holds. `files`: name → SHA-256; `bad`: files that the store itself had lost."""

    format: int
    made_at: str
    code_version: str
    revision: str
    database: str
    files: dict[str, str]
    blobs: int
    blob_bytes: int
    bad: tuple[str, ...]


def make(state: State, into: Path, *, progress: Progress) -> Manifest:
    """Write a backup into a new or empty folder, readable by its owner only.

    Raises: BackupRefused, SnapshotFailed, BlobsAway, OSError.
    """
    _prepare(into)
    kind = snapshots.kind_of(state.database)
    copy = into / snapshots.FILE_NAMES[kind]
    progress("database", 0, 1)
    with snapshots.taken(state.database, copy) as connection:
        named = connection.execute(named_files.all_named()).scalars().all()
        heads = _heads(connection)
    progress("database", 1, 1)
    settings = state.settings
    shutil.copy(settings.receipt_key_file, into / KEY_FILE)
    (into / HEADS_FILE).write_text(heads, encoding="utf-8")
    if (settings.state_dir / SETTINGS_FILE).exists():
        shutil.copy(settings.state_dir / SETTINGS_FILE, into / SETTINGS_FILE)
    target = FolderStore(into / BLOBS)
    target.prepare()
    copied, bad = copy_blobs(state.blobs, target, named, progress=progress)
    manifest = Manifest(
        format=_FORMAT,
        made_at=utcnow().isoformat(),
        code_version=code_version(),
        revision=migrations.head(),
        database=kind,
        files={path.name: _sha256(path) for path in _own_files(into)},
        blobs=len(named) - len(bad),
        blob_bytes=copied,
        bad=bad,
    )
    _write_manifest(into, manifest)
    return manifest


def read(source: Path) -> Manifest:
    """The manifest of a backup, its own files checked. Raises: BackupRefused."""
    try:
        content: dict[str, Any] = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**{**content, "bad": tuple(content["bad"])})
    except FileNotFoundError:
        raise BackupRefused(
            f"{source} is no backup, or one that was cut off: no {MANIFEST}"
        ) from None
    except (ValueError, TypeError, KeyError):
        raise BackupRefused(f"{source / MANIFEST} is no manifest of a backup") from None
    if manifest.format != _FORMAT:
        raise BackupRefused(f"{source} was made by a later version ({manifest.code_version})")
    for name, sha256 in manifest.files.items():
        path = source / name
        if not path.is_file() or _sha256(path) != sha256:
            raise BackupRefused(f"{path} is missing or was changed since the backup was made")
    return manifest


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


def _prepare(into: Path) -> None:
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise BackupRefused(f"{into} is not empty: a backup wants a folder of its own")
    into.mkdir(parents=True, exist_ok=True)
    into.chmod(0o700)


def _heads(connection: sa.Connection) -> str:
    return audit_heads.as_lines(audit.heads(Session(connection)))


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
