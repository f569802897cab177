"""Which workers live, what they can do, and which died with work in their hands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.db import UtcDateTime, changed_rows
from leaderboard.models import Lane, Worker
from leaderboard.queue import CSV_AT_ONCE
from leaderboard.recent import recently

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
    """A sign of life; False if another process took this worker's name over."""
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


def dead(session: Session, *, now: datetime, dead_after_seconds: float) -> Sequence[Worker]:
    """The workers that stopped, or fell silent, and did not come back."""
    return session.scalars(
        sa.select(Worker).where(
            sa.or_(
                Worker.stopped_at.is_not(None), Worker.beat_at <= _limit(now, dead_after_seconds)
            )
        )
    ).all()


def forget(session: Session, *, before: datetime) -> None:
    """Drop the rows of workers that were last heard of before a moment."""
    session.execute(sa.delete(Worker).where(Worker.beat_at < before))


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
    able = [
        concurrency
        for concurrency, facts in found
        if lane.value in facts.get("lanes", [lane.value])
    ]
    return sum(able) * (CSV_AT_ONCE if lane is Lane.CSV else 1)


def sandbox_refusal(session: Session) -> str:
    """Why no code can be run on this server, in one sentence; "" if it can, or nobody knows yet.

    Asks the workers, whichever machine they are on, not the machine that answers the request.
    """
    latest = session.scalars(sa.select(Worker).order_by(Worker.beat_at.desc()).limit(20)).all()
    known = [worker.facts for worker in latest if "sandbox" in worker.facts]
    if not known or any(facts["sandbox"] for facts in known):
        return ""
    reason = str(known[0].get("sandbox_reason") or "no sandbox works on it")
    return f"This server cannot run code at the moment ({reason}); CSV predictions are taken."


def _limit(now: datetime, dead_after_seconds: float) -> datetime:
    return now - timedelta(seconds=dead_after_seconds)
