"""Live progress of one submission as server-sent events.

Each event is the whole report, so that a client that missed some needs no history. One thread of a
process asks the database for all that is watched; a stream sleeps until its submission has changed.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard.db import Database
from leaderboard.errors import OutOfService, TooManyRequests
from leaderboard.models import Submission, SubmissionStatus

if TYPE_CHECKING:
    from flask import Response

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_QUEUE_SECONDS = 2.0  # how often a queued submission's place is counted anew
_QUEUE_SECONDS_A_STREAM = 0.05  # more slowly where many wait: each count costs some milliseconds
_HEARTBEAT_SECONDS = 15.0  # proxies cut silent connections
_LONGEST_SECONDS = 600.0  # then the client connects again, by itself
OF_A_PERSON = 12  # in one web process; pages beyond ask now and then
_AT_ONCE = 500  # ids in one query
_ENDS = (SubmissionStatus.FINISHED, SubmissionStatus.CANCELLED)

Render = Callable[[Session, Submission], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the last look at the database found."""

    revision: int
    status: SubmissionStatus


class Watcher:
    """Looks at every watched submission of a process, in one thread that lives while any is.

    At most `limit` streams may be open, and a few a person: each holds a thread of the web server.
    """

    def __init__(self, database: Database, *, limit: int) -> None:
        self.database = database
        self._limit = limit
        self._changed = threading.Condition()
        self._streams: Counter[int] = Counter()  # submission id → streams
        self._people: Counter[int] = Counter()  # user id → streams
        self._seen: Mapping[int, _Seen] = {}
        self._thread: threading.Thread | None = None

    @property
    def open_streams(self) -> int:
        return self._streams.total()

    def enter(self, submission_id: int, user_id: int) -> None:
        """Watch a submission for a person.

        Raises:
            TooManyRequests: the person watches as many as one may.
            OutOfService: as many streams are open as may be.
        """
        with self._changed:
            if self._people[user_id] >= OF_A_PERSON:
                raise TooManyRequests(said("server.you_watch_too_many"), retry_after=5)
            if self._streams.total() >= self._limit:
                raise OutOfService(said("server.too_many_watched"), retry_after=5)
            self._streams[submission_id] += 1
            self._people[user_id] += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="events", daemon=True)
                self._thread.start()

    def leave(self, submission_id: int, user_id: int) -> None:
        with self._changed:
            self._streams[submission_id] -= 1
            self._people[user_id] -= 1
            self._streams += Counter()  # drops what nobody watches
            self._people += Counter()

    def close(self) -> None:
        """Look no more: when this returns, nothing of it asks the database."""
        with self._changed:
            self._streams.clear()
            self._people.clear()
            thread = self._thread
        if thread is not None:
            thread.join()

    def wait(self, submission_id: int, revision: int, seconds: float) -> None:
        """Return when the submission has another revision, at the latest after `seconds`."""

        def is_news() -> bool:
            seen = self._seen.get(submission_id)
            return seen is not None and seen.revision != revision

        with self._changed:
            self._changed.wait_for(is_news, seconds)

    def _look(self) -> None:
        while True:
            with self._changed:
                if not self._streams:
                    self._thread = None
                    self._seen = {}
                    return
                ids = list(self._streams)
            try:
                seen = self._read(ids)
            except SQLAlchemyError as error:  # streams go on when the database is back
                log.warning("live pages: %s", error)
                seen = {}
            with self._changed:
                if seen != self._seen:
                    self._seen = seen
                    self._changed.notify_all()
            time.sleep(_POLL_SECONDS)

    def _read(self, ids: list[int]) -> dict[int, _Seen]:
        found: dict[int, _Seen] = {}
        with self.database.reading() as session:
            for first in range(0, len(ids), _AT_ONCE):
                rows = session.execute(
                    sa.select(Submission.id, Submission.revision, Submission.status).where(
                        Submission.id.in_(ids[first : first + _AT_ONCE])
                    )
                )
                found |= {
                    id_: _Seen(revision=revision, status=status) for id_, revision, status in rows
                }
        return found


def response(watcher: Watcher, submission_id: int, user_id: int, render: Render) -> Response:
    """Stream the submission's reports to a person until it is finished.

    Raises:
        TooManyRequests: the person watches as many as one may.
        OutOfService: as many streams are open as may be; pages and the command line then ask
            now and then.
    """
    from flask import Response  # commands need no web server

    watcher.enter(submission_id, user_id)
    streaming = Response(
        stream(watcher, submission_id, render),
        mimetype="text/event-stream",
        # nginx would collect the events instead of passing them on
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
    streaming.call_on_close(lambda: watcher.leave(submission_id, user_id))
    return streaming


def stream(watcher: Watcher, submission_id: int, render: Render) -> Iterator[str]:
    """An event at once, one for each change, and a comment now and then; ends with the work."""
    started = beat_at = time.monotonic()
    shown = ""
    while time.monotonic() - started < _LONGEST_SECONDS:
        with watcher.database.reading() as session:
            submission = session.get_one(Submission, submission_id)
            revision, status = submission.revision, submission.status
            event = json.dumps(render(session, submission), ensure_ascii=False)
        now = time.monotonic()
        if event != shown:
            shown, beat_at = event, now
            yield f"id: {revision}\nevent: submission\ndata: {event}\n\n"
        elif now - beat_at >= _HEARTBEAT_SECONDS:
            beat_at = now
            yield ": still here\n\n"
        if status in _ENDS:
            return
        watcher.wait(submission_id, revision, _patience(status, watcher.open_streams))


def _patience(status: SubmissionStatus, streams: int) -> float:
    """After how long a stream looks by itself: a place in the queue moves without a revision."""
    if status is SubmissionStatus.QUEUED:
        return max(_QUEUE_SECONDS, streams * _QUEUE_SECONDS_A_STREAM)
    return _HEARTBEAT_SECONDS
