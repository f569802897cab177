"""The worker process: takes evaluations from the queue, shows that it lives, buries the dead.

It never imports torch: student code runs in sandboxes, which bring their own interpreter.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from leaderboard import (
    audit_heads,
    evaluations,
    mail,
    movement,
    nightly,
    notifications,
    publishing,
    rescoring,
    retention,
    workers,
)
from leaderboard.config import Settings
from leaderboard.db import outlast, utcnow
from leaderboard.models import Lane, Submission, SubmissionStatus
from leaderboard.queue import Job, WorkerQueue
from leaderboard.state import open_state
from sandbox import Sandbox, SandboxUnavailable, get_runner

log = logging.getLogger(__name__)

_DRAIN_SECONDS = 10
_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")
# work younger than this may be in a transaction that is just being committed
_SETTLED_SECONDS = 10
_SWEEP_BATCH = 200
_MAIL_SECONDS = 2
_REMIND_SECONDS = 60
_TIDY_SECONDS = 15 * 60
# its work was taken over many times over by then
_FORGET_SECONDS = 7 * 24 * 3600


class NameTaken(Exception):
    """Another worker of this name runs on this machine."""


def run_worker(settings: Settings, *, name: str = "1") -> None:
    """Work until SIGTERM or SIGINT. `name` is the same at every start: by it the worker finds again
    what it left unfinished when it was killed.

    Raises: NameTaken, ValueError for an unfit name.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("a worker's name is 1 to 32 of A-Z a-z 0-9 . _ -")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with _only_one(settings, name):
        _Worker(settings, name).run_until(stop)


class _Worker:
    """One start of a worker process."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._state = open_state(settings)
        self._executor_id = f"{socket.gethostname()[:60]}:{name}"
        self._incarnation = f"{name}:{os.getpid()}:{secrets.token_hex(6)}"
        self._runner, facts = _find_runner(settings)
        self._lanes = settings.worker_lanes or _lanes(facts)
        self._facts = {
            **facts,
            "lanes": [lane.value for lane in self._lanes],
            "pid": os.getpid(),
            "host": socket.gethostname(),
        }
        self._me = evaluations.Worker(incarnation=self._incarnation, runner=self._runner)

    def run_until(self, stop: threading.Event) -> None:
        settings = self._settings
        queue = WorkerQueue(
            database_url=settings.database_url,
            executor_id=self._executor_id,
            lanes=self._lanes,
            concurrency=settings.worker_concurrency,
            poll_seconds=settings.worker_poll_seconds,
            evaluate=self._evaluate,
            rescore=lambda rescore_id: rescoring.carry_on(self._state, rescore_id),
            nightly=lambda scheduled_at: nightly.run(self._state, scheduled_at),
            nightly_cron=settings.nightly_cron if settings.nightly_command else "",
        )
        outlast(self._announce)
        queue.launch()
        for task, seconds in (
            (self._beat, settings.heartbeat_seconds),
            (self._bury, max(settings.heartbeat_seconds, settings.dead_after_seconds / 3)),
            (self._sweep, max(settings.heartbeat_seconds, settings.dead_after_seconds)),
            (self._send_mail, _MAIL_SECONDS),
            (self._remind, _REMIND_SECONDS),
            (self._keep_ranks, _REMIND_SECONDS),
            (self._tidy, _TIDY_SECONDS),
        ):
            threading.Thread(target=_every, args=(seconds, stop, task), daemon=True).start()
        log.info("worker %s takes work (%s)", self._executor_id, self._facts)
        if not settings.sends_mail:
            log.info("no mail is sent: no mail server is set (smtp_url)")
        stop.wait()
        log.info("worker %s stops", self._executor_id)
        queue.drain(_DRAIN_SECONDS)
        self._end()

    def _end(self) -> None:
        """Hand on what still runs, so that others take it at once, and say goodbye."""
        self._me.stopping.set()
        with self._state.database.write() as session:
            left = evaluations.hand_over(session, incarnation=self._incarnation)
            workers.stop(session, incarnation=self._incarnation, now=utcnow())
        if left:
            log.info("worker %s hands on %d evaluations", self._executor_id, left)
            self._state.queue.take_over(self._executor_id)
        if self._runner is not None:
            self._runner.close()
        self._state.close()
        if left:
            logging.shutdown()
            os._exit(0)  # threads that wait for their closed sandboxes would hold up the end

    def _evaluate(self, job: Job) -> None:
        evaluations.evaluate(self._state, self._me, job)

    def _announce(self) -> None:
        with self._state.database.write() as session:
            workers.announce(
                session,
                executor_id=self._executor_id,
                incarnation=self._incarnation,
                concurrency=self._settings.worker_concurrency,
                facts=self._facts,
                now=utcnow(),
            )

    def _beat(self) -> None:
        with self._state.database.write() as session:
            known = workers.beat(session, incarnation=self._incarnation, now=utcnow())
        if not known:
            log.error("another process runs under the name of %s", self._executor_id)

    def _bury(self) -> None:
        """Hand on what dead workers left. Two workers may do it at once: claims decide."""
        with self._state.database.reading() as session:
            dead = workers.dead(
                session, now=utcnow(), dead_after_seconds=self._settings.dead_after_seconds
            )
            ids = [each.executor_id for each in dead if each.executor_id != self._executor_id]
        for executor_id in ids:
            taken = self._state.queue.take_over(executor_id)
            if taken:
                log.warning("took over %d evaluations of the dead worker %s", taken, executor_id)
        with self._state.database.write() as session:
            workers.forget(session, before=_ago(_FORGET_SECONDS))

    def _send_mail(self) -> None:
        mail.send_due(self._state)

    def _remind(self) -> None:
        with self._state.database.session() as session:
            notifications.remind(session, utcnow())

    def _keep_ranks(self) -> None:
        with self._state.database.session() as session:
            movement.keep_ranks(session, utcnow())

    def _tidy(self) -> None:
        with self._state.database.write() as session:
            retention.forget(session, utcnow())
        audit_heads.keep(self._state)

    def _sweep(self) -> None:
        """Find submissions whose work ended without a verdict, and count that as our fault."""
        with self._state.database.reading() as session:
            waiting = session.scalars(
                sa.select(Submission)
                .where(
                    Submission.status.in_((SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)),
                    Submission.accepted_at < _ago(_SETTLED_SECONDS),
                )
                .order_by(Submission.priority, Submission.id)
                .limit(_SWEEP_BATCH)
            ).all()
            lost = [
                Job(
                    submission_id=each.id,
                    number=each.evaluation_number,
                    attempt=each.failed_attempts,
                )
                for each in self._state.queue.lost(waiting)
            ]
        for job in lost:
            # one that was published between the two looks is no longer current
            if publishing.note_fault(self._state, job, "it ended without a verdict"):
                log.error("evaluation %s ended without a verdict", job)


def _find_runner(settings: Settings) -> tuple[Sandbox | None, dict[str, Any]]:
    """What runs code here, and what students are told where nothing does."""
    try:
        runner = get_runner(
            settings.sandbox_backend or None, settings.runner_env, warm=settings.warm_sandboxes
        )
    except SandboxUnavailable as error:
        log.warning("no code submissions: %s", error)
        return None, {"sandbox": "", "sandbox_reason": str(error)}
    described = runner.describe()
    return runner, {"sandbox": described.get("backend", "yes"), "sandbox_facts": described}


def _lanes(facts: dict[str, Any]) -> tuple[Lane, ...]:
    """The queues whose work this machine can do."""
    if not facts["sandbox"]:
        return (Lane.CSV,)
    has_gpu = bool(facts["sandbox_facts"].get("gpu"))
    return (Lane.CSV, Lane.CODE, Lane.GPU) if has_gpu else (Lane.CSV, Lane.CODE)


def _every(seconds: float, stop: threading.Event, task: Callable[[], None]) -> None:
    """Repeat a task until the end; a database that is away for a while is no reason to end."""
    while not stop.wait(seconds):
        try:
            task()
        except (SQLAlchemyError, OSError) as error:
            log.warning("%s: %s", getattr(task, "__name__", task), error)


def _ago(seconds: float) -> datetime:
    return utcnow() - timedelta(seconds=seconds)


@contextmanager
def _only_one(settings: Settings, name: str) -> Iterator[None]:
    """Hold the name on this machine; the kernel lets it go however the process ends."""
    folder = settings.state_dir / "workers"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NameTaken(
                f"a worker named {name!r} runs on this machine; give another --name"
            ) from None
        yield
