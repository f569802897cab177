"""The runner of a worker whose runs are elsewhere: it offers each to the agents and waits.

To whoever evaluates it is a runner as any other. Bundle and images are not sent from here: the
agent that takes the run fetches both from the server, by the hashes that the job names.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError

import grader
from grader.evaluation import pixels_sha256
from leaderboard.agents import registry, runs
from leaderboard.db import Database, changed_rows, outlast, utcnow
from leaderboard.models import Agent, AgentRun, Lane, Submission
from leaderboard.queue import fair_share
from sandbox import Job, JobResult, Limits
from sandbox.job import plain

_LOOK_SECONDS: Final = 0.1
_WANTED: Final = timedelta(seconds=60)
_PUT_OFF_SECONDS: Final = 15.0
_AGENT_SECONDS: Final = 1.0


class Agents:
    """Every agent of the server, as one worker sees them."""

    def __init__(self, database: Database, *, silent: bool, stopping: threading.Event) -> None:
        """`silent`: no run shows what its program says. `stopping` ends every wait."""
        self.database = database
        self.silent = silent
        self.stopping = stopping

    def lanes(self) -> tuple[Lane, ...]:
        """What the agents that live run together."""
        with self.database.reading() as session:
            return registry.lanes_of(registry.live(session, now=utcnow()))

    def wait_for_one(self, lane: Lane) -> None:
        """Return when an agent lives that runs such work, or the worker stops."""
        while lane not in self.lanes() and not self.stopping.wait(_AGENT_SECONDS):
            pass

    def of(self, submission: Submission) -> grader.Runner:
        """What runs this submission's bundle."""
        return _Runs(self, submission)


class _Runs:
    """The runs of one submission."""

    def __init__(self, agents: Agents, submission: Submission) -> None:
        self._agents = agents
        self._submission = submission
        self._environment: Mapping[str, str] = {}

    def describe(self) -> Mapping[str, str]:
        """What ran the last of them, and which agent."""
        return self._environment

    def run(
        self,
        bundle: Path,
        images: NDArray[np.uint8],
        *,
        num_classes: int,
        limits: Limits,
        logs: bool = False,
        on_log: Callable[[str], None] | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> JobResult:
        """As the sandbox does it; `bundle` is where the agent's own copy comes from as well."""
        del bundle
        job = Job(
            images_shape=images.shape,
            num_classes=num_classes,
            limits=plain(limits),
            logs=logs and not self._agents.silent,
            bundle_sha256=self._submission.content_sha256,
            images_sha256=pixels_sha256(images),
        )
        run = outlast(lambda: self._offer(job))
        try:
            return self._wait(run, on_log if job.logs else None, on_wait)
        finally:
            outlast(lambda: self._take_back(run))

    def _offer(self, job: Job) -> int:
        submission = self._submission
        with self._agents.database.write() as session:
            offered = AgentRun(
                public_id=secrets.token_hex(16),
                submission_id=submission.id,
                course_id=submission.assignment.course_id,
                lane=fair_share.lane_of(submission.assignment, submission.kind),
                job=job.to_bytes(),
                folder_sha256=submission.assignment.folder_sha256,
                wanted_until=utcnow() + _WANTED,
            )
            session.add(offered)
            session.flush()
            return offered.id

    def _wait(
        self,
        run: int,
        on_log: Callable[[str], None] | None,
        on_wait: Callable[[], None] | None,
    ) -> JobResult:
        told, put_off_at = "", time.monotonic()
        while True:
            if on_wait is not None:
                on_wait()
            found = self._look(run)
            if found is not None and found.result is not None:
                return self._read(found)
            if found is not None and _is_given_up(found):
                return JobResult(verdict="IE", reason=f"{found.leases} agents lost the run")
            if found is not None and on_log is not None and found.log != told:
                told = found.log
                on_log(told)
            if time.monotonic() - put_off_at > _PUT_OFF_SECONDS:
                outlast(lambda: self._put_off(run))
                put_off_at = time.monotonic()
            time.sleep(_LOOK_SECONDS)

    def _look(self, run: int) -> AgentRun | None:
        """The run as it is; None while the database is away.

        Raises:
            PlatformFault: it is gone.
        """
        try:
            with self._agents.database.reading() as session:
                found = session.get(AgentRun, run)
                session.expunge_all()
        except SQLAlchemyError:
            return None
        if found is None:
            raise grader.PlatformFault("the run is not on offer any more")
        return found

    def _read(self, run: AgentRun) -> JobResult:
        result = runs.read(run, run.result or b"")
        with self._agents.database.reading() as session:
            agent = session.get(Agent, run.agent_id)
            name = agent.name if agent is not None else ""
        self._environment = {**result.environment, "agent": name}
        if result.verdict == "IE":
            return replace(result, reason=f"agent {name}: {result.reason or result.detail}")
        return result

    def _put_off(self, run: int) -> None:
        with self._agents.database.write() as session:
            until = utcnow() + _WANTED
            changed_rows(
                session, sa.update(AgentRun).where(AgentRun.id == run).values(wanted_until=until)
            )

    def _take_back(self, run: int) -> None:
        with self._agents.database.write() as session:
            changed_rows(session, sa.delete(AgentRun).where(AgentRun.id == run))


def _is_given_up(run: AgentRun) -> bool:
    """Whether as many agents as may have lost it."""
    is_lost = run.lease_sha256 is None or (run.leased_until or utcnow()) < utcnow()
    return run.leases >= runs.MOST_LEASES and is_lost
