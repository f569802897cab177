"""Live pages: one look at the database serves every stream of a process."""

from __future__ import annotations

import threading
import time

import pytest
import sqlalchemy as sa
from small_site import predictions_csv

from leaderboard import events
from leaderboard.errors import OutOfService


def revision(session, submission):
    return {"revision": submission.revision, "status": submission.status.value}


def queries(engine):
    """Count the statements an engine carries out from now on."""
    seen = []
    sa.event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    return seen


def test_a_hundred_streams_cost_one_query_a_look(site):
    found = site.submission(site.hand_in("ann", predictions_csv(site.folder)))
    watcher = events.Watcher(site.state.database, limit=200)
    ended = []

    def watch():
        watcher.enter(found.id)
        ended.append(list(events.stream(watcher, found.id, revision))[-1])
        watcher.leave(found.id)

    threads = [threading.Thread(target=watch) for _ in range(100)]
    for thread in threads:
        thread.start()
    while watcher.open_streams < 100:
        time.sleep(0.01)
    time.sleep(0.5)  # every stream has sent its first event
    asked = queries(site.state.database.engine)
    time.sleep(1.0)
    looks = [each for each in asked if "submission.revision" in each]
    assert 0 < len(looks) <= 10
    site.score(found.public_id)
    for thread in threads:
        thread.join(30)
    assert len(ended) == 100
    assert all('"status": "finished"' in each for each in ended)
    assert watcher.open_streams == 0


def test_no_more_streams_than_the_limit(site):
    watcher = events.Watcher(site.state.database, limit=2)
    watcher.enter(1)
    watcher.enter(1)
    with pytest.raises(OutOfService):
        watcher.enter(2)
    watcher.leave(1)
    watcher.enter(2)
    watcher.leave(1)
    watcher.leave(2)


def test_the_looking_ends_with_the_last_stream_and_starts_again(site):
    found = site.submission(site.hand_in("ann", predictions_csv(site.folder)))
    watcher = events.Watcher(site.state.database, limit=2)
    for _ in range(2):
        watcher.enter(found.id)
        stream = events.stream(watcher, found.id, revision)
        assert "queued" in next(stream)
        watcher.leave(found.id)
        while any(thread.name == "events" for thread in threading.enumerate()):
            time.sleep(0.01)
