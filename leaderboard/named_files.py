"""Which files of the store the database names: what a backup copies, and what must never go."""

from __future__ import annotations

import sqlalchemy as sa

from leaderboard.models import Assignment, Evaluation, Submission


def all_named() -> sa.CompoundSelect[tuple[str]]:
    """The SHA-256 of every file that is still needed, each once.

    The assignments' files of the past are among them: scores were made with those.
    """
    return sa.union(
        sa.select(Assignment.folder_sha256),
        sa.select(Assignment.pack_sha256),
        sa.select(Assignment.rows_sha256),
        sa.select(Evaluation.folder_sha256),
        sa.select(Evaluation.predictions_sha256).where(Evaluation.predictions_sha256.is_not(None)),
        sa.select(Submission.content_sha256).where(Submission.content_removed_at.is_(None)),
    )
