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
from sqlalchemy.orm import Session

from leaderboard.agents.remote import Agents
from leaderboard.boards import movement
from leaderboard.clock import CLOCK
from leaderboard.config import Settings
from leaderboard.db import outlast, utcnow
from leaderboard.evaluations import evaluate, heat, nightly, publishing, rescoring
from leaderboard.messages import mail, notifications
from leaderboard.models import Lane, Submission, SubmissionStatus
from leaderboard.models.versions import code_version
from leaderboard.operations import audit_heads, privacy, retention
from leaderboard.operations.monitoring import telling
from leaderboard.queue import workers
from leaderboard.queue.durable import Job, WorkerQueue
from leaderboard.state import open_state
from sandbox import Sandbox, SandboxUnavailable, environment_refusal, get_runner

log = logging.getLogger(__name__)

_DRAIN_SECONDS = 10
_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")
# work younger than this may be in a transaction that is just being committed
_SETTLED_SECONDS = 10
_SWEEP_BATCH = 200
_CLOCK_NEWS_SECONDS = 1.0
_LOOK_UP_SECONDS = 1.0
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

    Raises:
        NameTaken: another worker of this name runs on this machine.
        ValueError: the name is unfit.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("a worker's name is 1 to 32 of A-Z a-z 0-9 . _ -")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with _only_one(settings, name):
        _Worker(settings, name, stop).run()


class _Worker:
    """One start of a worker process."""

    def __init__(self, settings: Settings, name: str, stop: threading.Event) -> None:
        """Begin nothing yet; `stop` is set when the process is asked to end."""
        self._settings = settings
        self._stop = stop
        self._state = open_state(settings)
        self._executor_id = f"{socket.gethostname()[:60]}:{name}"
        self._incarnation = f"{name}:{os.getpid()}:{secrets.token_hex(6)}"
        self._runner, facts = self._choose_runner()
        able = tuple(Lane) if isinstance(self._runner, Agents) else _lanes(facts)
        self._lanes = settings.worker_lanes or able
        self._facts = {
            "lanes": [lane.value for lane in self._lanes],
            **facts,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "version": code_version(),
        }
        self._vigil = workers.Vigil(settings.dead_after_seconds)
        self._clock_ahead = 0.0
        self._warm = 0
        self._alarms = telling.Alarms(self._state)
        self._me = evaluate.Worker(
            incarnation=self._incarnation,
            runner=self._runner,
            refusal=self._refused,
            stopping=stop,
        )
        self._stray: frozenset[str] = frozenset()
        self._refusal = ""  # why runs wait that failed

    def _choose_runner(self) -> tuple[Sandbox | Agents | None, dict[str, Any]]:
        """What runs code for this worker, and what it says of that."""
        settings = self._settings
        if settings.code_runs_on == "workers":
            return _find_runner(settings)
        silent = settings.run_logs == "hidden"
        agents = Agents(self._state.database, silent=silent, stopping=self._stop)
        return agents, _facts_of(agents.lanes())

    def run(self) -> None:
        settings, stop = self._settings, self._stop
        queue = WorkerQueue(
            database_url=settings.database_url,
            executor_id=self._executor_id,
            lanes=self._lanes,
            concurrency=settings.worker_concurrency,
            poll_seconds=settings.worker_poll_seconds,
            evaluate=self._evaluate,
            rescore=lambda rescore_id: rescoring.carry_on(self._state, rescore_id),
            heat=self._explain,
            nightly=lambda scheduled_at: nightly.run(self._state, scheduled_at),
            nightly_cron=settings.nightly_cron if settings.nightly_command else "",
        )
        outlast(self._announce)
        queue.launch()
        for task, seconds in (
            (self._beat, settings.heartbeat_seconds),
            (self._look_at_runner, settings.heartbeat_seconds),
            (self._look_at_agents, settings.heartbeat_seconds),
            (self._bury, max(settings.heartbeat_seconds, settings.dead_after_seconds / 3)),
            (self._take_up_stray, max(settings.heartbeat_seconds, settings.dead_after_seconds)),
            (self._sweep, max(settings.heartbeat_seconds, settings.dead_after_seconds)),
            (self._send_mail, _MAIL_SECONDS),
            (self._remind, _REMIND_SECONDS),
            (self._keep_ranks, _REMIND_SECONDS),
            (self._alarms.look, _REMIND_SECONDS),
            (self._tidy, _TIDY_SECONDS),
            (self._erase, _TIDY_SECONDS),
        ):
            threading.Thread(target=_every, args=(seconds, stop, task), daemon=True).start()
        log.info("worker %s takes work (%s)", self._executor_id, self._facts)
        if not settings.sends_mail:
            log.info("no mail is sent: no mail server is set (smtp_url)")
        # a signal that another thread took is heard when this one looks up
        while not stop.wait(_LOOK_UP_SECONDS):
            pass
        log.info("worker %s stops", self._executor_id)
        queue.drain(_DRAIN_SECONDS)
        self._end()

    def _end(self) -> None:
        """Hand on what still runs, so that others take it at once, and say goodbye."""
        with self._state.database.write() as session:
            left = evaluate.hand_over(session, incarnation=self._incarnation)
            workers.stop(session, incarnation=self._incarnation, now=utcnow())
        if left:
            log.info("worker %s hands on %d evaluations", self._executor_id, left)
            self._state.queue.take_over(self._executor_id)
        if isinstance(self._runner, Sandbox):
            self._runner.close()
        self._state.close()
        if left:
            logging.shutdown()
            os._exit(0)  # threads that wait for their closed sandboxes would hold up the end

    def _evaluate(self, job: Job) -> None:
        evaluate.evaluate(self._state, self._me, job)

    def _explain(self, heat_id: int) -> None:
        runner = self._runner if isinstance(self._runner, Sandbox) else None
        heat.make(self._state, runner, heat_id, self._me.quiet.side_by_side())

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
            self._note_clock(session)
            self._note_warm(session)
        if not known:
            log.error("another process runs under the name of %s", self._executor_id)

    def _refused(self) -> str:
        """Why a run that failed waits: its runner environment is away, or being built anew."""
        if not isinstance(self._runner, Agents):
            self._refusal = self._refusal or environment_refusal(self._settings.runner_env)
        return self._refusal

    def _look_at_agents(self) -> None:
        """Have the pages and the door know what agents there are run, when that has changed."""
        if not isinstance(self._runner, Agents):
            return
        facts = _facts_of(self._runner.lanes())
        if facts.items() <= self._facts.items():
            return
        with self._state.database.write() as session:
            workers.note_sandbox(session, incarnation=self._incarnation, facts=facts)
        self._facts |= facts

    def _look_at_runner(self) -> None:
        """While runs wait for their environment, have the pages and the door know; then undo it."""
        if not self._refusal:
            return
        reason = environment_refusal(self._settings.runner_env)
        shut = {"sandbox": "", "sandbox_reason": reason, "lanes": [Lane.CSV.value]}
        facts = shut if reason else {"sandbox_reason": "", **self._facts}
        with self._state.database.write() as session:
            workers.note_sandbox(session, incarnation=self._incarnation, facts=facts)
        self._refusal = reason

    def _note_clock(self, session: Session) -> None:
        """Say how wrong this machine's clock is, when that is news."""
        ahead = CLOCK.ahead_seconds()
        if abs(ahead - self._clock_ahead) > _CLOCK_NEWS_SECONDS:
            workers.note_clock(session, incarnation=self._incarnation, ahead_seconds=ahead)
            log.warning("this machine's clock minus the database's is %.1f s", ahead)
            self._clock_ahead = ahead

    def _note_warm(self, session: Session) -> None:
        """Say how many sandboxes are ready, when that has changed."""
        ready = self._runner.ready if isinstance(self._runner, Sandbox) else 0
        if ready != self._warm:
            workers.note_warm(session, incarnation=self._incarnation, count=ready)
            self._warm = ready

    def _bury(self) -> None:
        """Hand on what dead workers left. Two workers may do it at once: claims decide."""
        with self._state.database.reading() as session:
            dead = self._vigil.dead(session)
        for executor_id in dead:
            if executor_id == self._executor_id:
                continue
            taken = self._state.queue.take_over(executor_id)
            if taken:
                log.warning("took over %d evaluations of the dead worker %s", taken, executor_id)
        with self._state.database.write() as session:
            # nobody else: what others left unfinished is still found by their name
            workers.forget(session, dead, before=_ago(_FORGET_SECONDS))

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

    def _erase(self) -> None:
        """Erase who had to wait for it, once nothing is in the way."""
        with self._state.database.session() as session:
            if count := privacy.erase_due(session, self._state):
                log.info("%d people were erased who had to wait for it", count)

    def _take_up_stray(self) -> None:
        """Put back what this worker had taken a look ago, and has not begun."""
        queue = self._state.queue
        if again := queue.put_back_stray(self._executor_id, self._stray):
            log.warning("%d evaluations were taken and never begun; they are queued again", again)
        self._stray = queue.stray(self._executor_id)

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
            settings.sandbox_backend or None,
            settings.runner_env,
            warm=settings.warm_sandboxes,
            hold_files=settings.hold_runner_files == "yes",
            silent=settings.run_logs == "hidden",
        )
    except SandboxUnavailable as error:
        log.warning("no code submissions: %s", error)
        return None, {"sandbox": "", "sandbox_reason": str(error)}
    described = runner.describe()
    return runner, {"sandbox": described.get("backend", "yes"), "sandbox_facts": described}


def _facts_of(lanes: tuple[Lane, ...]) -> dict[str, Any]:
    """What a worker says whose runs agents take, of these lanes together."""
    return {
        "sandbox": "agents" if lanes else "",
        "sandbox_reason": "" if lanes else "no agent is there (leaderboard agents list)",
        "lanes": [lane.value for lane in (Lane.CSV, *lanes)],
    }


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
