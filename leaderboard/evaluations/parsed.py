"""What the door read from a CSV, kept for the worker, so that a file is parsed once.

Kept under its hash, as the predictions of the evaluation that will name it. Until then nothing
else does: what waits too long is swept up, and the worker reads the file itself, as it does for
whatever was queued without.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import grader
from leaderboard.blobs import BlobDamaged, BlobMissing, BlobStore
from leaderboard.blobs.store import YOUNG_SECONDS
from leaderboard.db import utcnow
from leaderboard.models import Assignment, Cause, Kind, Submission
from leaderboard.queue.durable import Job, Parsed

if TYPE_CHECKING:
    from leaderboard.state import State

log = logging.getLogger(__name__)

# of one reading; more would hold up the door, and the worker reads it as fast
_MOST_BYTES = 64 << 20


def keep(
    blobs: BlobStore, assignment: Assignment, predictions: grader.Predictions, content_sha256: str
) -> Parsed | None:
    """Keep what was read from the file of this hash; None where it is too much."""
    if predictions.scores is not None and predictions.scores.nbytes > _MOST_BYTES:
        return None
    return Parsed(
        content_sha256=content_sha256,
        rows_sha256=assignment.rows_sha256,
        predictions_sha256=blobs.put_bytes(predictions.to_bytes()).sha256,
    )


def read(state: State, job: Job, submission: Submission) -> grader.Predictions | None:
    """What the door read from the submission's file; None where the file is to be read.

    It is, where the assignment expects other rows by now, and wherever somebody asked to evaluate
    the file once more.
    """
    kept = job.parsed
    if kept is None or not _is_of(kept, submission):
        return None
    try:
        return grader.Predictions.from_bytes(state.blobs.read(kept.predictions_sha256))
    except (BlobMissing, BlobDamaged, ValueError) as error:
        log.warning("the file of %s is read once more: %s", submission.public_id, error)
        return None


def _is_of(kept: Parsed, submission: Submission) -> bool:
    # it must be there until the evaluation names it
    is_young = utcnow() - submission.accepted_at < timedelta(seconds=YOUNG_SECONDS / 2)
    return (
        submission.kind is Kind.CSV
        and submission.evaluation_cause is Cause.HAND_IN
        and kept.content_sha256 == submission.content_sha256
        and kept.rows_sha256 == submission.assignment.rows_sha256
        and is_young
    )
