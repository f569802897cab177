"""Drafts in the database: a folder in the store, which is replaced by another at each change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

import grader
from grader.words.message import Message, said
from leaderboard import audit
from leaderboard.assignments import editions
from leaderboard.assignments.changes import Changes
from leaderboard.db import utcnow, writing
from leaderboard.drafts.checking import check_scores
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.models import Assignment, AssignmentDraft, Course, User
from leaderboard.state import State


def add(
    session: Session,
    state: State,
    course: Course,
    folder: Path,
    *,
    notices: Sequence[Message] = (),
    actor: User | None,
) -> AssignmentDraft:
    """Keep a folder as a draft. Opens its own write transaction."""
    kept = editions.keep_folder(state.blobs, folder)
    told = [{"text": str(each), **each.as_data()} for each in notices]
    return _add(session, course, kept.sha256, told, actor)


def of_published(
    session: Session, assignment: Assignment, *, actor: User | None
) -> AssignmentDraft:
    """Begin to change a published assignment. Opens its own write transaction."""
    return _add(session, assignment.course, assignment.folder_sha256, [], actor)


def of_course(session: Session, course: Course) -> Sequence[AssignmentDraft]:
    """The drafts of a course, the last changed first."""
    return session.scalars(
        sa.select(AssignmentDraft)
        .where(AssignmentDraft.course_id == course.id)
        .order_by(AssignmentDraft.changed_at.desc(), AssignmentDraft.id.desc())
    ).all()


def one(session: Session, course: Course, number: int) -> AssignmentDraft:
    """A draft of a course by its number.

    Raises:
        NotFound: there is none.
    """
    found = session.get(AssignmentDraft, number)
    if found is None or found.course_id != course.id:
        raise NotFound
    return found


def replace(
    session: Session,
    state: State,
    draft: AssignmentDraft,
    folder: Path,
    *,
    seen: str,
    actor: User | None,
) -> None:
    """Keep another folder in place of the draft's. Opens its own write transaction.

    Raises:
        NotAllowedNow: somebody else changed the draft since its folder was `seen`.
    """
    kept = editions.keep_folder(state.blobs, folder)
    with writing(session):
        session.refresh(draft, with_for_update=True)
        _check_seen(draft, seen)
        draft.folder_sha256, draft.changed_at = kept.sha256, utcnow()
        session.flush()
        _record(session, "change", draft, actor)


def drop(session: Session, draft: AssignmentDraft, *, actor: User | None) -> None:
    """Forget a draft. Opens its own write transaction."""
    with writing(session):
        _record(session, "drop", draft, actor)
        session.delete(draft)


def changes(session: Session, state: State, draft: AssignmentDraft) -> Changes:
    """What publishing it would change for those who have handed in."""
    return editions.changes(session, state, _folder(state, draft), draft.course)


def publish(
    session: Session, state: State, draft: AssignmentDraft, *, seen: str, actor: User | None
) -> Assignment:
    """Publish a draft, which goes. Opens its own write transactions.

    Raises:
        NotAllowedNow: somebody changed it since its folder was `seen`, it would take the place of
            another assignment, or the answers don't score what they must.
        BadRequest: it is not fit to be published.
    """
    session.refresh(draft)
    _check_seen(draft, seen)
    check_scores(state.catalog.load_version(draft.folder_sha256))
    try:
        made = editions.publish(session, state, _folder(state, draft), draft.course, actor=actor)
    except grader.AssignmentError as error:
        raise BadRequest(said("draft.unfit", problems="; ".join(error.problems))) from error
    with writing(session):
        _record(session, "publish", draft, actor)
        session.delete(draft)
    return made


def _folder(state: State, draft: AssignmentDraft) -> Path:
    return state.catalog.load_version(draft.folder_sha256).folder


def _check_seen(draft: AssignmentDraft, seen: str) -> None:
    if draft.folder_sha256 != seen:
        raise NotAllowedNow(said("draft.changed_meanwhile"))


def _add(
    session: Session,
    course: Course,
    folder_sha256: str,
    notices: list[dict[str, Any]],
    actor: User | None,
) -> AssignmentDraft:
    with writing(session):
        now = utcnow()
        made = AssignmentDraft(
            course_id=course.id,
            folder_sha256=folder_sha256,
            notices=notices,
            made_at=now,
            changed_at=now,
        )
        session.add(made)
        session.flush()
        _record(session, "make", made, actor)
    return made


def _record(session: Session, step: str, draft: AssignmentDraft, actor: User | None) -> None:
    audit.record(
        session,
        action=f"draft.{step}",
        subject=f"draft:{draft.id}",
        course=draft.course,
        actor=actor,
        details={"folder": draft.folder_sha256},
    )
