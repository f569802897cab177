"""`leaderboard init`: the state folder with its secrets, the tables, the folders for files."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from leaderboard import audit, migrations, receipts
from leaderboard.blobs import open_store
from leaderboard.config import ConfigError, Settings, load_settings, read_settings_file
from leaderboard.db import Database
from leaderboard.models import Course
from leaderboard.operations.verifying import rows
from leaderboard.queue.durable import Queue
from leaderboard.rules import lateness
from leaderboard.settings.table import PREFIX, SETTINGS_FILE

_BEFORE_SIGNED_HEADS = "0001"
_HEADER = """\
# Settings of this server, NAME=VALUE. The environment wins over this file; `leaderboard settings`
# lists all of them. Keep this file to yourself: the secret key signs every session.
"""


def initialise(state_dir: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Make what is missing and upgrade what is old; existing keys are never replaced. Repeatable.

    Raises:
        ConfigError: a setting is wrong, or the database belongs to another key.
    """
    environ = os.environ if environ is None else environ
    folder = _state_dir(state_dir, environ)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    _write_settings_file(folder / SETTINGS_FILE, environ)
    settings = load_settings(folder, environ)
    is_new = not settings.receipt_key_file.exists()
    if is_new:
        receipts.write_new_key(settings.receipt_key_file)
    settings.cache_dir.mkdir(exist_ok=True, mode=0o700)
    open_store(settings).prepare()
    try:
        _upgrade(settings)
    except WrongKey:
        if is_new:
            settings.receipt_key_file.unlink()
        raise
    Queue(settings.database_url).migrate()
    return settings


class WrongKey(ConfigError):
    """The database belongs to another key than this machine's."""


def _upgrade(settings: Settings) -> None:
    signer = receipts.Receipts.from_file(settings.receipt_key_file)
    database = Database(settings.database_url, signer=signer)
    try:
        before = migrations.revision_of(database)
        migrations.upgrade(database)
        if before not in (None, migrations.head()):
            with database.write() as session:
                if before == _BEFORE_SIGNED_HEADS:
                    audit.sign_heads(session)
                for course in session.scalars(sa.select(Course)).all():
                    lateness.recount_all(session, course)  # as this version counts
                for hashes in list(rows.unsealed(session)):
                    audit.seal(session, hashes)
        with database.reading() as session:
            known = {head.key_id for head in audit.heads(session)}
        if known - {signer.key_id}:
            raise WrongKey(
                [
                    "The database belongs to a server with another receipt key: copy "
                    "receipt_key.pem and settings.env of its state folder to this machine's, "
                    "then try again."
                ]
            )
    finally:
        database.dispose()


def _state_dir(given: Path | None, environ: Mapping[str, str]) -> Path:
    if given is None:
        given = Path(environ.get(PREFIX + "STATE_DIR") or "leaderboard-state")
    return given.expanduser().absolute()


def _write_settings_file(path: Path, environ: Mapping[str, str]) -> None:
    """Make the file with a new secret, readable by its owner only; keep what is there."""
    name = PREFIX + "SECRET_KEY"
    if name in read_settings_file(path) or environ.get(name):
        return
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(f"{_HEADER if is_new else ''}{name}={secrets.token_urlsafe(48)}\n")
