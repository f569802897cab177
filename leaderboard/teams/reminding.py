"""Who has not handed in yet, and telling them so: by the teaching team, once an hour at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader import Verdict
from grader.words.message import said
from leaderboard import audit
from leaderboard.db import utcnow, writing
from leaderboard.errors import NotAllowedNow
from leaderboard.messages import notifications
from leaderboard.models import (
    Assignment,
    AuditEvent,
    Enrolment,
    Role,
    Submission,
    SubmissionStatus,
    Team,
    TeamMember,
    User,
)
from leaderboard.rules import schedule
from leaderboard.rules.schedule import Phase

PAUSE: Final = timedelta(hours=1)
_ACTION: Final = "assignment.remind"


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A student whose team has handed nothing in that was taken."""

    user: User
    number: str
    section: str
    team: str


def missing(
    session: Session, assignment: Assignment, sections: Sequence[str] = ()
) -> Sequence[Missing]:
    """The students who have not handed in, by section and name: of some sections, if any are
    named. One query."""
    query = _missing(assignment)
    rows = session.execute(query.where(Enrolment.section.in_(sections)) if sections else query)
    return [
        Missing(user=user, number=number or "", section=section, team=team or "")
        for user, number, section, team in rows
    ]


def was_taken() -> sa.ColumnElement[bool]:
    """Whether a submission counts as handed in: neither refused at the door nor withdrawn."""
    return sa.and_(
        Submission.status != SubmissionStatus.CANCELLED,
        sa.func.coalesce(Submission.verdict, "") != Verdict.REJ.value,
    )


def reminded_at(session: Session, assignment: Assignment) -> datetime | None:
    """When they were last told by the teaching team."""
    return session.scalar(
        sa.select(AuditEvent.at)
        .where(
            AuditEvent.chain == assignment.course_id,
            AuditEvent.action == _ACTION,
            AuditEvent.subject == f"assignment:{assignment.id}",
        )
        .order_by(AuditEvent.number.desc())
        .limit(1)
    )


def may_remind(assignment: Assignment, now: datetime) -> bool:
    """Whether something can be handed in now by those without an extension."""
    return schedule.phase(assignment, None, now) in (Phase.OPEN, Phase.LATE)


def remind(session: Session, assignment: Assignment, *, actor: User | None) -> int:
    """Tell everybody who has not handed in, in the page and by mail; how many they are.

    Opens its own write transaction.

    Raises:
        NotAllowedNow: nothing can be handed in now, nobody is missing, or they were told within
            the last hour.
    """
    with writing(session):
        # of two that remind at one moment the second sees the first's
        session.get_one(Assignment, assignment.id, with_for_update=True)
        now = utcnow()
        people = [each.user for each in missing(session, assignment)]
        _check(session, assignment, people, now)
        event = audit.record(
            session,
            action=_ACTION,
            subject=f"assignment:{assignment.id}",
            course=assignment.course,
            actor=actor,
            details={"people": len(people)},
        )
        notifications.tell_missing(session, assignment, people, number=event.number)
    return len(people)


def _check(session: Session, assignment: Assignment, people: list[User], now: datetime) -> None:
    if not may_remind(assignment, now):
        raise NotAllowedNow(said("reminder.not_open"))
    if not people:
        raise NotAllowedNow(said("reminder.nobody"))
    last = reminded_at(session, assignment)
    if last is not None and now < last + PAUSE:
        left = last + PAUSE - now
        raise NotAllowedNow(said("reminder.too_soon", minutes=-(-left.seconds // 60)))


def _missing(assignment: Assignment) -> sa.Select[*tuple[Any, ...]]:
    has_handed_in = sa.exists().where(
        Submission.assignment_id == assignment.id,
        Submission.team_id == TeamMember.team_id,
        was_taken(),
    )
    return (
        sa.select(User, Enrolment.number, Enrolment.section, Team.name)
        .join(Enrolment, Enrolment.user_id == User.id)
        .outerjoin(
            TeamMember,
            sa.and_(TeamMember.user_id == User.id, TeamMember.course_id == assignment.course_id),
        )
        .outerjoin(Team, Team.id == TeamMember.team_id)
        .where(
            Enrolment.course_id == assignment.course_id,
            Enrolment.role == Role.STUDENT,
            ~has_handed_in,
        )
        .order_by(Enrolment.section, User.name, User.id)
    )
