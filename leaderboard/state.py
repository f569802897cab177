"""What one process holds open: settings, database, blobs, queue, receipts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from leaderboard.blobs import BlobStore, open_store
from leaderboard.config import Settings
from leaderboard.db import Database
from leaderboard.queue.durable import Queue
from leaderboard.queue.watching import Watcher
from leaderboard.receipts import Receipts
from leaderboard.rules.catalog import Catalog


@dataclass(frozen=True, kw_only=True)
class State:
    """Passed to the services that need more than a session; nothing here is a global."""

    settings: Settings
    database: Database
    blobs: BlobStore
    catalog: Catalog
    queue: Queue
    receipts: Receipts
    watcher: Watcher

    def close(self) -> None:
        self.watcher.close()
        self.queue.close()
        self.database.dispose()


def open_state(settings: Settings) -> State:
    """Open everything lazily: nothing connects before its first use, so this may precede a fork.

    Raises:
        FileNotFoundError: `leaderboard init` was never run.
    """
    blobs = open_store(settings)
    receipts = Receipts.from_file(settings.receipt_key_file)
    database = Database(settings.database_url, threads=settings.web_threads, signer=receipts)
    return State(
        settings=settings,
        database=database,
        blobs=blobs,
        catalog=Catalog(blobs, settings.cache_dir),
        queue=Queue(settings.database_url, engine=None if database.is_sqlite else database.engine),
        receipts=receipts,
        watcher=Watcher(database, limit=settings.web_streams),
    )


def current_state() -> State:
    """The state of the application that answers the present request."""
    from flask import current_app  # commands need no web server

    return cast(State, current_app.extensions["leaderboard"])
