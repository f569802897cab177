"""The durable queue; the only file that knows DBOS.

What is queued is a submission's evaluation, under the id `<submission>.<number>.<attempt>`: whoever
runs it twice, publishes once (evaluations.py). DBOS keeps its tables beside ours, in the same
SQLite file or in the schema `dbos` of the same PostgreSQL database, so that a hand-in is accepted
and queued in one transaction.

Fair share: each team's waiting work is tagged in the way of start-time fair queueing (Goyal, Vin &
Cheng 1996): the next one after the team's own last, or after what is being served and, within a
course, after the other teams that wait. The smallest tag goes first, so a flood delays its own team
only, a course's crowd its own course only, and a place in the queue is a plain count.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, EnqueueOptions
from sqlalchemy.orm import Session

from leaderboard.clock import CLOCK
from leaderboard.db import FrugalConnection, insert_whole, utcnow
from leaderboard.models import Cause, Lane, Submission, SubmissionStatus, guarding
from leaderboard.queue import fair_share

_APPLICATION = "leaderboard"
# fixed, or work queued by one release would wait for ever after an upgrade to the next
_APPLICATION_VERSION = "1"
_EVALUATE = "evaluate"
_RESCORE = "rescore"
_HEAT = "heat"
_NIGHTLY = "nightly_rerun"
_NIGHTLY_QUEUE = "nightly"
_ENDED = frozenset({"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
# how often a process may die over one evaluation before it is our fault, not bad luck
_MAX_RECOVERIES = 5
_RESCORE_RECOVERIES = 1000  # each goes on where the one before was
CSV_AT_ONCE = 4  # for each code run that a worker may run beside others


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """Where the predictions lie that the door read from a file, for the rows expected then."""

    content_sha256: str
    rows_sha256: str
    predictions_sha256: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """One attempt at one evaluation of one submission."""

    submission_id: int
    number: int
    attempt: int
    parsed: Parsed | None = None


@dataclass(frozen=True, kw_only=True)
class NightlySchedule:
    """When the baselines are handed in again."""

    cron: str
    next_at: datetime
    last_at: datetime | None


class Queue:
    """The queue as web processes and commands use it; connects at its first use."""

    def __init__(self, database_url: str, *, engine: sa.Engine | None = None) -> None:
        """`engine` is that of the callers' transactions, where DBOS may use it too (not on SQLite,
        where ours begin in a way of their own): then it has its statements ready for them."""
        self._url = database_url
        self._engine = engine
        self._lock = threading.Lock()
        self._client: DBOSClient | None = None

    def migrate(self) -> None:
        """Create or upgrade the queue's own tables. Repeatable."""
        _quiet()
        DBOS.migrate(self._url)

    def enqueue(
        self,
        session: Session,
        submission: Submission,
        cause: Cause,
        *,
        delay_seconds: float = 0,
        parsed: Parsed | None = None,
        neighbours: fair_share.Neighbours | None = None,
    ) -> None:
        """Queue the evaluation `submission.evaluation_number`, in the caller's write transaction.

        Sets the status, and inserts a submission that is new. The work becomes visible to workers
        when the transaction commits. `neighbours` is for whoever has asked for them already.
        """
        submission.status = SubmissionStatus.QUEUED
        submission.phase = ""
        submission.evaluation_cause = cause
        submission.claimed_by = None
        submission.started_at = None
        submission.revision = (submission.revision or 0) + 1
        submission.failed_attempts = submission.failed_attempts or 0
        lane = fair_share.lane_of(submission.assignment, submission.kind, cause)
        submission.lane = lane
        beside = neighbours or fair_share.find_neighbours(session, submission, lane, cause)
        submission.priority = fair_share.tag_of(submission.team, cause, beside)
        if sa.inspect(submission).transient:
            insert_whole(session, submission)
            guarding.touch_object(session, submission)
        else:
            session.flush()
        self._queue_evaluation(session, submission, delay_seconds, parsed)

    def put_back(self, session: Session, submission: Submission) -> None:
        """Queue once more what waits and the queue lost, at its old place, in the caller's write
        transaction."""
        self._queue_evaluation(session, submission)

    def put_first(self, session: Session, submission: Submission) -> None:
        """Queue what waits before everything else in its lane, in the caller's write transaction.

        Work that is queued keeps its tag, so it is queued anew under the next number: whoever takes
        the earlier one finds it out of date.
        """
        submission.evaluation_number += 1
        submission.priority = fair_share.FIRST
        submission.revision += 1
        session.flush()
        self._queue_evaluation(session, submission)

    def _queue_evaluation(
        self,
        session: Session,
        submission: Submission,
        delay_seconds: float = 0,
        parsed: Parsed | None = None,
    ) -> None:
        if submission.lane is None:
            raise ValueError(f"submission {submission.public_id} has no lane: it was never queued")
        options: EnqueueOptions = {
            "workflow_name": _EVALUATE,
            "queue_name": submission.lane.value,
            "workflow_id": _workflow_id(submission),
        }
        if submission.priority != fair_share.FIRST:  # which is DBOS's for what names none
            options["priority"] = submission.priority
        if delay_seconds > 0:
            # DBOS adds it to this machine's time, and waits for it by the database's
            options["delay_seconds"] = delay_seconds - CLOCK.ahead_seconds()
        self._dbos().enqueue_in_transaction(
            session,
            options,
            submission.id,
            submission.evaluation_number,
            submission.failed_attempts,
            *([asdict(parsed)] if parsed else []),
        )

    def enqueue_rescore(self, session: Session, rescore_id: int) -> None:
        """Queue the rescore of a whole assignment, in the caller's write transaction."""
        options: EnqueueOptions = {
            "workflow_name": _RESCORE,
            "queue_name": _RESCORE,
            "workflow_id": f"{_RESCORE}.{rescore_id}",
        }
        self._dbos().enqueue_in_transaction(session, options, rescore_id)

    def enqueue_heat(self, session: Session, submission: Submission, heat_id: int) -> None:
        """Queue a run that explains behind all else in its lane, in the caller's write
        transaction."""
        lane = fair_share.lane_of(submission.assignment, submission.kind)
        options: EnqueueOptions = {
            "workflow_name": _HEAT,
            "queue_name": lane.value,
            "workflow_id": f"{_HEAT}.{heat_id}",
            "priority": fair_share.LAST,
        }
        self._dbos().enqueue_in_transaction(session, options, heat_id)

    def lost(self, submissions: Sequence[Submission]) -> list[Submission]:
        """Those that wait for work that will never come: it ended, or is not there."""
        if not submissions:
            return []
        ids = {_workflow_id(submission): submission for submission in submissions}
        found = self._dbos().list_workflows(
            workflow_ids=list(ids), load_input=False, load_output=False
        )
        alive = {each.workflow_id for each in found if each.status not in _ENDED}
        return [submission for name, submission in ids.items() if name not in alive]

    def take_over(self, executor_id: str) -> int:
        """Put a dead worker's unfinished work back into its queues; how much it was."""
        held = self._held(executor_id)
        self._resume(held)
        return len(held)

    def stray(self, executor_id: str) -> frozenset[str]:
        """What a living worker, this process, took from a queue and does not work on.

        A disk that was full for a moment leaves such: taken, and never begun.
        """
        return frozenset(self._held(executor_id)) - frozenset(_running)

    def put_back_stray(self, executor_id: str, stray: Collection[str]) -> int:
        """Put those of them back into their queues that are stray still; how many."""
        held = self._held(executor_id)
        found = {name: held[name] for name in stray if name in held and name not in _running}
        self._resume(found)
        return len(found)

    def _held(self, executor_id: str) -> dict[str, str | None]:
        """What a worker has taken and not ended, each with its queue."""
        held = self._dbos().list_workflows(
            status="PENDING", executor_id=executor_id, load_input=False, load_output=False
        )
        return {each.workflow_id: each.queue_name for each in held}

    def _resume(self, held: Mapping[str, str | None]) -> None:
        by_queue: dict[str | None, list[str]] = {}
        for workflow_id, queue_name in held.items():
            by_queue.setdefault(queue_name, []).append(workflow_id)
        for name, ids in by_queue.items():
            self._dbos().resume_workflows(ids, queue_name=name)

    def nightly_schedule(self) -> NightlySchedule | None:
        """The nightly rerun as the queue has it, or None if it is switched off."""
        from croniter import croniter

        found = self._dbos().get_schedule(_NIGHTLY)
        if found is None or found["status"] != "ACTIVE":
            return None
        cron = found["schedule"]
        last = found["last_fired_at"]
        return NightlySchedule(
            cron=cron,
            next_at=croniter(cron, utcnow()).get_next(datetime),
            last_at=datetime.fromisoformat(last) if last else None,
        )

    def check(self) -> None:
        """Ask whether the queue's tables can be reached.

        Raises:
            Exception: the database's own, where they can't be.
        """
        self._dbos().check_connection()

    def close(self) -> None:
        if self._client is not None:
            self._client.destroy()
            self._client = None

    def _dbos(self) -> DBOSClient:
        with self._lock:
            if self._client is None:
                _quiet()
                self._client = DBOSClient(
                    system_database_url=self._url,
                    system_database_engine=self._engine,
                    application_name=_APPLICATION,
                    lazy=True,
                    # a request answers 503 at once instead of hanging while the database is away
                    retry_connection_errors=False,
                )
            return self._client


class WorkerQueue:
    """The queue as a worker process runs it: DBOS itself, launched once a process."""

    def __init__(
        self,
        *,
        database_url: str,
        executor_id: str,
        lanes: Sequence[Lane],
        concurrency: int,
        poll_seconds: float,
        evaluate: Callable[[Job], None],
        rescore: Callable[[int], None],
        heat: Callable[[int], None],
        nightly: Callable[[datetime], None],
        nightly_cron: str,
    ) -> None:
        self._url = database_url
        self._lanes = lanes
        self._concurrency = concurrency
        self._poll_seconds = poll_seconds
        self._nightly_cron = nightly_cron
        _quiet()
        _handlers.evaluate = evaluate
        _handlers.rescore = rescore
        _handlers.heat = heat
        _handlers.nightly = nightly
        DBOS(
            config={
                "name": _APPLICATION,
                "system_database_url": database_url,
                "application_version": _APPLICATION_VERSION,
                "executor_id": executor_id,
                "run_migrations": False,
                "db_engine_kwargs": _engine_options(database_url),
                "notification_listener_polling_interval_sec": 1.0,
                "scheduler_polling_interval_sec": 5.0,
                "enable_otlp": False,
                "log_level": "WARNING",
            }
        )

    def launch(self) -> None:
        """Take up what this executor left unfinished, then new work, on threads of its own."""
        # before the launch: DBOS looks for new queues once a second only
        client = DBOSClient(system_database_url=self._url, application_name=_APPLICATION)
        # a CSV takes milliseconds, so several are taken at each look; a code run takes seconds, and
        # looking for the next one less often lowers the idle load
        for lane in Lane:
            is_csv = lane is Lane.CSV
            client.register_queue(
                lane.value,
                worker_concurrency=self._concurrency * (CSV_AT_ONCE if is_csv else 1),
                polling_interval_sec=self._poll_seconds * (1 if is_csv else 2),
            )
        client.register_queue(_RESCORE, worker_concurrency=1, polling_interval_sec=1.0)
        client.register_queue(_NIGHTLY_QUEUE, global_concurrency=1, polling_interval_sec=1.0)
        client.destroy()
        DBOS.listen_queues([*(lane.value for lane in self._lanes), _RESCORE, _NIGHTLY_QUEUE])
        DBOS.launch()
        if self._nightly_cron:
            DBOS.apply_schedules(
                [
                    {
                        "schedule_name": _NIGHTLY,
                        "workflow_fn": _nightly_rerun,
                        "schedule": self._nightly_cron,
                        "context": None,
                        "queue_name": _NIGHTLY_QUEUE,
                    }
                ]
            )
        elif DBOS.get_schedule(_NIGHTLY) is not None:
            DBOS.delete_schedule(_NIGHTLY)

    def drain(self, seconds: int) -> None:
        """Take no more work, and give what runs a while to end; the rest is resumed later."""
        DBOS.destroy(workflow_completion_timeout_sec=seconds)


def _engine_options(database_url: str) -> dict[str, Any]:
    """As of our own engine (db.py)."""
    lifo = {"pool_use_lifo": True}
    if not database_url.startswith("sqlite"):
        return lifo
    return {**lifo, "connect_args": {"factory": FrugalConnection}}


def _workflow_id(submission: Submission) -> str:
    return f"{submission.public_id}.{submission.evaluation_number}.{submission.failed_attempts}"


def _quiet() -> None:
    """DBOS logs each start at INFO to the console; an operator wants its warnings only."""
    logging.getLogger("dbos").setLevel(logging.WARNING)


class _Handlers:
    """What the workflows call. DBOS wants them at module level, the worker brings these."""

    evaluate: Callable[[Job], None]
    rescore: Callable[[int], None]
    heat: Callable[[int], None]
    nightly: Callable[[datetime], None]


_handlers = _Handlers()
_running: set[str] = set()  # the workflows that threads of this process are in


@contextmanager
def _noted() -> Iterator[None]:
    """Have it known that this process works on the workflow (Queue.stray)."""
    name = str(DBOS.workflow_id)
    _running.add(name)
    try:
        yield
    finally:
        _running.discard(name)


@DBOS.workflow(name=_EVALUATE, max_recovery_attempts=_MAX_RECOVERIES)
def _evaluate(
    submission_id: int, number: int, attempt: int, parsed: dict[str, str] | None = None
) -> None:
    job = Job(
        submission_id=submission_id,
        number=number,
        attempt=attempt,
        parsed=Parsed(**parsed) if parsed else None,
    )
    with _noted():
        _handlers.evaluate(job)


@DBOS.workflow(name=_RESCORE, max_recovery_attempts=_RESCORE_RECOVERIES)
def _rescore(rescore_id: int) -> None:
    with _noted():
        _handlers.rescore(rescore_id)


@DBOS.workflow(name=_HEAT, max_recovery_attempts=_MAX_RECOVERIES)
def _heat(heat_id: int) -> None:
    with _noted():
        _handlers.heat(heat_id)


@DBOS.workflow(name=_NIGHTLY)
def _nightly_rerun(scheduled_at: datetime, context: Any) -> None:
    with _noted():
        _handlers.nightly(scheduled_at)
