"""The runs that agents lease: taken, renewed, ended; each has one result, whoever brings it first.

A lease is a secret that the agent shows with whatever it says of the run. Where it is not renewed
in time another agent may have the run; whatever the first one brings then is refused.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard.agents import registry
from leaderboard.db import changed_rows, utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.models import Agent, AgentRun, Course
from sandbox import Job, JobResult, Unreadable

LEASE: Final = timedelta(seconds=60)
MOST_LEASES: Final = 3
"""How many agents a run is given to, one after the other, before it is called a failure of ours."""

MOST_LOG: Final = 64 * 1024  # characters of what a program prints, sent while it runs
_BEAT: Final = timedelta(seconds=5)  # between two notes that an agent lives


@dataclass(frozen=True, kw_only=True)
class Lease:
    """What an agent is told of a run: no name, no answer, nothing of who handed in."""

    run: str
    secret: str
    job: bytes
    seconds: float


def lease(session: Session, agent: Agent) -> Lease | None:
    """Give an agent the run that has waited longest, or None. Opens its own write transactions."""
    now = utcnow()
    _note_life(session, agent, now)
    if agent.is_draining or not registry.able_to(agent):
        return None
    for _ in range(3):  # another agent may be faster
        wanted: AgentRun | None = session.scalars(_waiting(agent, now)).first()
        if wanted is None:
            return None
        session.expunge(wanted)  # its worker may take it back at any moment
        secret = secrets.token_urlsafe(24)
        with writing(session):
            took = changed_rows(
                session,
                sa.update(AgentRun)
                .where(AgentRun.id == wanted.id, *_is_free(now))
                .values(
                    agent_id=agent.id,
                    lease_sha256=registry.print_of(secret),
                    leased_until=now + LEASE,
                    leases=AgentRun.leases + 1,
                    log="",
                ),
            )
            if took and wanted.agent_id is not None and wanted.lease_sha256 is not None:
                _blame(session, wanted.agent_id)  # it let the lease run out
        if took:
            seconds = LEASE.total_seconds()
            return Lease(run=wanted.public_id, secret=secret, job=wanted.job, seconds=seconds)
    return None


def renew(session: Session, agent: Agent, run: str, secret: str, log: str) -> bool:
    """Keep a lease, and note what the program has printed; whether anybody waits for the result
    still. Opens its own write transactions.

    Raises:
        NotAllowedNow: the lease is another's by now.
        NotFound: there is no such run any more.
    """
    found = held(session, agent, run, secret)
    now = utcnow()
    _note_life(session, agent, now)
    shown = log[-MOST_LOG:] if Job.from_bytes(found.job).logs else ""
    with writing(session):
        kept = changed_rows(
            session,
            sa.update(AgentRun)
            .where(*_is_held(found.id, secret), AgentRun.result.is_(None))
            .values(leased_until=now + LEASE, log=shown),
        )
    return bool(kept) and found.wanted_until > now


def finish(session: Session, agent: Agent, run: str, secret: str, raw: bytes) -> None:
    """Take a result. One that comes again is taken once. Opens its own write transactions.

    Raises:
        NotAllowedNow: the lease is another's by now.
        NotFound: there is no such run any more.
        BadRequest: it is no result of this run; another agent gets the run.
    """
    found = held(session, agent, run, secret)
    _note_life(session, agent, utcnow())
    if found.result is not None:
        return
    try:
        result = read(found, raw)
    except Unreadable as error:
        _give_back(session, found, secret)
        raise BadRequest(said("agent.unreadable", reason=str(error))) from error
    if result.verdict == "IE" and found.leases < MOST_LEASES:
        _give_back(session, found, secret)
        return
    with writing(session):
        changed_rows(
            session,
            sa.update(AgentRun)
            .where(*_is_held(found.id, secret), AgentRun.result.is_(None))
            .values(result=raw),
        )


def read(run: AgentRun, raw: bytes) -> JobResult:
    """A result as one of this run.

    Raises:
        Unreadable: it is none, or says what this run was not asked for.
    """
    job = Job.from_bytes(run.job)
    result = JobResult.from_bytes(raw, rows=job.images_shape[0], num_classes=job.num_classes)
    if result.log and not job.logs:
        raise Unreadable("a log of a run that shows none")
    if result.heat_maps is not None and not job.explain:
        raise Unreadable("heat maps that nobody asked for")
    return result


def held(session: Session, agent: Agent, run: str, secret: str) -> AgentRun:
    """The run that an agent has, as it is at this moment: its worker may take it back at the next.

    Raises:
        NotFound: there is no such run any more.
        NotAllowedNow: the lease is another's by now.
    """
    session.expire_all()
    found = session.scalars(sa.select(AgentRun).filter_by(public_id=run)).first()
    if found is None:
        raise NotFound(said("agent.no_run"))
    session.expunge(found)
    if found.agent_id != agent.id or found.lease_sha256 != registry.print_of(secret):
        raise NotAllowedNow(said("agent.lease_lost"))
    return found


def _waiting(agent: Agent, now: datetime) -> sa.Select[Any]:
    """What the agent may take, first that which it has not failed at."""
    where = [
        AgentRun.lane.in_(registry.able_to(agent)),
        AgentRun.wanted_until > now,
        AgentRun.leases < MOST_LEASES,
        *_is_free(now),
    ]
    if agent.course_ids:
        where.append(AgentRun.course_id.in_(agent.course_ids))
    failed_at = sa.func.coalesce(AgentRun.agent_id, 0) == agent.id
    return sa.select(AgentRun).where(*where).order_by(failed_at, AgentRun.id).limit(1)


def _is_free(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    is_over = sa.or_(AgentRun.lease_sha256.is_(None), AgentRun.leased_until < now)
    return (AgentRun.result.is_(None), is_over)


def _is_held(run_id: int, secret: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (AgentRun.id == run_id, AgentRun.lease_sha256 == registry.print_of(secret))


def _give_back(session: Session, run: AgentRun, secret: str) -> None:
    """Let another agent have it."""
    with writing(session):
        if run.agent_id is not None:
            _blame(session, run.agent_id)
        changed_rows(
            session,
            sa.update(AgentRun)
            .where(*_is_held(run.id, secret))
            .values(lease_sha256=None, leased_until=None),
        )


def _blame(session: Session, agent_id: int) -> None:
    at_fault = sa.update(Agent).where(Agent.id == agent_id).values(faults=Agent.faults + 1)
    changed_rows(session, at_fault)


def _note_life(session: Session, agent: Agent, now: datetime) -> None:
    if agent.beat_at is not None and agent.left_at is None and now - agent.beat_at < _BEAT:
        return
    with writing(session):
        agent.beat_at = now
        agent.left_at = None


def courses_of(session: Session, agent: Agent) -> tuple[str, ...]:
    """The codes of the courses that it runs code of; none: of all."""
    if not agent.course_ids:
        return ()
    codes = sa.select(Course.code).where(Course.id.in_(agent.course_ids)).order_by(Course.code)
    return tuple(session.scalars(codes))
