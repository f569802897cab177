"""Every stored score, computed once more from the stored predictions and the answers of then."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

import grader
from leaderboard.blobs import BlobDamaged, BlobMissing
from leaderboard.boards import ladder
from leaderboard.models import Cause, Evaluation, Kind, Split, SplitScore, Submission
from leaderboard.operations.verifying.difference import Difference
from leaderboard.state import State

_BATCH: Final = 200
# other processors and later versions of NumPy take a logarithm to another last digit
_TOLERANCE: Final = 1e-9


def look(session: Session, state: State) -> Iterator[Difference | None]:
    """By batches of ids: a long transaction would keep SQLite's log from being folded in."""
    last = 0
    while True:
        batch = session.scalars(
            sa.select(Evaluation)
            .where(Evaluation.id > last, Evaluation.predictions_sha256.is_not(None))
            .options(
                joinedload(Evaluation.submission),
                selectinload(Evaluation.splits).undefer(SplitScore.right),
            )
            .order_by(Evaluation.id)
            .limit(_BATCH)
        ).all()
        if not batch:
            return
        for evaluation in batch:
            reason = _score_again(session, state, evaluation)
            subject = f"{evaluation.submission.public_id}.{evaluation.number}"
            yield Difference(subject=subject, reason=reason) if reason else None
        last = batch[-1].id
        session.rollback()
        session.expunge_all()


def _score_again(session: Session, state: State, evaluation: Evaluation) -> str:
    """What differs from the stored scores when they are computed anew; "" if nothing does."""
    assert evaluation.predictions_sha256 is not None
    try:
        stored = state.blobs.read(evaluation.predictions_sha256)
        assignment = state.catalog.load_version(evaluation.folder_sha256)
        predictions = grader.Predictions.from_bytes(stored)
        return _compare(session, state, evaluation, predictions, assignment)
    except (BlobMissing, BlobDamaged) as error:
        return str(error)
    except (ValueError, grader.MetricUnavailable, grader.AssignmentError) as error:
        return f"it can't be scored again: {error}"


def _compare(
    session: Session,
    state: State,
    evaluation: Evaluation,
    predictions: grader.Predictions,
    assignment: grader.Assignment,
) -> str:
    key = assignment.answer_key()
    if key.sha256 != evaluation.answers_sha256:
        return "the answers of its assignment are not those that it was scored with"
    seeds = {predictions.seed.hex(), predictions.of_rows(key.ids).seed.hex(), None}
    if evaluation.labels_sha256 not in seeds:
        return "its predictions are not those that it was scored from"
    if not _is_of_its_file(state, evaluation, predictions, assignment):
        return "its predictions are not what its file says"
    if {kept.split for kept in evaluation.splits} != set(Split):
        return "it has predictions, but no scores of each split"
    if evaluation.cause is Cause.RESCORE:
        predictions = predictions.of_rows(key.ids)  # rows may have been withdrawn since
    scores = grader.score(predictions, key)
    right = dict(zip(Split, grader.right_images(predictions, key), strict=True))
    metric = assignment.scoring.metric
    for kept in evaluation.splits:
        score = scores.public if kept.split is Split.PUBLIC else scores.private
        reason = _difference(kept, score, metric, right[kept.split])
        if reason:
            return reason
    return _shown_difference(session, state, evaluation, predictions, assignment)


def _shown_difference(
    session: Session,
    state: State,
    evaluation: Evaluation,
    predictions: grader.Predictions,
    assignment: grader.Assignment,
) -> str:
    """What the public board shows, against what its mode makes of the score."""
    public = next(kept for kept in evaluation.splits if kept.split is Split.PUBLIC)
    try:
        anew = ladder.shown_again(
            session, state, evaluation, assignment, predictions, public.primary
        )
    except LookupError:
        return "the hand-ins that its Ladder climbed before are not there"
    if anew is None or _holds(public.shown, anew):
        return ""
    return "what the public board shows of it comes out differently"


def _difference(kept: SplitScore, score: grader.Score, metric: str, right: bytes) -> str:
    """What one split's row holds that does not follow from its score."""
    anew = score.as_dict()
    # the JSON form, as the database gave it back: lists where there were tuples
    if not _holds(kept.report, anew):
        return f"its {kept.split.value} score comes out differently"
    if not _holds(_columns(kept), {"n": score.n, **score.values}):
        return f"its {kept.split.value} score is not what its report says"
    if not _holds(kept.primary, float(score.metric(metric))):
        return f"its {kept.split.value} ranking score comes out differently"
    if kept.split is Split.PRIVATE and kept.shown != kept.primary:
        return "its private score is not what the board shows"
    if kept.right != right:
        return f"which images of its {kept.split.value} split are right comes out differently"
    return ""


def _columns(kept: SplitScore) -> dict[str, Any]:
    names = ("n", "accuracy", "macro_precision", "macro_recall", "macro_f1")
    return {name: getattr(kept, name) for name in names}


def _holds(stored: Any, anew: Any) -> bool:
    """Whether figures are the same; a later version may know more of them, but no others."""
    if isinstance(stored, Mapping):
        return isinstance(anew, Mapping) and all(
            name in anew and _holds(value, anew[name]) for name, value in stored.items()
        )
    if isinstance(stored, list):
        return (
            isinstance(anew, list | tuple)
            and len(stored) == len(anew)
            and all(map(_holds, stored, anew))
        )
    if isinstance(stored, float) and isinstance(anew, float):
        return math.isclose(stored, anew, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return bool(stored == anew)


def _is_of_its_file(
    state: State,
    evaluation: Evaluation,
    predictions: grader.Predictions,
    assignment: grader.Assignment,
) -> bool:
    """Whether a CSV, read once more, says the same; what is not kept or no CSV is not asked.

    A rescore is of the predictions alone: their rows may be those of earlier answers.
    """
    submission: Submission = evaluation.submission
    is_read_from_file = submission.kind is Kind.CSV and evaluation.cause is not Cause.RESCORE
    if not is_read_from_file or submission.content_removed_at is not None:
        return True
    try:
        with state.blobs.local(submission.content_sha256) as path, path.open("rb") as file:
            read = grader.parse_predictions(file, assignment.expected())
    except (BlobMissing, BlobDamaged):
        return True  # told of as a file
    except grader.InvalidPredictions:
        return False
    same = np.array_equal(read.labels, predictions.labels) and read.ids == predictions.ids
    if read.scores is None or predictions.scores is None:
        return same and read.scores is predictions.scores
    return same and np.array_equal(read.scores, predictions.scores)
