"""Showing the private board to students, and taking it back."""

from __future__ import annotations

from sqlalchemy.orm import Session

from leaderboard import audit
from leaderboard.boards import placing
from leaderboard.db import utcnow, writing
from leaderboard.messages import notifications
from leaderboard.models import Assignment, User


def release(session: Session, assignment: Assignment, *, actor: User | None) -> None:
    """Show private scores and ranks. Repeating it changes nothing. Opens its own transaction."""
    with writing(session):
        if assignment.released_at is None:
            assignment.released_at = utcnow()
            session.flush()
            placing.refresh_emptied(session, assignment)
            notifications.tell_release(session, assignment)
            _note(session, assignment, actor, "assignment.release")


def unrelease(session: Session, assignment: Assignment, *, actor: User | None) -> None:
    """Hide them again. Repeating it changes nothing. Opens its own write transaction."""
    with writing(session):
        if assignment.released_at is not None:
            assignment.released_at = None
            session.flush()
            placing.refresh_emptied(session, assignment)
            _note(session, assignment, actor, "assignment.unrelease")


def _note(session: Session, assignment: Assignment, actor: User | None, action: str) -> None:
    audit.record(
        session,
        action=action,
        subject=f"assignment:{assignment.id}",
        course=assignment.course,
        actor=actor,
    )
