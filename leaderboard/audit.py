"""Who did what: an append-only hash chain a course, of ids and hashes, never of names.

Each event's hash covers the one before, so that a changed, removed or inserted event breaks every
later link. A chain's head, its last number and hash, is signed in the same transaction: without the
server's key, which is not in the database, nobody can cut events off the end or make a chain anew.
The rows that decide a grade or a right are covered as well: an event holds a hash of each that its
transaction has changed by then (models/guarding.py), and a last event what nobody told of.
Whoever puts an old database back brings old heads with it; against that, heads are also kept
elsewhere (audit_heads.py). People can be erased: the chain does not hold them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event as events
from sqlalchemy.orm import Session

from leaderboard.db import SIGNER, utcnow
from leaderboard.models import AuditEvent, AuditHead, Course, User, guarding
from leaderboard.receipts import Receipts, canonical_json, is_signature

ROWS: Final = "rows"  # of an event's details: the hashes of rows
_START = "0" * 64
# plain statements, made once: every hand-in and every result goes through them
_EVENTS, _HEADS = AuditEvent.__table__, AuditHead.__table__
_WRITTEN = tuple(column.key for column in _EVENTS.columns if not column.primary_key)
_ADD_EVENT = sa.insert(_EVENTS)
_HEAD = (
    sa.select(_HEADS.c.number, _HEADS.c.hash)
    .where(_HEADS.c.chain == sa.bindparam("chain"))
    .with_for_update()
)
_BEGIN_CHAIN = sa.text(
    "INSERT INTO audit_head (chain, number, hash, key_id, signature) "
    "VALUES (:chain, 0, :hash, '', '') ON CONFLICT DO NOTHING"
)
_MOVE_HEAD = sa.update(_HEADS).where(_HEADS.c.chain == sa.bindparam("moved"))


@dataclass(frozen=True, kw_only=True)
class BrokenLink:
    """Where a chain no longer holds."""

    chain: int
    number: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Head:
    """The last event of a chain at some moment, signed."""

    chain: int
    number: int
    hash: str
    key_id: str
    signature: str


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
    session.flush()  # before the head is locked: on PostgreSQL others wait for it
    rows = guarding.taken(session)
    connection = session.connection()
    last = _head_to_move(connection, chain)
    event = AuditEvent(
        course_id=course.id if course is not None else None,
        chain=chain,
        number=last.number + 1,
        at=utcnow(),
        actor_user_id=actor.id if actor is not None else None,
        action=action,
        subject=subject,
        details={**(details or {}), **({ROWS: rows} if rows else {})},
        previous_hash=last.hash,
    )
    event.hash = _hash(event)
    connection.execute(_ADD_EVENT, {name: getattr(event, name) for name in _WRITTEN})
    head = _signed(session, chain, event.number, event.hash)
    connection.execute(
        _MOVE_HEAD,
        {
            "moved": chain,
            "number": head.number,
            "hash": head.hash,
            "key_id": head.key_id,
            "signature": head.signature,
        },
    )
    return event


def heads(session: Session) -> tuple[Head, ...]:
    """The heads of all chains as they are now."""
    return tuple(
        Head(
            chain=each.chain,
            number=each.number,
            hash=each.hash,
            key_id=each.key_id,
            signature=each.signature,
        )
        for each in session.scalars(sa.select(AuditHead).order_by(AuditHead.chain))
    )


def sign_heads(session: Session) -> None:
    """Sign the heads that an upgrade made, within the caller's write transaction."""
    for head in session.scalars(sa.select(AuditHead).where(AuditHead.signature == "")):
        signed = _signed(session, head.chain, head.number, head.hash)
        head.key_id, head.signature = signed.key_id, signed.signature


def verify(
    session: Session, public_key: str, kept: Iterable[Head] = ()
) -> tuple[int, tuple[BrokenLink, ...]]:
    """How many events were checked, and every place where a chain is broken.

    `kept` are heads of earlier moments from outside of the database: what they saw must still be
    there. `public_key` is the server's, base64.
    """
    broken: list[BrokenLink] = []
    marks = _by_place(kept)
    ends: dict[int, tuple[int, str]] = {}
    checked = 0
    ordered = sa.select(AuditEvent).order_by(AuditEvent.chain, AuditEvent.number)
    last_id: dict[int, int] = {}
    for event in session.scalars(ordered.execution_options(yield_per=1000)):
        number, previous = ends.get(event.chain, (0, _START))
        reason = _fault(event, number + 1, previous)
        if not reason and event.id <= last_id.get(event.chain, 0):
            reason = "stands at another place than it was written"
        last_id[event.chain] = event.id
        if not reason and marks.pop((event.chain, event.number), event.hash) != event.hash:
            reason = "is not what a head that was kept elsewhere saw"
        if reason:
            broken.append(BrokenLink(chain=event.chain, number=event.number, reason=reason))
        ends[event.chain] = event.number, event.hash
        checked += 1
    for chain, number in sorted(marks):
        reason = "is missing: a head that was kept elsewhere saw it"
        broken.append(BrokenLink(chain=chain, number=number, reason=reason))
    broken.extend(_wrong_heads(session, public_key, ends))
    return checked, tuple(broken)


def is_signed(head: Head | AuditHead, public_key: str) -> bool:
    """Whether the key (base64) signed a head."""
    return is_signature(head.signature, _signed_bytes(head), public_key)


def seal(session: Session, rows: guarding.Hashes) -> None:
    """Take rows as they are, whatever they were before: of an older version, which kept no hashes.

    Within the caller's write transaction.
    """
    record(session, action="rows.seal", subject="", details={ROWS: rows})


@events.listens_for(Session, "before_commit")
def _tell_of_the_rest(session: Session) -> None:
    """Take what changed of rows that nobody recorded, or that was changed after the recording."""
    if session.info.get(SIGNER) is None:
        return
    session.flush()
    if guarding.is_noted(session):
        record(session, action="rows.change", subject="")


def _head_to_move(connection: sa.Connection, chain: int) -> sa.Row[int, str]:
    """The chain's last number and hash, locked: on PostgreSQL writers queue up here; SQLite has one
    anyway."""
    found = connection.execute(_HEAD, {"chain": chain}).first()
    if found is None:
        connection.execute(_BEGIN_CHAIN, {"chain": chain, "hash": _START})
        found = connection.execute(_HEAD, {"chain": chain}).one()
    return found


def _signed(session: Session, chain: int, number: int, last: str) -> Head:
    signer: Receipts | None = session.info.get(SIGNER)
    if signer is None:
        raise RuntimeError("the database was opened without the key that signs audit heads")
    head = Head(chain=chain, number=number, hash=last, key_id=signer.key_id, signature="")
    return replace(head, signature=signer.signature(_signed_bytes(head)))


def _signed_bytes(head: Head | AuditHead) -> bytes:
    return b"audit head " + canonical_json([head.chain, head.number, head.hash, head.key_id])


def _by_place(kept: Iterable[Head]) -> dict[tuple[int, int], str]:
    return {(head.chain, head.number): head.hash for head in kept}


def _fault(event: AuditEvent, number: int, previous: str) -> str:
    if event.number != number:
        return f"event {number} is missing"
    if event.previous_hash != previous:
        return "does not follow the event before it"
    if event.hash != _hash(event) or event.chain != (event.course_id or 0):
        return "was changed"
    return ""


def _wrong_heads(
    session: Session, public_key: str, ends: dict[int, tuple[int, str]]
) -> Iterator[BrokenLink]:
    found = {head.chain: head for head in heads(session)}
    # every course has a chain: its creation is the first event
    for chain in sorted({*ends, *found, *session.scalars(sa.select(Course.id))}):
        number, last = ends.get(chain, (0, _START))
        head = found.get(chain)
        if head is None:
            reason = "its signed head is missing"
        elif not is_signed(head, public_key):
            reason = "its head is not signed by this server's key"
        elif (head.number, head.hash) != (number, last):
            reason = f"its last events are missing: the signed head is event {head.number}"
        else:
            continue
        yield BrokenLink(chain=chain, number=number, reason=reason)


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
