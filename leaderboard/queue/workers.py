"""Which workers live, what they can do, and which died with work in their hands.

Who is dead is decided by watching: a worker whose sign of life stays the same while this process
looks on, by its own steady clock. No clock that is wrong, or is set, makes a live worker dead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.clock import steady_seconds
from leaderboard.db import UtcDateTime, changed_rows
from leaderboard.models import Lane, Worker
from leaderboard.queue.durable import CSV_AT_ONCE
from leaderboard.recent import recently

CLOCK_AHEAD = "clock_ahead_seconds"
"""Among a worker's facts: how far its machine's clock was ahead of the database's."""

WARM = "warm_now"
"""Among a worker's facts: how many sandboxes it keeps ready."""

_CAPACITY_SECONDS = 2.0

_ABLE = sa.select(Worker.concurrency, Worker.facts).where(
    Worker.stopped_at.is_(None), Worker.beat_at > sa.bindparam("since", type_=UtcDateTime)
)


def announce(
    session: Session,
    *,
    executor_id: str,
    incarnation: str,
    concurrency: int,
    facts: dict[str, Any],
    now: datetime,
) -> None:
    """Note that a worker starts, within the caller's write transaction."""
    worker = session.scalars(sa.select(Worker).filter_by(executor_id=executor_id)).first()
    if worker is None:
        worker = Worker(executor_id=executor_id)
        session.add(worker)
    worker.incarnation = incarnation
    worker.concurrency = concurrency
    worker.facts = facts
    worker.started_at = now
    worker.beat_at = now
    worker.stopped_at = None


def beat(session: Session, *, incarnation: str, now: datetime) -> bool:
    """A sign of life, at the database's time; False if another process took this worker's name
    over."""
    beaten = sa.update(Worker).where(Worker.incarnation == incarnation).values(beat_at=now)
    return changed_rows(session, beaten) > 0


def stop(session: Session, *, incarnation: str, now: datetime) -> None:
    """Note that a worker ends in an orderly way."""
    session.execute(
        sa.update(Worker).where(Worker.incarnation == incarnation).values(stopped_at=now)
    )


def live(session: Session, *, now: datetime, dead_after_seconds: float) -> Sequence[Worker]:
    """The workers with a recent sign of life."""
    return session.scalars(
        sa.select(Worker)
        .where(Worker.stopped_at.is_(None), Worker.beat_at > _limit(now, dead_after_seconds))
        .order_by(Worker.executor_id)
    ).all()


def note_sandbox(session: Session, *, incarnation: str, facts: dict[str, Any]) -> None:
    """Write down what a worker can run now, where that changed since it started."""
    worker = session.scalars(sa.select(Worker).filter_by(incarnation=incarnation)).first()
    if worker is not None:
        worker.facts = {**worker.facts, **facts}


def note_warm(session: Session, *, incarnation: str, count: int) -> None:
    """Write down how many sandboxes a worker keeps ready."""
    note_sandbox(session, incarnation=incarnation, facts={WARM: count})


def note_clock(session: Session, *, incarnation: str, ahead_seconds: float) -> None:
    """Write down how far a worker's machine's clock is ahead of the database's."""
    worker = session.scalars(sa.select(Worker).filter_by(incarnation=incarnation)).first()
    if worker is not None:
        worker.facts = {**worker.facts, CLOCK_AHEAD: round(ahead_seconds, 1)}


class Vigil:
    """Watches over the workers, for as long as a process runs."""

    def __init__(self, dead_after_seconds: float) -> None:
        self._dead_after = dead_after_seconds
        # executor → its last sign of life, and since when that is the last, in steady seconds
        self._seen: dict[str, tuple[tuple[str, datetime], float]] = {}
        self._looked_at = float("-inf")

    def dead(self, session: Session) -> list[str]:
        """The executors of workers that stopped, or gave no sign of life while this looked on."""
        now = steady_seconds()
        before, self._seen = self._seen, {}
        if now - self._looked_at >= self._dead_after:
            before = {}  # while the database was away, nobody could give a sign
        self._looked_at = now
        found = []
        for worker in session.scalars(sa.select(Worker).order_by(Worker.executor_id)):
            sign = (worker.incarnation, worker.beat_at)
            last, since = before.get(worker.executor_id, (None, now))
            self._seen[worker.executor_id] = (sign, since if last == sign else now)
            is_silent = last == sign and now - since >= self._dead_after
            if is_silent or worker.stopped_at is not None:
                found.append(worker.executor_id)
        return found


def silent(session: Session, *, now: datetime, dead_after_seconds: float) -> Sequence[Worker]:
    """The workers that fell silent and did not say goodbye, for people to see."""
    return session.scalars(
        sa.select(Worker)
        .where(Worker.stopped_at.is_(None), Worker.beat_at <= _limit(now, dead_after_seconds))
        .order_by(Worker.executor_id)
    ).all()


def forget(session: Session, executors: Sequence[str], *, before: datetime) -> None:
    """Drop the rows of these workers that were last heard of before a moment."""
    session.execute(
        sa.delete(Worker).where(Worker.executor_id.in_(executors), Worker.beat_at < before)
    )


def capacity(session: Session, lane: Lane, *, now: datetime, dead_after_seconds: float) -> int:
    """How many evaluations of a lane the live workers run at once, a moment ago at the latest; 0:
    nobody does such work."""
    limit = _limit(now, dead_after_seconds)
    return recently(
        session,
        ("capacity", lane),
        lambda: _capacity(session, lane, limit),
        seconds=_CAPACITY_SECONDS,
    )


def _capacity(session: Session, lane: Lane, limit: datetime) -> int:
    found = session.execute(_ABLE, {"since": limit})
    able: list[int] = [
        concurrency
        for concurrency, facts in found
        if lane.value in facts.get("lanes", [lane.value])
    ]
    return sum(able) * (CSV_AT_ONCE if lane is Lane.CSV else 1)


def sandbox_refusal(session: Session) -> str:
    """Why no code can be run on this server, in the words of a worker's machine: for staff, since
    it names programs and paths there; "" if it can, or nobody knows yet.

    Asks the workers, whichever machine they are on, not the machine that answers the request.
    """
    latest = session.scalars(sa.select(Worker).order_by(Worker.beat_at.desc()).limit(20)).all()
    known = [worker.facts for worker in latest if "sandbox" in worker.facts]
    if not known or any(facts["sandbox"] for facts in known):
        return ""
    return str(known[0].get("sandbox_reason") or "no sandbox works on it")


def _limit(now: datetime, dead_after_seconds: float) -> datetime:
    return now - timedelta(seconds=dead_after_seconds)
