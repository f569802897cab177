"""Which agents there are, what each may run, and which live."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound, SignInRequired
from leaderboard.models import Agent, Course, Lane, User
from leaderboard.models.versions import code_version

TOKEN_PREFIX: Final = "gwagent_"  # noqa: S105 - what a token begins with
LANES: Final = (Lane.CODE, Lane.GPU)
DEAD_AFTER: Final = timedelta(seconds=60)
RUNNER: Final = "runner"
"""Among an agent's facts: a print of the packages that students' code is run with."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")


def add(
    session: Session,
    name: str,
    *,
    lanes: Sequence[Lane] = LANES,
    courses: Sequence[Course] = (),
    actor: User | None = None,
) -> str:
    """Make an agent; its token, which is shown this once. Opens its own write transaction.

    Raises:
        BadRequest: the name is unfit or taken, or a lane is none of an agent's.
    """
    if not _NAME.fullmatch(name):
        raise BadRequest(said("agent.bad_name"))
    if not lanes or not set(lanes) <= set(LANES):
        raise BadRequest(said("agent.bad_lanes", lanes=", ".join(LANES)))
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    with writing(session):
        if session.scalars(sa.select(Agent.id).filter_by(name=name)).first() is not None:
            raise BadRequest(said("agent.name_taken", name=name))
        session.add(
            Agent(
                name=name,
                token_sha256=print_of(token),
                lanes=sorted(lane.value for lane in set(lanes)),
                course_ids=sorted(course.id for course in courses),
                created_at=utcnow(),
            )
        )
        session.flush()
        audit.record(session, action="agent.add", subject=name, actor=actor)
    return token


def every(session: Session) -> Sequence[Agent]:
    """All there are or were, by name."""
    return session.scalars(sa.select(Agent).order_by(Agent.name)).all()


def by_name(session: Session, name: str) -> Agent:
    """One of them.

    Raises:
        NotFound: there is none of this name.
    """
    found = session.scalars(sa.select(Agent).filter_by(name=name)).first()
    if found is None:
        raise NotFound(said("agent.unknown", name=name))
    return found


def by_token(session: Session, token: str) -> Agent:
    """Whose token it is.

    Raises:
        SignInRequired: nobody's, or it was banned.
    """
    found = session.scalars(sa.select(Agent).filter_by(token_sha256=print_of(token))).first()
    if found is None or found.banned_at is not None:
        raise SignInRequired(said("agent.bad_token"))
    return found


def drain(session: Session, agent: Agent, *, is_on: bool, actor: User | None = None) -> None:
    """Give it no more work, or work again. Opens its own write transaction."""
    with writing(session):
        agent.is_draining = is_on
        action = "agent.drain" if is_on else "agent.resume"
        audit.record(session, action=action, subject=agent.name, actor=actor)


def ban(session: Session, agent: Agent, *, actor: User | None = None) -> None:
    """Refuse its token from now on; what it runs goes to others. Opens its own write
    transaction."""
    with writing(session):
        agent.banned_at = utcnow()
        audit.record(session, action="agent.ban", subject=agent.name, actor=actor)


def join(session: Session, agent: Agent, *, version: str, facts: dict[str, Any]) -> None:
    """Note that an agent is there. Opens its own write transaction.

    Raises:
        NotAllowedNow: it is of another version than the server, or runs code with other packages
            than the agents that are there: scores of one board must come of one environment.
    """
    if version != code_version():
        raise NotAllowedNow(said("agent.other_version", agent=version, server=code_version()))
    now = utcnow()
    others = {
        str(each.facts[RUNNER])
        for each in live(session, now=now)
        if each.id != agent.id and RUNNER in each.facts
    }
    if others and facts.get(RUNNER) not in others:
        raise NotAllowedNow(said("agent.other_runner"))
    with writing(session):
        agent.facts = facts
        agent.beat_at = now
        agent.left_at = None


def leave(session: Session, agent: Agent) -> None:
    """Note that it says goodbye. Opens its own write transaction."""
    with writing(session):
        agent.left_at = utcnow()


def live(session: Session, *, now: datetime) -> Sequence[Agent]:
    """Those with a recent sign of life, and a token that is good."""
    return session.scalars(
        sa.select(Agent)
        .where(Agent.banned_at.is_(None), Agent.left_at.is_(None), Agent.beat_at > now - DEAD_AFTER)
        .order_by(Agent.name)
    ).all()


def lanes_of(agents: Collection[Agent]) -> tuple[Lane, ...]:
    """What these run together, of what each may and can, those that end apart."""
    able = {lane for agent in agents if not agent.is_draining for lane in able_to(agent)}
    return tuple(lane for lane in LANES if lane in able)


def able_to(agent: Agent) -> tuple[Lane, ...]:
    """The lanes that it may run and said that it can."""
    can = agent.facts.get("lanes", [])
    return tuple(lane for lane in LANES if lane.value in agent.lanes and lane.value in can)


def print_of(token: str) -> str:
    """The hash by which a token, or a lease, is kept."""
    return hashlib.sha256(token.encode()).hexdigest()
