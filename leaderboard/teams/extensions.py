"""Staff give a person or a team later dates, more late days or more submissions a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import courses
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotFound
from leaderboard.messages import notifications
from leaderboard.models import Assignment, AuditEvent, Course, Extension, Reason, Team, User
from leaderboard.rules import lateness, schedule
from leaderboard.teams import people

_MOST: Final = {"hours": 24 * 366, "late_days": 366, "daily_limit": 1000}
_LONGEST_REFERENCE: Final = 200
_NO_ID: Final = 1 << 31  # beyond what a database numbers rows with
_LONGEST: Final = timedelta(days=366)


@dataclass(frozen=True, kw_only=True)
class More:
    """What is extended, and why. Dates are aware; the numbers come on top of what is usual."""

    assignment: Assignment | None = None  # None: every one of the course that is not over
    due: datetime | None = None
    closes: datetime | None = None
    hours: int = 0
    late_days: int = 0  # of the whole course, whichever the assignment
    daily_limit: int = 0
    reason: Reason = Reason.OTHER
    reference: str = ""


def grant(
    session: Session, course: Course, whom: User | Team, more: More, *, actor: User | None
) -> Extension:
    """Extend for a team, or for the team that a person is in now, and tell its members.

    What was handed in already counts by the new dates. The reason goes to no team mate, mail or
    log. Opens its own write transaction.

    Raises:
        BadRequest: it extends nothing, or is no student's.
    """
    _check(more)
    with writing(session):
        team = whom if isinstance(whom, Team) else courses.team_of(session, course, whom)
        if team is None or team.is_baseline or team.course_id != course.id:
            raise BadRequest(said("extension.students_only"))
        courses.hold_team(session, team.id)  # what is handed in meanwhile is counted anew
        person = whom if isinstance(whom, User) else None
        return give(session, course, team, more, person=person, actor=actor)


def give(
    session: Session,
    course: Course,
    team: Team,
    more: More,
    *,
    person: User | None = None,
    actor: User | None,
) -> Extension:
    """Extend for a team that is held, unchecked, in the caller's write transaction; tell it."""
    made = Extension(
        course_id=course.id,
        team_id=team.id,
        user_id=person.id if person else None,
        assignment_id=more.assignment.id if more.assignment else None,
        due=more.due,
        closes=more.closes,
        hours=more.hours,
        late_days=more.late_days,
        daily_limit=more.daily_limit,
        reason=more.reason,
        reference=more.reference.strip(),
        granted_by=actor.id if actor else None,
        granted_at=utcnow(),
    )
    session.add(made)
    session.flush()
    _changed(session, "extension.grant", made, actor)
    return made


def revoke(session: Session, found: Extension, *, actor: User | None) -> None:
    """End an extension: its team's dates are as before. Opens its own write transaction.

    Repeatable.
    """
    with writing(session):
        if found.revoked_at is None:
            courses.hold_team(session, found.team_id)
            found.revoked_at = utcnow()
            session.flush()
            _changed(session, "extension.revoke", found, actor)


def of_course(session: Session, course: Course) -> Sequence[Extension]:
    """All that were given in a course, newest first."""
    return session.scalars(
        sa.select(Extension)
        .where(Extension.course_id == course.id)
        .options(joinedload(Extension.team), joinedload(Extension.user))
        .order_by(Extension.id.desc())
    ).all()


def one(session: Session, course: Course, extension_id: int) -> Extension:
    """One of a course's extensions.

    Raises:
        NotFound: the course has no such extension.
    """
    found = session.get(Extension, extension_id) if extension_id < _NO_ID else None
    if found is None or found.course_id != course.id:
        raise NotFound(said("extension.none", extension=extension_id))
    return found


def whom(session: Session, course: Course, name: str) -> User | Team:
    """A student by e-mail address, or a team by name.

    Raises:
        NotFound: there is no such student or team.
    """
    team = session.scalars(
        sa.select(Team).where(Team.course_id == course.id, Team.name == name.strip())
    ).first()
    if team is not None:
        return team
    student = people.student(session, course, courses.user_by_email(session, name).id)
    if student is None:
        raise NotFound(said("student.none", student=repr(name)))
    return student


def _check(more: More) -> None:
    for name, most in _MOST.items():
        if not 0 <= getattr(more, name) <= most:
            raise BadRequest(said("extension.number", field=name, most=most))
    if len(more.reference) > _LONGEST_REFERENCE:
        raise BadRequest(said("extension.long_reference", most=_LONGEST_REFERENCE))
    if more.assignment is None and (more.due or more.closes):
        raise BadRequest(said("extension.date_for_all"))
    if more.hours and (more.due or more.closes):
        raise BadRequest(said("extension.dates_and_hours"))
    if not (more.due or more.closes or more.hours or more.late_days or more.daily_limit):
        raise BadRequest(said("extension.nothing"))
    if more.assignment is not None:
        _check_dates(more, schedule.terms(more.assignment, None))


def _check_dates(more: More, usual: schedule.Terms) -> None:
    if usual.end is None and (more.due or more.closes or more.hours):
        raise BadRequest(said("extension.no_deadline"))
    if more.due and usual.due is None:
        raise BadRequest(said("extension.no_due"))
    if (more.due and usual.due and more.due <= usual.due) or (
        more.closes and usual.end and more.closes <= usual.end
    ):
        raise BadRequest(said("extension.not_later"))
    if usual.end and any(each and each - usual.end > _LONGEST for each in (more.due, more.closes)):
        raise BadRequest(said("extension.too_long"))
    if more.due and more.closes and more.closes < more.due:
        raise BadRequest(said("extension.closes_before_due"))
    if more.daily_limit and usual.daily_limit is None:
        raise BadRequest(said("extension.no_daily_limit"))


def _changed(session: Session, action: str, changed: Extension, actor: User | None) -> None:
    """Count anew, write it down and tell the team, in the transaction of the change."""
    team, course = changed.team, changed.course
    session.expire(team, ["extensions"])
    lateness.recount(session, course, team)
    event = _record(session, action, changed, actor)
    notifications.tell_extension(
        session,
        team,
        _assignment(session, changed),
        number=event.number,
        what={
            "taken_back": changed.revoked_at is not None,
            "moves_dates": bool(changed.due or changed.closes or changed.hours),
            "hours": changed.hours,
            "late_days": changed.late_days,
            "daily_limit": changed.daily_limit,
        },
    )


def _record(session: Session, action: str, about: Extension, actor: User | None) -> AuditEvent:
    return audit.record(
        session,
        action=action,
        subject=f"team:{about.team_id}",
        course=about.course,
        actor=actor,
        details={
            "extension": about.id,
            "user": about.user_id,
            "assignment": about.assignment_id,
            "due": _iso(about.due),
            "closes": _iso(about.closes),
            "hours": about.hours,
            "late_days": about.late_days,
            "daily_limit": about.daily_limit,
        },
    )


def _assignment(session: Session, of: Extension) -> Assignment | None:
    return session.get(Assignment, of.assignment_id) if of.assignment_id else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
