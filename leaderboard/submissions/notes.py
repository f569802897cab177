"""Notes of the teaching team about a submission. Its team does not see them on any page; whoever
handed it in has them in their own record, without the name of the author."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from grader.words.message import said
from leaderboard import audit
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotFound
from leaderboard.models import Submission, SubmissionNote, User

LONGEST: Final = 5000


def of(session: Session, submission: Submission) -> Sequence[SubmissionNote]:
    """The notes about a submission, oldest first."""
    return session.scalars(
        sa.select(SubmissionNote)
        .where(SubmissionNote.submission_id == submission.id)
        .options(joinedload(SubmissionNote.author))
        .order_by(SubmissionNote.id)
    ).all()


def add(
    session: Session, submission: Submission, text: str, *, actor: User | None
) -> SubmissionNote:
    """Write one. Opens its own write transaction.

    Raises:
        BadRequest: there is no text, or too much.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise BadRequest(said("note.text", most=LONGEST))
    with writing(session):
        made = SubmissionNote(
            submission_id=submission.id,
            user_id=submission.user_id,
            author_id=actor.id if actor else None,
            text=text,
            created_at=utcnow(),
        )
        session.add(made)
        session.flush()
        _note(session, "note.add", submission, made.id, actor)
    return made


def remove(session: Session, submission: Submission, note_id: int, *, actor: User | None) -> None:
    """Remove one, for good. Opens its own write transaction.

    Raises:
        NotFound: the submission has no such note.
    """
    with writing(session):
        found = session.scalars(
            sa.select(SubmissionNote).where(
                SubmissionNote.submission_id == submission.id, SubmissionNote.id == note_id
            )
        ).first()
        if found is None:
            raise NotFound(said("note.none", note=note_id))
        session.delete(found)
        _note(session, "note.remove", submission, note_id, actor)


def _note(
    session: Session, action: str, submission: Submission, note_id: int, actor: User | None
) -> None:
    audit.record(
        session,
        action=action,
        subject=submission.public_id,
        course=submission.assignment.course,
        actor=actor,
        details={"note": note_id},
    )
