"""Whom a step of a case is told, and who may read of it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.messages import notifications
from leaderboard.models import Case, CaseEntry, Enrolment, Role, TeamMember, User


def tell_team(session: Session, case: Case, entry: CaseEntry) -> None:
    """Tell the team, and whoever handed it in and has left since, in the page and by mail."""
    notifications.tell_case(
        session,
        _heard(session, case),
        entry,
        path=f"/c/{case.course.code}/cases/{case.id}",
        details=_facts(case, entry),
    )


def tell_instructors(session: Session, case: Case, entry: CaseEntry, *, mail: bool = True) -> None:
    """Tell those who may decide."""
    instructors = session.scalars(
        sa.select(User)
        .join(Enrolment, Enrolment.user_id == User.id)
        .where(Enrolment.course_id == case.course_id, Enrolment.role == Role.INSTRUCTOR)
        .order_by(User.id)
    ).all()
    notifications.tell_case(
        session,
        instructors,
        entry,
        path=f"/staff/c/{case.course.code}/cases/{case.id}",
        details=_facts(case, entry),
        by_mail=mail,
    )


def is_heard(session: Session, case: Case, user: User) -> bool:
    """Whether a person is of those who are told of a case and may reply."""
    return case.reply_until is not None and user.id in {each.id for each in _heard(session, case)}


def _heard(session: Session, case: Case) -> Sequence[User]:
    submission = case.submission
    members = sa.select(TeamMember.user_id).where(TeamMember.team_id == submission.team_id)
    query = sa.select(User).where(sa.or_(User.id.in_(members), User.id == submission.user_id))
    return session.scalars(query.order_by(User.id)).all()


def _facts(case: Case, entry: CaseEntry) -> dict[str, str | int | None]:
    submission = case.submission
    return {
        "case": case.id,
        "entry": entry.id,
        "step": entry.step.value,
        "assignment": submission.assignment.title,
        "submission": submission.message or submission.filename,
        "team": submission.team.name,
        "until": case.reply_until.isoformat() if case.reply_until else None,
        "zone": case.course.time_zone,
    }
