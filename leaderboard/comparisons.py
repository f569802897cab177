"""One submission beside the team's other ones and beside a baseline, image by image. Reads only.

On an exact board only: elsewhere the sign of a difference that the board keeps back would show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session, joinedload, undefer

from grader.significance import ALPHA, mcnemar_p_value
from leaderboard import catalog, standings
from leaderboard.models import Assignment, Evaluation, Split, SplitScore, Standing, Submission

_EARLIER = 5


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Another entry beside this one: by how much this one is ahead in the ranking metric (in the
    metric's own unit, negative where it is worse), and whether the answers tell the two apart."""

    name: str
    public_id: str  # empty for a baseline
    score: float
    ahead: float
    is_told_apart: bool


def with_earlier(
    session: Session, submission: Submission, *, limit: int = _EARLIER
) -> tuple[Comparison, ...]:
    """The team's scored submissions before this one, newest first."""
    ours = _score_of(session, submission)
    if ours is None:
        return ()
    earlier = session.execute(
        sa.select(Submission, SplitScore)
        .join(Evaluation, Submission.current_evaluation_id == Evaluation.id)
        .join(SplitScore, SplitScore.evaluation_id == Evaluation.id)
        .where(
            Submission.assignment_id == submission.assignment_id,
            Submission.team_id == submission.team_id,
            Submission.id < submission.id,
            SplitScore.split == ours.split,
        )
        .options(undefer(SplitScore.right))
        .order_by(Submission.id.desc())
        .limit(limit)
    )
    return tuple(
        _compared(submission.assignment, ours, score, name=_title(each), public_id=each.public_id)
        for each, score in earlier
    )


def with_baselines(session: Session, submission: Submission) -> tuple[Comparison, ...]:
    """Every baseline, best first."""
    ours = _score_of(session, submission)
    if ours is None:
        return ()
    found = session.scalars(
        standings.baselines(submission.assignment, ours.split).options(undefer(Standing.right))
    )
    return tuple(
        _compared(submission.assignment, ours, each, name=each.team.name)
        for each in found
        if each.team_id != submission.team_id
    )


def _score_of(session: Session, submission: Submission) -> SplitScore | None:
    """The score that may be compared: the public one, after release the private one."""
    is_released = submission.assignment.released_at is not None
    mode = catalog.rules(submission.assignment).scoring.public_board
    if submission.current_evaluation_id is None or not (is_released or mode == "exact"):
        return None
    split = Split.PRIVATE if is_released else Split.PUBLIC
    return session.scalars(
        sa.select(SplitScore)
        .filter_by(evaluation_id=submission.current_evaluation_id, split=split)
        .options(undefer(SplitScore.right), joinedload(SplitScore.evaluation))
    ).first()


def _compared(
    assignment: Assignment,
    ours: SplitScore,
    theirs: SplitScore | Standing,
    *,
    name: str,
    public_id: str = "",
) -> Comparison:
    ahead = ours.primary - theirs.primary
    return Comparison(
        name=name,
        public_id=public_id,
        score=theirs.primary,
        ahead=ahead if standings.higher_is_better(assignment.metric) else -ahead,
        is_told_apart=_told_apart(ours.right, theirs.right),
    )


def _told_apart(first: bytes, second: bytes) -> bool:
    """By the exact McNemar test at 5 %; entries scored on other images can't be told apart."""
    if len(first) != len(second):
        return False
    a, b = _bits(first), _bits(second)
    only_first, only_second = np.count_nonzero(a & ~b), np.count_nonzero(b & ~a)
    return mcnemar_p_value(int(only_first), int(only_second)) <= ALPHA


def _bits(right: bytes) -> NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(right, dtype=np.uint8)).astype(np.bool_)


def _title(submission: Submission) -> str:
    return submission.message or submission.filename
