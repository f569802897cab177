"""What the public board shows of a new entry, where its mode needs the team's earlier ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

import grader
from grader.ladder import BoardMode, replay, shown_score
from leaderboard import catalog
from leaderboard.models import Evaluation, Submission

if TYPE_CHECKING:
    from leaderboard.state import State


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
    earlier = session.scalars(
        sa.select(Evaluation.predictions_sha256)
        .join(Submission, Submission.current_evaluation_id == Evaluation.id)
        .where(
            Submission.assignment_id == submission.assignment_id,
            Submission.team_id == submission.team_id,
            Submission.id < submission.id,
            Evaluation.verdict == grader.Verdict.OK.value,
        )
        .order_by(Submission.id)
    ).all()
    for sha256 in earlier:
        if sha256 is not None:
            kept = grader.Predictions.from_bytes(state.blobs.read(sha256))
            yield (kept.labels == key.labels)[key.public]
    yield (predictions.labels == key.labels)[key.public]
