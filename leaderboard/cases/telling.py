"""Whom a step of a case is told, and who may read of it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.messages import notifications
from leaderboard.models import (
    Case,
    CaseEntry,
    Course,
    Enrolment,
    Notification,
    Role,
    Submission,
    TeamMember,
    User,
)

_OF_CASE = sa.literal("/cases/") + sa.cast(Case.id, sa.String)  # the end of its page's address


def tell_team(session: Session, case: Case, entry: CaseEntry) -> None:
    """Tell the team, whoever handed it in, and whom an earlier step was told who has left since.

    In the page and by mail.
    """
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
    asked = sa.select(Case.id).join(Submission, Submission.id == Case.submission_id)
    told = asked.where(Case.id == case.id, Case.reply_until.is_not(None), concerns(user.id))
    return session.scalars(told).first() is not None


def concerns(user_id: int | sa.SQLColumnExpression[int]) -> sa.ColumnElement[bool]:
    """Whether a Case, joined with its Submission, is about what a person has a part in: what their
    team handed in, or they, or what they were told of when it was their team's."""
    member = sa.select(TeamMember.id).where(
        TeamMember.user_id == user_id, TeamMember.team_id == Submission.team_id
    )
    told = (
        sa.select(Notification.id)
        .join(Course, Course.id == Case.course_id)
        .where(
            Notification.user_id == user_id,
            Notification.path == sa.literal("/c/") + Course.code + _OF_CASE,
        )
    )
    return sa.or_(
        Submission.user_id == user_id,
        member.correlate(Case, Submission, User).exists(),
        told.correlate(Case, Submission, User).exists(),
    )


def _heard(session: Session, case: Case) -> Sequence[User]:
    query = (
        sa.select(User)
        .join(Case, Case.id == case.id)
        .join(Submission, Submission.id == Case.submission_id)
        .where(concerns(User.id))
    )
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
