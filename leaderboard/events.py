"""Live progress of one submission as server-sent events.

Each event is the whole report, so that a client that missed some needs no history.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from flask import Response
from sqlalchemy.orm import Session

from leaderboard.db import Database
from leaderboard.errors import OutOfService
from leaderboard.models import Submission, SubmissionStatus
from leaderboard.state import current_state

_POLL_SECONDS = 0.2
_QUEUE_SECONDS = 2.0  # how often a queued submission's place is counted anew
_HEARTBEAT_SECONDS = 15.0  # proxies cut silent connections
_LONGEST_SECONDS = 600.0  # then the client connects again, by itself
_ENDS = (SubmissionStatus.FINISHED, SubmissionStatus.CANCELLED)

Render = Callable[[Session, Submission], dict[str, Any]]


class _OpenStreams:
    """How many streams this process has open."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def enter(self, *, limit: int) -> None:
        with self._lock:
            if self._count >= limit:
                raise OutOfService("Too many submissions are watched live.", retry_after=5)
            self._count += 1

    def leave(self) -> None:
        with self._lock:
            self._count -= 1


_open = _OpenStreams()


def response(database: Database, submission_id: int, render: Render) -> Response:
    """Stream the submission's reports until it is finished.

    An open stream holds a thread, so half of them at most: the rest must stay free for pages and
    hand-ins. Pages and command line ask now and then where they get no stream.

    Raises: OutOfService when as many are open as may be.
    """
    _open.enter(limit=max(1, current_state().settings.web_threads // 2))
    streaming = Response(
        stream(database, submission_id, render),
        mimetype="text/event-stream",
        # nginx would collect the events instead of passing them on
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
    streaming.call_on_close(_open.leave)
    return streaming


def stream(database: Database, submission_id: int, render: Render) -> Iterator[str]:
    """An event at once, one for each change, and a comment now and then; ends with the work."""
    started = beat_at = counted_at = time.monotonic()
    seen = -1
    shown = ""
    while time.monotonic() - started < _LONGEST_SECONDS:
        now = time.monotonic()
        with database.reading() as session:
            revision, status = _state(session, submission_id)
            recount = status is SubmissionStatus.QUEUED and now - counted_at >= _QUEUE_SECONDS
            if revision != seen or recount:
                seen, counted_at = revision, now
                submission = session.get_one(Submission, submission_id)
                event = json.dumps(render(session, submission), ensure_ascii=False)
                status = submission.status
            else:
                event = shown
        if event != shown:
            shown, beat_at = event, now
            yield f"id: {seen}\nevent: submission\ndata: {event}\n\n"
        elif now - beat_at >= _HEARTBEAT_SECONDS:
            beat_at = now
            yield ": still here\n\n"
        if status in _ENDS:
            return
        time.sleep(_POLL_SECONDS)


def _state(session: Session, submission_id: int) -> tuple[int, SubmissionStatus]:
    revision, status = session.execute(
        sa.select(Submission.revision, Submission.status).where(Submission.id == submission_id)
    ).one()
    return revision, status
