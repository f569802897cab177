"""Staff are told when something is wrong with the server, once an occurrence, and when it is over.

Told are administrators; where there are none, the instructors of all courses. Each worker looks;
the rows decide who was first.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard import audit
from leaderboard.db import utcnow
from leaderboard.messages import mail
from leaderboard.models import Alarm, Condition, Enrolment, Letter, Role, User
from leaderboard.operations.monitoring import conditions, facts
from leaderboard.operations.monitoring.conditions import Occurrence
from leaderboard.queue import workers
from leaderboard.state import State

log = logging.getLogger(__name__)

_OF_A_MACHINE: Final = frozenset({Condition.BACKUP, Condition.DISK})
PATH: Final = "/staff/"


class Alarms:
    """What one worker sees. A condition is told of when two looks in a row have found it."""

    def __init__(self, state: State, *, host: str = "") -> None:
        self._state = state
        self._host = host or socket.gethostname()
        self._seen: frozenset[tuple[Condition, str]] = frozenset()

    def look(self) -> None:
        """Look once, and tell what is news. Opens its own transactions."""
        with self._state.database.reading() as session:
            found = conditions.holding(facts.look(session, self._state))
            hosts = self._hosts(session)
            going_on = {(each.condition, each.place): each.id for each in open_ones(session)}
        held = frozenset((each.condition, self._place(each)) for each in found)
        begun = (held & self._seen) - going_on.keys()
        over = {key for key in going_on if key not in held and self._may_end(*key, hosts)}
        self._seen = held
        if begun or over:
            with self._state.database.write() as session:
                for condition, place in sorted(begun):
                    _begin(session, condition, place)
                for key in sorted(over):
                    _end(session, going_on[key])

    def _place(self, occurrence: Occurrence) -> str:
        of_machine = occurrence.condition in _OF_A_MACHINE
        return self._host if of_machine else occurrence.lane

    def _may_end(self, condition: Condition, place: str, hosts: frozenset[str]) -> bool:
        """Of a machine's disk another one knows nothing, unless that machine is gone."""
        return condition not in _OF_A_MACHINE or place == self._host or place not in hosts

    def _hosts(self, session: Session) -> frozenset[str]:
        silence = self._state.settings.dead_after_seconds
        live = workers.live(session, now=utcnow(), dead_after_seconds=silence)
        return frozenset(str(each.facts.get("host", "")) for each in live)


def open_ones(session: Session) -> Sequence[Alarm]:
    """What is wrong now, and staff were told of, oldest first. Reads only."""
    return session.scalars(
        sa.select(Alarm).where(Alarm.ended_at.is_(None)).order_by(Alarm.id)
    ).all()


def _begin(session: Session, condition: Condition, place: str) -> None:
    key = f"{condition.value}:{place}"
    alarm = Alarm(condition=condition, place=place, began_at=utcnow(), going_on=key)
    session.add(alarm)
    session.flush()
    log.error("alarm: %s %s", condition.value, place)
    _tell(session, alarm, "begin")


def _end(session: Session, alarm_id: int) -> None:
    alarm = session.get_one(Alarm, alarm_id, with_for_update=True)
    if alarm.ended_at is not None:
        return  # another worker was first
    alarm.ended_at, alarm.going_on = utcnow(), None
    log.warning("alarm is over: %s %s", alarm.condition.value, alarm.place)
    _tell(session, alarm, "end")


def _tell(session: Session, alarm: Alarm, step: str) -> None:
    details = {"condition": alarm.condition.value, "place": alarm.place}
    audit.record(session, action=f"alarm.{step}", subject=f"alarm:{alarm.id}", details=details)
    for person in _staff(session):
        mail.post_new(
            session,
            Letter.ALARM,
            dedupe_key=f"alarm:{alarm.id}:{step}:{person.id}",
            user=person,
            details={**details, "step": step},
            path=PATH,
        )


def _staff(session: Session) -> Sequence[User]:
    there = sa.select(User).where(User.erased_at.is_(None)).order_by(User.id)
    admins = session.scalars(there.where(User.is_admin)).all()
    teaching = sa.select(Enrolment.user_id).where(Enrolment.role == Role.INSTRUCTOR)
    return admins or session.scalars(there.where(User.id.in_(teaching))).all()
