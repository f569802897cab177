"""What the public board shows of a new entry, where its mode needs the team's earlier ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

import grader
from grader.scoring.ladder import BoardMode, replay, shown_score
from leaderboard.models import Assignment, Evaluation, Split, SplitScore, Submission
from leaderboard.rules import catalog

if TYPE_CHECKING:
    from leaderboard.state import State

# which images each earlier entry got right stands beside its score: no file is read while others
# wait to write
_STEPS = sa.select(
    Evaluation.id,
    Evaluation.answers_sha256,
    Evaluation.predictions_sha256,
    SplitScore.n,
    SplitScore.right,
)
_Step: TypeAlias = "sa.Row[*tuple[Any, ...]]"  # of _STEPS
_EARLIER = (
    _STEPS.join(Submission, Submission.current_evaluation_id == Evaluation.id)
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
_RECORDED = (
    _STEPS.join(Submission, Submission.id == Evaluation.submission_id)
    .join(SplitScore, SplitScore.evaluation_id == Evaluation.id)
    .where(
        SplitScore.split == Split.PUBLIC,
        Evaluation.id.in_(sa.bindparam("evaluations", expanding=True)),
        Submission.assignment_id == sa.bindparam("assignment"),
        Submission.id < sa.bindparam("submission"),
    )
    .order_by(Submission.id)
)
AFTER: Final = "ladder_after"
"""Among an evaluation's facts: the ids of the evaluations that its Ladder had climbed before."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The public score that students may see, with the facts that it can be computed from again."""

    score: float
    facts: Mapping[str, Any] = field(default_factory=dict)


def shown(
    session: Session,
    state: State,
    submission: Submission,
    edition: Assignment,
    predictions: grader.Predictions | None,
    exact: float,
    *,
    key: grader.AnswerKey | None = None,
) -> Shown:
    """The public score that students may see after this entry: exact, rounded, or the Ladder's.

    `key` are other answers than the edition's, where one asks what they would change.

    The Ladder is replayed over the team's scored hand-ins up to this one, in their order, so that
    a rejudge comes to the same steps; which they were is kept, since what counts may change later.
    """
    mode = BoardMode(catalog.rules(edition).scoring.public_board)
    if mode is not BoardMode.LADDER:
        value = shown_score(mode, exact, replay([]))
        assert value is not None
        return Shown(score=value)
    assert predictions is not None
    team = {"team": submission.team_id}
    earlier = session.execute(_EARLIER, {**_place_of(submission), **team}).all()
    key = key or state.catalog.load(edition).answer_key()
    value = _climbed(state, earlier, predictions, key)
    return Shown(score=value, facts={AFTER: [each.id for each in earlier]})


def shown_again(
    session: Session,
    state: State,
    evaluation: Evaluation,
    loaded: grader.Assignment,
    predictions: grader.Predictions,
    exact: float,
) -> float | None:
    """What was shown of a stored evaluation, by its own edition; None where an older version wrote
    it, which did not keep the steps. Reads only.

    Raises:
        LookupError: the steps that it names are not there.
    """
    mode = BoardMode(loaded.scoring.public_board)
    if mode is not BoardMode.LADDER:
        return shown_score(mode, exact, replay([]))
    named = evaluation.facts.get(AFTER)
    if named is None:
        return None
    place = {"evaluations": named, **_place_of(evaluation.submission)}
    earlier = session.execute(_RECORDED, place).all()
    if [each.id for each in earlier] != named:
        raise LookupError
    return _climbed(state, earlier, predictions, loaded.answer_key())


def _climbed(
    state: State,
    before: Sequence[_Step],
    predictions: grader.Predictions,
    key: grader.AnswerKey,
) -> float:
    value = replay(_right(state, before, predictions, key)).shown
    assert value is not None
    return value


def _right(
    state: State,
    before: Iterable[_Step],
    predictions: grader.Predictions,
    key: grader.AnswerKey,
) -> Iterator[NDArray[np.bool_]]:
    """For each scored hand-in of the team up to this one: which public images it got right."""
    for earlier in before:
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
        "submission": submission.id,
    }
