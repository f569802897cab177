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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, EnqueueOptions
from sqlalchemy.orm import Session

from leaderboard import catalog
from leaderboard.db import FrugalConnection, insert_whole
from leaderboard.models import Assignment, Cause, Kind, Lane, Submission, SubmissionStatus
from leaderboard.recent import recently

_APPLICATION = "leaderboard"
# fixed, or work queued by one release would wait for ever after an upgrade to the next
_APPLICATION_VERSION = "1"
_EVALUATE = "evaluate"
_RESCORE = "rescore"
_NIGHTLY = "nightly_rerun"
_NIGHTLY_QUEUE = "nightly"
_CLASS_SIZE = 500_000_000  # tags of one class of work; four classes fit DBOS's 31 bits
_STEPS = 8  # of two with one tag the one goes first whose team has less waiting
_LOOK_AHEAD = 500
_WAITING = (SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)
_ENDED = frozenset({"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
# how often a process may die over one evaluation before it is our fault, not bad luck
_MAX_RECOVERIES = 5
_RESCORE_RECOVERIES = 1000  # each goes on where the one before was
CSV_AT_ONCE = 4  # for each code run that a worker may run beside others
_NEWEST = 300  # submissions that an estimate is made from
_ESTIMATE_SECONDS = 2.0  # so old it may be: in a rush every hand-in would ask anew

# The statements are made once: putting one together takes longer than asking it.
_SAME_CLASS = (
    Submission.lane == sa.bindparam("lane", type_=Submission.lane.type),
    Submission.priority >= sa.bindparam("low"),
    Submission.priority < sa.bindparam("high"),
    Submission.id != sa.bindparam("itself"),
)
_OWN = (Submission.team_id == sa.bindparam("team"), Submission.status.in_(_WAITING))
# looked for among those that go next, so that it costs no more in a long queue than in a short one
_NEXT_ONES = (
    sa.select(Submission.team_id, Submission.assignment_id)
    .where(Submission.status == SubmissionStatus.QUEUED, *_SAME_CLASS)
    .order_by(Submission.priority)
    .limit(_LOOK_AHEAD)
    .subquery()
)
# the largest tag that is served, the smallest that waits, the team's own last, how many of its own,
# and how many other teams of the course wait
_ABOUT_TAGS = sa.select(
    sa.select(sa.func.max(Submission.priority))
    .where(Submission.status == SubmissionStatus.RUNNING, *_SAME_CLASS)
    .scalar_subquery(),
    sa.select(sa.func.min(Submission.priority))
    .where(Submission.status == SubmissionStatus.QUEUED, *_SAME_CLASS)
    .scalar_subquery(),
    sa.select(sa.func.max(Submission.priority)).where(*_OWN, *_SAME_CLASS).scalar_subquery(),
    sa.select(sa.func.count()).where(*_OWN, *_SAME_CLASS).scalar_subquery(),
    sa.select(sa.func.count(sa.distinct(_NEXT_ONES.c.team_id)))
    .join(Assignment, Assignment.id == _NEXT_ONES.c.assignment_id)
    .where(
        Assignment.course_id == sa.bindparam("course"),
        _NEXT_ONES.c.team_id != sa.bindparam("team"),
    )
    .scalar_subquery(),
)
_BEFORE = (
    sa.select(sa.func.count())
    .select_from(Submission)
    .where(
        Submission.status == SubmissionStatus.QUEUED,
        Submission.lane == sa.bindparam("lane", type_=Submission.lane.type),
        sa.or_(
            Submission.priority < sa.bindparam("priority"),
            sa.and_(
                Submission.priority == sa.bindparam("priority"),
                Submission.id < sa.bindparam("itself"),
            ),
        ),
    )
)
_NEWEST_ONES = sa.select(Submission.id).order_by(Submission.id.desc()).limit(_NEWEST).subquery()
_DURATIONS = (
    sa.select(Submission.started_at, Submission.finished_at)
    .join(_NEWEST_ONES, _NEWEST_ONES.c.id == Submission.id)
    .where(
        Submission.assignment_id == sa.bindparam("assignment"),
        Submission.kind == sa.bindparam("kind", type_=Submission.kind.type),
        Submission.status == SubmissionStatus.FINISHED,
        Submission.started_at.is_not(None),
    )
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One attempt at one evaluation of one submission."""

    submission_id: int
    number: int
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a queued submission stands: 1 is next. `eta_seconds` is None where nothing is known."""

    place: int
    eta_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Health:
    """What waits and what runs, and since when the longest wait lasts."""

    queued: int
    running: int
    oldest_queued_at: datetime | None


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
        self, session: Session, submission: Submission, cause: Cause, *, delay_seconds: float = 0
    ) -> None:
        """Queue the evaluation `submission.evaluation_number`, in the caller's write transaction.

        Sets the status, and inserts a submission that is new. The work becomes visible to workers
        when the transaction commits.
        """
        submission.status = SubmissionStatus.QUEUED
        submission.phase = ""
        submission.evaluation_cause = cause
        submission.claimed_by = None
        submission.started_at = None
        submission.revision = (submission.revision or 0) + 1
        submission.failed_attempts = submission.failed_attempts or 0
        submission.lane = lane_of(submission.assignment, submission.kind, cause)
        submission.priority = _tag(session, submission, cause)
        if sa.inspect(submission).transient:
            insert_whole(session, submission)
        else:
            session.flush()
        options: EnqueueOptions = {
            "workflow_name": _EVALUATE,
            "queue_name": submission.lane.value,
            "workflow_id": _workflow_id(submission),
            "priority": submission.priority,
        }
        if delay_seconds > 0:
            options["delay_seconds"] = delay_seconds
        self._dbos().enqueue_in_transaction(
            session,
            options,
            submission.id,
            submission.evaluation_number,
            submission.failed_attempts,
        )

    def enqueue_rescore(self, session: Session, rescore_id: int) -> None:
        """Queue the rescore of a whole assignment, in the caller's write transaction."""
        options: EnqueueOptions = {
            "workflow_name": _RESCORE,
            "queue_name": _RESCORE,
            "workflow_id": f"{_RESCORE}.{rescore_id}",
        }
        self._dbos().enqueue_in_transaction(session, options, rescore_id)

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
        held = self._dbos().list_workflows(
            status="PENDING", executor_id=executor_id, load_input=False, load_output=False
        )
        by_queue: dict[str | None, list[str]] = {}
        for each in held:
            by_queue.setdefault(each.queue_name, []).append(each.workflow_id)
        for name, ids in by_queue.items():
            self._dbos().resume_workflows(ids, queue_name=name)
        return len(held)

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
            next_at=croniter(cron, datetime.now(UTC)).get_next(datetime),
            last_at=datetime.fromisoformat(last) if last else None,
        )

    def check(self) -> None:
        """Raises if the queue's tables cannot be reached."""
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


def lane_of(assignment: Assignment, kind: Kind, cause: Cause = Cause.HAND_IN) -> Lane:
    """Which queue an evaluation waits in. A rescore reads stored predictions: any worker can."""
    if kind is Kind.CSV or cause is Cause.RESCORE:
        return Lane.CSV
    return Lane.GPU if catalog.rules(assignment).limits.gpu_memory_mb > 0 else Lane.CODE


def position(session: Session, submission: Submission, *, capacity: int = 1) -> Place | None:
    """The place of a queued submission; None once it is running or finished. Reads only.

    `eta_seconds` is until its end: what is before it and itself, at the median duration of the
    assignment's last evaluations of this kind, shared by `capacity` evaluations at once.
    """
    if submission.status is not SubmissionStatus.QUEUED:
        return None
    itself = {
        "lane": submission.lane,
        "priority": submission.priority,
        "itself": submission.id,
    }
    before = session.scalar(_BEFORE, itself)
    place = (before or 0) + 1
    median = _median_seconds(session, submission)
    if median is None:
        return Place(place=place, eta_seconds=None)
    rounds = -(-place // max(1, capacity))
    return Place(place=place, eta_seconds=round(rounds * median, 1))


def health(session: Session) -> Health:
    """What waits and what runs."""
    counted = dict(
        session.execute(
            sa.select(Submission.status, sa.func.count())
            .where(Submission.status.in_(_WAITING))
            .group_by(Submission.status)
        ).all()
    )
    oldest = session.scalar(
        sa.select(sa.func.min(Submission.accepted_at)).where(
            Submission.status == SubmissionStatus.QUEUED
        )
    )
    return Health(
        queued=counted.get(SubmissionStatus.QUEUED, 0),
        running=counted.get(SubmissionStatus.RUNNING, 0),
        oldest_queued_at=oldest,
    )


def _engine_options(database_url: str) -> dict[str, Any]:
    """As of our own engine (db.py)."""
    lifo = {"pool_use_lifo": True}
    if not database_url.startswith("sqlite"):
        return lifo
    return {**lifo, "connect_args": {"factory": FrugalConnection}}


def _workflow_id(submission: Submission) -> str:
    return f"{submission.public_id}.{submission.evaluation_number}.{submission.failed_attempts}"


def _tag(session: Session, submission: Submission, cause: Cause) -> int:
    """The fair-share tag: hand-ins, their retries, rejudges, baselines; within, as above."""
    base = 1 + _CLASS_SIZE * _class_of(submission, cause)
    running, queued, own, own_count, teams = session.execute(
        _ABOUT_TAGS,
        {
            "lane": submission.lane,
            "low": base,
            "high": base + _CLASS_SIZE,
            "itself": submission.id or 0,
            "team": submission.team.id,
            "course": submission.assignment.course_id,
        },
    ).one()
    serving = ((running or queued or base) - base) // _STEPS
    first = serving + teams
    slot = max(first, (own - base) // _STEPS + 1) if own else first
    return base + min(slot * _STEPS + min(own_count, _STEPS - 1), _CLASS_SIZE - 1)


def _class_of(submission: Submission, cause: Cause) -> int:
    if submission.team.is_baseline:
        return 3
    return {Cause.HAND_IN: 0, Cause.RETRY: 1}.get(cause, 2)


def _median_seconds(session: Session, submission: Submission) -> float | None:
    """The median duration of the last like evaluations, looked for among the newest only."""
    like = {"assignment": submission.assignment_id, "kind": submission.kind}

    def ask() -> float | None:
        found = session.execute(_DURATIONS, like).all()
        seconds = sorted((end - start).total_seconds() for start, end in found if start and end)
        return seconds[len(seconds) // 2] if seconds else None

    return recently(session, ("median", *like.values()), ask, seconds=_ESTIMATE_SECONDS)


def _quiet() -> None:
    """DBOS logs each start at INFO to the console; an operator wants its warnings only."""
    logging.getLogger("dbos").setLevel(logging.WARNING)


class _Handlers:
    """What the two workflows call. DBOS wants them at module level, the worker brings these."""

    evaluate: Callable[[Job], None]
    rescore: Callable[[int], None]
    nightly: Callable[[datetime], None]


_handlers = _Handlers()


@DBOS.workflow(name=_EVALUATE, max_recovery_attempts=_MAX_RECOVERIES)
def _evaluate(submission_id: int, number: int, attempt: int) -> None:
    _handlers.evaluate(Job(submission_id=submission_id, number=number, attempt=attempt))


@DBOS.workflow(name=_RESCORE, max_recovery_attempts=_RESCORE_RECOVERIES)
def _rescore(rescore_id: int) -> None:
    _handlers.rescore(rescore_id)


@DBOS.workflow(name=_NIGHTLY)
def _nightly_rerun(scheduled_at: datetime, context: Any) -> None:
    _handlers.nightly(scheduled_at)
