"""A worker that is told to stop, with every process it started, blames no student."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from needs import NEEDS_SANDBOX
from small_site import Site, bundle_zip, predictions_csv

import grader
from leaderboard.evaluations import evaluate
from leaderboard.models import Evaluation, SubmissionStatus
from leaderboard.queue.durable import Job

FAST = {
    "LEADERBOARD_HEARTBEAT_SECONDS": "0.5",
    "LEADERBOARD_DEAD_AFTER_SECONDS": "2",
    "LEADERBOARD_RETRY_SECONDS": "0",
    "LEADERBOARD_WARM_SANDBOXES": "0",
}
# fails if its child is ended, as one does that loads data in worker processes
SLEEPS_IN_A_CHILD = """
import os
import time


def in_a_child(seconds, sleep=time.sleep):
    child = os.fork()
    if child == 0:
        sleep(seconds)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("my child was ended")


time.sleep = in_a_child
"""


def tree(root: int) -> list[int]:
    """A process and all below it."""
    found = [root]
    for process in found:
        with suppress(OSError):
            for task in Path(f"/proc/{process}/task").iterdir():
                found += [int(each) for each in (task / "children").read_text().split()]
    return found


def has_a_sleeping_child(worker: subprocess.Popen[bytes]) -> bool:
    """Whether bwrap, the program and the program's child are there."""
    found = 0
    for process in tree(worker.pid):
        with suppress(OSError):
            found += b"sandbox.inside.boot" in Path(f"/proc/{process}/cmdline").read_bytes()
    return found >= 3


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def stop_all(worker: subprocess.Popen[bytes], first: str) -> None:
    """What a service manager does to a control group, in an order that nobody promises."""
    everyone = tree(worker.pid)
    rest = everyone[1:]
    random.Random(1).shuffle(rest)
    for process in [worker.pid, *rest] if first == "worker" else [*rest, worker.pid]:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)


def kill_the_programs(worker: subprocess.Popen[bytes], _: str) -> None:
    """A stop by force: everything dies, the worker last."""
    for process in reversed(tree(worker.pid)):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


MOMENTS = [
    ("sample", stop_all, "programs"),
    ("hidden", kill_the_programs, "programs"),
]


@NEEDS_SANDBOX
@pytest.mark.timeout(300)
def test_a_run_that_was_stopped_again_and_again_ends_once_and_right(site: Site) -> None:
    bundle = bundle_zip(pause=3, break_it=SLEEPS_IN_A_CHILD)
    public_id = site.hand_in("ann", bundle, filename="bundle.zip")

    for phase, stop, first in MOMENTS:  # each time a child of the program is ended as well
        with site.worker(**FAST) as worker:
            site.wait_for(public_id, lambda found, phase=phase: found.phase == phase)
            until(lambda worker=worker: has_a_sleeping_child(worker))
            stop(worker, first)
            worker.wait(40)
            assert site.submission(public_id).status is not SubmissionStatus.FINISHED
    with site.worker(**FAST):
        submission = site.wait(public_id, seconds=90)

    assert (submission.verdict, submission.failed_attempts) == ("OK", 0)
    assert submission.counted
    with site.state.database.reading() as session:
        made = session.scalars(sa.select(Evaluation.verdict)).all()
    assert made == ["OK"]


class Fails:
    """A runner whose programs end as if something beside them had been ended."""

    def __init__(self, when_it_runs) -> None:
        self._when_it_runs = when_it_runs

    def run(self, *_, **__):
        from sandbox.result import JobResult

        self._when_it_runs()
        return JobResult(verdict="RE", detail="The program failed while predicting.")

    def describe(self):
        return {"backend": "test"}


@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_a_failure_just_before_the_worker_hears_of_the_stop_is_not_published(
    site: Site, seconds: float
) -> None:
    """The program's part of a service may hear the signal first."""
    public_id = site.hand_in("ann", bundle_zip(), filename="bundle.zip")
    stopping = threading.Event()
    runner = Fails(threading.Timer(seconds, stopping.set).start)
    worker = evaluate.Worker(incarnation="w", runner=runner, stopping=stopping)
    job = Job(submission_id=site.submission(public_id).id, number=1, attempt=0)

    thread = threading.Thread(target=evaluate.evaluate, args=(site.state, worker, job), daemon=True)
    thread.start()
    thread.join(2)

    assert thread.is_alive()  # it waits for the process to end
    found = site.submission(public_id)
    assert (found.status, found.verdict) == (SubmissionStatus.RUNNING, None)
    with site.state.database.write() as session:
        assert evaluate.hand_over(session, incarnation="w") == 1
    assert site.submission(public_id).failed_attempts == 0


def test_a_failure_of_a_worker_that_goes_on_is_published(site: Site) -> None:
    public_id = site.hand_in("ann", bundle_zip(), filename="bundle.zip")
    worker = evaluate.Worker(incarnation="w", runner=Fails(lambda: None))
    job = Job(submission_id=site.submission(public_id).id, number=1, attempt=0)

    evaluate.evaluate(site.state, worker, job)

    assert site.submission(public_id).verdict == grader.Verdict.RE


def test_a_csv_is_scored_though_its_worker_stops(site: Site) -> None:
    """Nothing that others do to processes can change what a file says."""
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    stopping = threading.Event()
    stopping.set()
    worker = evaluate.Worker(incarnation="w", runner=None, stopping=stopping)
    job = Job(submission_id=site.submission(public_id).id, number=1, attempt=0)

    evaluate.evaluate(site.state, worker, job)

    assert site.submission(public_id).verdict == grader.Verdict.OK
