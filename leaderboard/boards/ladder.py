"""What the public board shows of a new entry, where its mode needs the team's earlier ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

import grader
from grader.scoring.ladder import BoardMode, replay, shown_score
from leaderboard.models import Evaluation, Split, SplitScore, Submission
from leaderboard.rules import catalog

if TYPE_CHECKING:
    from leaderboard.state import State

# which images each earlier entry got right stands beside its score: no file is read while others
# wait to write
_EARLIER = (
    sa.select(
        Evaluation.answers_sha256, Evaluation.predictions_sha256, SplitScore.n, SplitScore.right
    )
    .join(Submission, Submission.current_evaluation_id == Evaluation.id)
    .join(SplitScore, SplitScore.evaluation_id == Evaluation.id)
    .where(
        SplitScore.split == Split.PUBLIC,
        Submission.assignment_id == sa.bindparam("assignment"),
        Submission.team_id == sa.bindparam("team"),
        Submission.id < sa.bindparam("submission"),
        Evaluation.verdict == grader.Verdict.OK.value,
        Submission.voided_at.is_(None),
    )
    .order_by(Submission.id)
)


def shown(
    session: Session,
    state: State,
    submission: Submission,
    predictions: grader.Predictions | None,
    exact: float,
) -> float:
    """The public score that students may see after this entry: exact, rounded, or the Ladder's.

    The Ladder is replayed over the team's scored hand-ins up to this one, in their order, so that
    a rejudge comes to the same steps.
    """
    mode = BoardMode(catalog.rules(submission.assignment).scoring.public_board)
    steps = replay([])
    if mode is BoardMode.LADDER:
        assert predictions is not None
        steps = replay(_right(session, state, submission, predictions))
    value = shown_score(mode, exact, steps)
    assert value is not None
    return value


def _right(
    session: Session, state: State, submission: Submission, predictions: grader.Predictions
) -> Iterator[NDArray[np.bool_]]:
    """For each scored hand-in of the team up to this one: which public images it got right."""
    key = state.catalog.load(submission.assignment).answer_key()
    for earlier in session.execute(_EARLIER, _place_of(submission)):
        if earlier.answers_sha256 == key.sha256:
            bits = np.frombuffer(earlier.right, dtype=np.uint8)
            yield np.unpackbits(bits, count=earlier.n).astype(np.bool_)
        elif earlier.predictions_sha256 is not None:
            # the answers changed, and the rescore has not come to it yet
            kept = grader.Predictions.from_bytes(state.blobs.read(earlier.predictions_sha256))
            yield _right_of(kept, key)
    yield _right_of(predictions, key)


def _right_of(predictions: grader.Predictions, key: grader.AnswerKey) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = predictions.of_rows(key.ids).labels == key.labels
    return right[key.public]


def _place_of(submission: Submission) -> dict[str, int]:
    return {
        "assignment": submission.assignment_id,
        "team": submission.team_id,
        "submission": submission.id,
    }
