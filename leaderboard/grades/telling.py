"""Who is told that something was written in a thread about a grade."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.messages import notifications
from leaderboard.models import Enrolment, Notice, Regrade, Role, TeamMember, User


def tell_regrade(session: Session, regrade: Regrade, *, number: int, to_team: bool) -> None:
    """Tell the other side: the team, or the owner, or where there is none the instructors.

    `number` is of the message. Within the caller's write transaction.
    """
    submission, course = regrade.submission, regrade.course
    path = f"/s/{submission.public_id}/regrade"
    if to_team:
        people = _members(session, submission.team_id)
    else:
        path = f"/staff/c/{course.code}/regrades/{regrade.id}"
        people = [regrade.owner] if regrade.owner else _instructors(session, course.id)
    notifications.tell(
        session,
        people,
        Notice.TEAM,
        key=f"regrade:{number}",
        path=path,
        details={
            "assignment": submission.assignment.title,
            "team": submission.team.name,
            "regrade": "answer" if to_team else "question",
        },
    )


def _members(session: Session, team_id: int) -> Sequence[User]:
    members = sa.select(TeamMember.user_id).where(TeamMember.team_id == team_id)
    return session.scalars(sa.select(User).where(User.id.in_(members)).order_by(User.id)).all()


def _instructors(session: Session, course_id: int) -> Sequence[User]:
    teach = sa.select(Enrolment.user_id).where(
        Enrolment.course_id == course_id, Enrolment.role == Role.INSTRUCTOR
    )
    return session.scalars(sa.select(User).where(User.id.in_(teach)).order_by(User.id)).all()
