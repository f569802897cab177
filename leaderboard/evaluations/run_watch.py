"""Tells a run that goes on when nobody waits for it any more: it was withdrawn, or another worker
that took it over was first. The run asks often and must not wait for the database, so a thread
beside it looks there once a second."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from leaderboard.db import Database
from leaderboard.evaluations.publishing import Stale

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0


class RunWatch:
    """Looks after one run, for as long as it goes on."""

    def __init__(self, database: Database, still_wanted: sa.Select[Any]) -> None:
        """`still_wanted` finds a row while somebody waits for the result."""
        self._database = database
        self._still_wanted = still_wanted
        self._is_unwanted = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="run-watch", daemon=True)

    def __enter__(self) -> RunWatch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """Never waits.

        Raises:
            Stale: it is known that nobody waits.
        """
        if self._is_unwanted:
            raise Stale

    def _look_on(self) -> None:
        while not self._is_unwanted and not self._over.wait(_PAUSE_SECONDS):
            try:
                with self._database.reading() as session:
                    self._is_unwanted = session.execute(self._still_wanted).first() is None
            except SQLAlchemyError as error:  # what the run finds is published when it is back
                log.warning("the database is away; the run goes on: %s", error)
