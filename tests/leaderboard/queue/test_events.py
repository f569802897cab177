"""Live pages: one look at the database serves every stream of a process."""

from __future__ import annotations

import threading
import time

import pytest
import sqlalchemy as sa
from small_site import predictions_csv

from leaderboard.errors import OutOfService, TooManyRequests
from leaderboard.queue import watching


def revision(session, submission):
    return {"revision": submission.revision, "status": submission.status.value}


def queries(engine):
    """Count the statements an engine carries out from now on."""
    seen = []
    sa.event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    return seen


def test_a_hundred_streams_cost_one_query_a_look(site):
    found = site.submission(site.hand_in("ann", predictions_csv(site.folder)))
    watcher = watching.Watcher(site.state.database, limit=200)
    begun, ended = [], []

    def watch(person):
        watcher.enter(found.id, person)
        stream = watching.stream(watcher, found.id, revision)
        begun.append(next(stream))
        ended.append(list(stream)[-1])
        watcher.leave(found.id, person)

    threads = [threading.Thread(target=watch, args=(person,)) for person in range(100)]
    for thread in threads:
        thread.start()
    while len(begun) < 100:
        time.sleep(0.01)
    asked = queries(site.state.database.engine)
    since = time.monotonic()
    time.sleep(1.0)
    while not any("submission.id IN" in each for each in asked):
        time.sleep(0.01)  # a busy machine is slow to look
    seconds = time.monotonic() - since
    looks = [each for each in asked if "submission.revision" in each]
    site.score(found.public_id)
    for thread in threads:
        thread.join(30)
    for_all = [each for each in looks if "submission.id IN" in each]
    assert 0 < len(for_all) <= 2 * seconds / watching._POLL_SECONDS
    # each looks after its place in the queue now and then
    assert len(looks) - len(for_all) <= 100 * (1 + seconds / watching._QUEUE_SECONDS)
    assert len(ended) == 100
    assert all('"status": "finished"' in each for each in ended)
    assert watcher.open_streams == 0


def test_no_more_streams_than_the_limit(site):
    watcher = watching.Watcher(site.state.database, limit=2)
    watcher.enter(1, 1)
    watcher.enter(1, 1)
    with pytest.raises(OutOfService):
        watcher.enter(2, 1)
    watcher.leave(1, 1)
    watcher.enter(2, 1)
    watcher.leave(1, 1)
    watcher.leave(2, 1)


def test_one_person_holds_few_streams_and_leaves_the_rest_to_others(site):
    watcher = watching.Watcher(site.state.database, limit=200)
    for number in range(watching.OF_A_PERSON):
        watcher.enter(number, 1)
    with pytest.raises(TooManyRequests):
        watcher.enter(0, 1)
    watcher.enter(0, 2)
    watcher.leave(0, 1)
    watcher.enter(0, 1)
    watcher.close()
    assert watcher.open_streams == 0


def test_the_looking_ends_with_the_last_stream_and_starts_again(site):
    found = site.submission(site.hand_in("ann", predictions_csv(site.folder)))
    watcher = watching.Watcher(site.state.database, limit=2)
    for _ in range(2):
        watcher.enter(found.id, 1)
        stream = watching.stream(watcher, found.id, revision)
        assert "queued" in next(stream)
        watcher.leave(found.id, 1)
        while any(thread.name == "events" for thread in threading.enumerate()):
            time.sleep(0.01)


def test_a_watcher_that_is_closed_asks_nothing_more(site):
    found = site.submission(site.hand_in("ann", predictions_csv(site.folder)))
    watcher = watching.Watcher(site.state.database, limit=2)
    watcher.enter(found.id, 1)
    asked = queries(site.state.database.engine)

    watcher.close()
    del asked[:]
    time.sleep(3 * watching._POLL_SECONDS)

    assert asked == []
    assert watcher.open_streams == 0
