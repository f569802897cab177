"""Uploads that are under way when somebody changes teams, or is taken out of the course."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.db import utcnow
from leaderboard.models import Assignment, Team, Upload, User


def take_along(session: Session, user: User, team: Team) -> None:
    """Have what a person committed to become the hand-in of the team that they are in now, within
    the caller's write transaction: the moment of a commitment is theirs."""
    _set(session, user, team.course_id, team_id=team.id)


def end(session: Session, user: User, course_id: int) -> None:
    """Close what a person committed to in a course that they are taken out of, within the caller's
    write transaction."""
    _set(session, user, course_id, closed_at=utcnow())


def take_over(session: Session, source: Team, target: Team) -> None:
    """Have one team's uploads, closed ones too, be another's, within the caller's transaction."""
    theirs = sa.update(Upload).where(Upload.team_id == source.id)
    session.execute(theirs.values(team_id=target.id))


def _set(session: Session, user: User, course_id: int, **values: object) -> None:
    of_course = sa.select(Assignment.id).where(Assignment.course_id == course_id)
    session.execute(
        sa.update(Upload)
        .where(
            Upload.user_id == user.id,
            Upload.assignment_id.in_(of_course),
            Upload.closed_at.is_(None),
        )
        .values(**values)
    )
