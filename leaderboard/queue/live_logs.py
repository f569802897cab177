"""What a sample run prints, for the student to read while it goes on.

The run itself never waits for the database: it leaves its latest log here, and a thread beside it
writes that down, at most once a second.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from types import TracebackType

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from leaderboard.db import Database, changed_rows
from leaderboard.models import LiveLog, Submission, SubmissionStatus

log = logging.getLogger(__name__)

# of a log, its end: the whole of what is kept comes with the verdict
KEPT_CHARACTERS = 16_000
_PAUSE_SECONDS = 1.0
_CUT = "…\n"


class LogWriter:
    """Keeps one submission's live log, for as long as the caller's claim on it holds."""

    def __init__(self, database: Database, submission_id: int, still_ours: sa.Update) -> None:
        """`still_ours` is an UPDATE of the submission that holds while the claim does."""
        self._database = database
        self._submission_id = submission_id
        self._still_ours = still_ours.values(revision=Submission.revision + 1)
        self._changed = threading.Condition()
        self._latest: str | None = None
        self._over = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop writing. What the run printed last comes with its result."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def take(self, text: str) -> None:
        """Leave the log as it is now. Never waits."""
        with self._changed:
            self._latest = text
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_on, daemon=True)
                self._thread.start()

    def _write_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._latest is not None)
                text, self._latest = self._latest, None
                if self._over or text is None:
                    return
            try:
                if not self._write(text):
                    return
            except SQLAlchemyError as error:  # it comes with the result all the same
                log.warning("a live log was not written: %s", error)
            with self._changed:
                self._changed.wait_for(lambda: self._over, timeout=_PAUSE_SECONDS)

    def _write(self, text: str) -> bool:
        """Whether the claim still holds."""
        with self._database.write() as session:
            if not changed_rows(session, self._still_ours):
                return False
            session.merge(LiveLog(submission_id=self._submission_id, text=last_lines(text)))
        return True


def last_lines(text: str) -> str:
    """The end of a log, from the beginning of a line on where there is one."""
    if len(text) <= KEPT_CHARACTERS:
        return text
    end = text[-KEPT_CHARACTERS:]
    return _CUT + (end.partition("\n")[2] or end)


def read(session: Session, submissions: Iterable[Submission]) -> dict[int, str]:
    """What the sample runs that go on have printed, by their submission's number."""
    running = [each.id for each in submissions if each.status is SubmissionStatus.RUNNING]
    if not running:
        return {}
    found = session.scalars(sa.select(LiveLog).where(LiveLog.submission_id.in_(running)))
    return {each.submission_id: each.text for each in found}


def clear(session: Session, submission_id: int) -> None:
    """Forget it, within the caller's write transaction."""
    session.execute(sa.delete(LiveLog).where(LiveLog.submission_id == submission_id))
