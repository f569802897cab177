"""Lowering published grades, or the scale after the opening: asked by one, signed by another.

In a course with one instructor the same one signs, a day after asking.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.grades import marks, publishing, scales
from leaderboard.models import Assignment, GradeLowering, PublishedGrade, User
from leaderboard.rules import second_person


def ask(session: Session, assignment: Assignment, reason: str, *, actor: User) -> GradeLowering:
    """Ask that the present grades count though some are lower than before.

    Opens its own write transaction.

    Raises:
        BadRequest: no reason.
        NotAllowedNow: it is asked already.
    """
    reason = reason.strip()
    if not reason:
        raise BadRequest(said("grade.no_reason"))
    if len(reason) > marks.LONGEST_REASON:
        raise BadRequest(said("grade.long_reason", most=marks.LONGEST_REASON))
    with writing(session):
        publishing.hold(session, assignment)
        if open_one(session, assignment) is not None:
            raise NotAllowedNow(said("grade.lowering_asked"))
        made = GradeLowering(
            assignment_id=assignment.id,
            scale_number=_newest(session, assignment),
            reason=reason,
            asked_by=actor.id,
            asked_at=utcnow(),
        )
        session.add(made)
        session.flush()
        _record(session, "ask_lowering", assignment, made, actor)
    return made


def sign(session: Session, assignment: Assignment, *, actor: User) -> publishing.Publication | None:
    """Sign what another instructor asked; grades that were published are published anew.

    Opens its own write transaction. None: no grade was published yet.

    Raises:
        NotAllowedNow: nobody asked, it is one's own wish, the day is not over, or the scale has
            changed since.
    """
    with writing(session):
        publishing.hold(session, assignment)
        asked = open_one(session, assignment)
        if asked is None:
            raise NotAllowedNow(said("grade.no_lowering"))
        second_person.check(
            session,
            assignment.course_id,
            first=asked.asked_by,
            since=asked.asked_at,
            actor=actor,
        )
        if asked.scale_number != _newest(session, assignment):
            raise NotAllowedNow(said("grade.scale_moved"))
        asked.signed_by, asked.signed_at = actor.id, utcnow()
        session.flush()
        _record(session, "sign_lowering", assignment, asked, actor)
        is_published = session.scalar(
            sa.select(sa.literal(1)).where(PublishedGrade.assignment_id == assignment.id).limit(1)
        )
        if not is_published:
            return None
        return publishing.publish_now(session, assignment, actor=actor, may_lower=True)


def withdraw(session: Session, assignment: Assignment, *, actor: User) -> None:
    """Take back what was asked. Opens its own write transaction.

    Raises:
        NotAllowedNow: nobody asked.
    """
    with writing(session):
        publishing.hold(session, assignment)
        asked = open_one(session, assignment)
        if asked is None:
            raise NotAllowedNow(said("grade.no_lowering"))
        asked.withdrawn_at = utcnow()
        session.flush()
        _record(session, "withdraw_lowering", assignment, asked, actor)


def open_one(session: Session, assignment: Assignment) -> GradeLowering | None:
    """The one that waits for its second signature."""
    return session.scalars(
        sa.select(GradeLowering).where(
            GradeLowering.assignment_id == assignment.id,
            GradeLowering.signed_at.is_(None),
            GradeLowering.withdrawn_at.is_(None),
        )
    ).first()


def _newest(session: Session, assignment: Assignment) -> int | None:
    found = scales.versions(session, assignment)
    return found[-1].number if found else None


def _record(
    session: Session, step: str, assignment: Assignment, about: GradeLowering, actor: User
) -> None:
    audit.record(
        session,
        action=f"grade.{step}",
        subject=f"assignment:{assignment.id}",
        course=assignment.course,
        actor=actor,
        details={"lowering": about.id, "scale": about.scale_number},
    )
