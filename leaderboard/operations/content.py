"""How long the files of hand-ins are kept. Scores, predictions, receipts and hashes always are.

Two steps, two days apart: a submission's file is first marked as removed, in the database and the
audit log, and deleted later. So a backup that is being made meanwhile finds all that it names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard import audit
from leaderboard.db import utcnow, writing
from leaderboard.models import (
    Assignment,
    Case,
    CaseState,
    Standing,
    Submission,
    SubmissionStatus,
    Team,
)
from leaderboard.operations import named_files
from leaderboard.receipts import canonical_json
from leaderboard.state import State

MARKED_DAYS: Final = 2  # between the mark and the deletion
_BATCH = 1000  # submissions a transaction


@dataclass(frozen=True, kw_only=True)
class Cleared:
    """What was, or would be, done. `freed_bytes` is of the files that are deleted now."""

    marked: tuple[str, ...]
    deleted: int
    freed_bytes: int


def clear(state: State, *, days: int, dry_run: bool = False) -> Cleared:
    """Mark what is past its time, and delete what was marked earlier or never belonged to a row.

    Past its time are the files of finished hand-ins of an assignment released `days` ago that are
    nobody's final pick, stand on no board, and about which no case is open or voided them: one may
    have to be shown, or counts again. `days` 0: none. Opens its own write transactions.
    """
    now = utcnow()
    marked = _mark_due(state, now, days=days, dry_run=dry_run) if days else ()
    with state.database.reading() as session:
        kept = set(session.scalars(named_files.all_named()))
        kept.update(_marked_lately(session, now))
    deleted = freed = 0
    for blob in state.blobs.everything():
        # a file without a row may be one whose row is being written: the store keeps the young
        if blob.sha256 not in kept and not dry_run and state.blobs.remove(blob.sha256):
            deleted, freed = deleted + 1, freed + blob.size
    return Cleared(marked=marked, deleted=deleted, freed_bytes=freed)


def _mark_due(state: State, now: datetime, *, days: int, dry_run: bool) -> tuple[str, ...]:
    marked: list[str] = []
    last = 0
    with state.database.session() as session:
        while due := _due(session, now - timedelta(days=days), after_id=last):
            marked.extend(each.public_id for each in due)
            last = due[-1].id
            if not dry_run:
                _mark(session, due, now)
    return tuple(marked)


def _due(session: Session, released_before: datetime, *, after_id: int) -> Sequence[Submission]:
    on_a_board = sa.select(Standing.id).where(Standing.submission_id == Submission.id)
    in_a_case = sa.select(Case.id).where(
        Case.submission_id == Submission.id, Case.state != CaseState.CLOSED
    )
    return session.scalars(
        sa.select(Submission)
        .join(Assignment, Assignment.id == Submission.assignment_id)
        .join(Team, Team.id == Submission.team_id)
        .where(
            Submission.id > after_id,
            Assignment.released_at < released_before,
            Submission.status.in_((SubmissionStatus.FINISHED, SubmissionStatus.CANCELLED)),
            Submission.content_removed_at.is_(None),
            Submission.is_final_pick.is_(False),
            Team.is_baseline.is_(False),
            ~on_a_board.exists(),
            ~in_a_case.exists(),
        )
        .order_by(Submission.id)
        .limit(_BATCH)
    ).all()


def _mark(session: Session, due: Sequence[Submission], now: datetime) -> None:
    ids = {each.id for each in due}
    with writing(session):
        # anew, inside the transaction: one may have been picked or queued again since
        still = session.scalars(
            sa.select(Submission).where(
                Submission.id.in_(ids),
                Submission.is_final_pick.is_(False),
                Submission.status.in_((SubmissionStatus.FINISHED, SubmissionStatus.CANCELLED)),
            )
        ).all()
        by_assignment: dict[int, list[Submission]] = {}
        for submission in still:
            submission.content_removed_at = now
            by_assignment.setdefault(submission.assignment_id, []).append(submission)
        for assignment_id, submissions in by_assignment.items():
            names = sorted(each.public_id for each in submissions)
            audit.record(
                session,
                action="content.remove",
                subject=f"assignment:{assignment_id}",
                course=submissions[0].assignment.course,
                details={
                    "submissions": len(names),
                    "ids_sha256": hashlib.sha256(canonical_json(names)).hexdigest(),
                },
            )


def _marked_lately(session: Session, now: datetime) -> Sequence[str]:
    return session.scalars(
        sa.select(Submission.content_sha256).where(
            Submission.content_removed_at > now - timedelta(days=MARKED_DAYS)
        )
    ).all()
