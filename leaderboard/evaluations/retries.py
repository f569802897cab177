"""A first time-out is tried again once, free, when its worker is quiet.

A busy machine can push an honest program over the time limit. So the first TLE of a hidden run is
published at once and stands, and the code is queued again behind every hand-in; the worker that
takes it runs nothing else beside it. Only a score replaces the time-out; whatever else comes is on
record, and the time-out is final.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import grader
from leaderboard.models import Cause, Submission, SubmissionStatus

State = Literal["waiting", "running", "done"]

# how long newcomers may overtake a retry before they wait for it, so that it comes to its turn
_PATIENCE_SECONDS = 600.0


def is_due(cause: Cause, made: grader.Evaluation) -> bool:
    """Whether an evaluation that ended so is tried again."""
    runs_code = cause in (Cause.HAND_IN, Cause.RERUN)
    return runs_code and made.verdict is grader.Verdict.TLE and made.failed_in == "hidden"


def replaces(cause: Cause, verdict: str) -> bool:
    """Whether an evaluation's result takes the place of the present one."""
    return cause is not Cause.RETRY or verdict == grader.Verdict.OK


def state_of(submission: Submission) -> State | None:
    """`waiting`, `running` or `done` where its time-out is or was tried again; else None."""
    if submission.evaluation_cause is not Cause.RETRY:
        return None
    states: dict[SubmissionStatus, State] = {
        SubmissionStatus.QUEUED: "waiting",
        SubmissionStatus.RUNNING: "running",
    }
    return states.get(submission.status, "done")


class Quiet:
    """Lets the code runs of one worker go side by side, and a retry alone.

    CSVs are not counted: they take milliseconds.
    """

    def __init__(self, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._patience = patience_seconds
        self._changed = threading.Condition()
        self._running = 0
        self._alone = False  # a retry runs, or has waited long enough to go next

    @contextmanager
    def side_by_side(self) -> Iterator[None]:
        """Run beside others, once no retry is running."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Run alone, once nothing else runs; newcomers go first, but not for ever."""
        with self._changed:
            self._take_turn()
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()

    def _take_turn(self) -> None:
        patient_until = time.monotonic() + self._patience
        while self._alone or self._running:
            left = patient_until - time.monotonic()
            if left <= 0 and not self._alone:
                break
            self._changed.wait(left if left > 0 else None)
        self._alone = True
        self._changed.wait_for(lambda: not self._running)
