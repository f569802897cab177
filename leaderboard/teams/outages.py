"""The server was away for a while: everybody has as much more time for an assignment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import courses
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest
from leaderboard.models import Assignment, Reason, Team, User
from leaderboard.rules import schedule
from leaderboard.teams import extensions
from leaderboard.teams.extensions import More

LONGEST: Final = timedelta(days=7)


def extend_all(
    session: Session,
    assignment: Assignment,
    since: datetime,
    until: datetime,
    *,
    actor: User | None,
) -> int:
    """Move each team's own dates by as long as the server was away, and tell all; how many teams.

    Moved are the teams whose time had begun and was not over when it went away: one whose date was
    before has lost nothing. Opens its own write transaction: all teams are extended, or none.

    Raises:
        BadRequest: the times make no sense, or no team's dates are moved.
    """
    if not since < until <= utcnow() or until - since > LONGEST:
        raise BadRequest(said("outage.times", most=LONGEST.days))
    with writing(session):
        found = [
            (team, more)
            for team in _teams(session, assignment)
            if (more := _more(assignment, team, since, until)) is not None
        ]
        if not found:
            raise BadRequest(said("outage.nobody"))
        for team, more in found:
            courses.hold_team(session, team.id)
            extensions.give(session, assignment.course, team, more, actor=actor)
        audit.record(
            session,
            action="assignment.away",
            subject=f"assignment:{assignment.id}",
            course=assignment.course,
            actor=actor,
            details={
                "since": since.isoformat(),
                "until": until.isoformat(),
                "teams": len(found),
            },
        )
    return len(found)


def _teams(session: Session, assignment: Assignment) -> list[Team]:
    query = (
        sa.select(Team)
        .where(
            Team.course_id == assignment.course_id,
            Team.is_baseline.is_(False),
            Team.members.any(),
        )
        .options(selectinload(Team.extensions))
        .order_by(Team.id)
    )
    return list(session.scalars(query))


def _more(assignment: Assignment, team: Team, since: datetime, until: datetime) -> More | None:
    """What moves a team's own dates; None where nothing is to be moved."""
    held = schedule.terms(assignment, team)
    if held.end is None or held.end < since or (held.opens and held.opens > until):
        return None
    away = until - max(since, held.opens) if held.opens else until - since
    is_due_later = held.due is not None and held.due >= since
    return More(
        assignment=assignment,
        due=held.due + away if held.due and is_due_later else None,
        closes=held.closes + away if held.closes else None,
        reason=Reason.TECHNICAL,
    )
