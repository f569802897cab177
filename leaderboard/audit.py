"""Who did what: an append-only hash chain a course, of ids and hashes, never of names.

Each event's hash covers the one before, so that a changed, removed or inserted event breaks every
later link. People can be erased: the chain does not hold them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.db import utcnow
from leaderboard.models import AuditEvent, Course, User
from leaderboard.receipts import canonical_json

_START = "0" * 64


@dataclass(frozen=True, kw_only=True)
class BrokenLink:
    """Where a chain no longer holds."""

    chain: int
    number: int
    reason: str


def record(
    session: Session,
    *,
    action: str,
    subject: str,
    course: Course | None = None,
    actor: User | None = None,
    details: dict[str, Any] | None = None,
) -> AuditEvent:
    """Append an event within the caller's write transaction. `actor` None: the server itself."""
    chain = course.id if course is not None else 0
    if course is not None:
        # on PostgreSQL two writers of one chain queue up here; SQLite has one writer anyway
        session.execute(sa.select(Course.id).where(Course.id == chain).with_for_update())
    last = session.scalars(
        sa.select(AuditEvent)
        .where(AuditEvent.chain == chain)
        .order_by(AuditEvent.number.desc())
        .limit(1)
    ).first()
    event = AuditEvent(
        course_id=course.id if course is not None else None,
        chain=chain,
        number=last.number + 1 if last else 1,
        at=utcnow(),
        actor_user_id=actor.id if actor is not None else None,
        action=action,
        subject=subject,
        details=details or {},
        previous_hash=last.hash if last else _START,
    )
    event.hash = _hash(event)
    session.add(event)
    session.flush()
    return event


def verify(session: Session) -> tuple[int, tuple[BrokenLink, ...]]:
    """How many events were checked, and every place where a chain is broken."""
    broken: list[BrokenLink] = []
    checked = 0
    chain, number, previous = -1, 0, _START
    ordered = sa.select(AuditEvent).order_by(AuditEvent.chain, AuditEvent.number)
    for event in session.scalars(ordered.execution_options(yield_per=1000)):
        if event.chain != chain:
            chain, number, previous = event.chain, 0, _START
        reason = _fault(event, number + 1, previous)
        if reason:
            broken.append(BrokenLink(chain=event.chain, number=event.number, reason=reason))
        number, previous = event.number, event.hash
        checked += 1
    return checked, tuple(broken)


def _fault(event: AuditEvent, number: int, previous: str) -> str:
    if event.number != number:
        return f"event {number} is missing"
    if event.previous_hash != previous:
        return "does not follow the event before it"
    if event.hash != _hash(event):
        return "was changed"
    return ""


def _hash(event: AuditEvent) -> str:
    moment: datetime = event.at
    return hashlib.sha256(
        canonical_json(
            [
                event.chain,
                event.number,
                moment.isoformat(timespec="microseconds"),
                event.actor_user_id,
                event.action,
                event.subject,
                event.details,
                event.previous_hash,
            ]
        )
    ).hexdigest()
