"""One submission beside the team's other ones and beside baselines, image by image. Reads only.

On an exact board only: elsewhere the sign of a difference that the board keeps back would show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session, undefer

from grader.scoring.significance import ALPHA, mcnemar_p_value
from leaderboard.boards import standings
from leaderboard.models import (
    Assignment,
    Evaluation,
    Split,
    SplitScore,
    Standing,
    Submission,
    Team,
    Track,
)
from leaderboard.rules import catalog
from leaderboard.views import stored
from leaderboard.views.stored import Stored

_EARLIER = 5
_NEAREST = 3


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Another entry beside this one: by how much this one is ahead in the ranking metric (in the
    metric's own unit, negative where it is worse), how many more images are right (None where they
    were scored on other images), and whether the answers tell the two apart."""

    name: str
    public_id: str  # empty for a baseline
    score: float
    ahead: float
    images: int | None
    is_told_apart: bool


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A baseline that an entry can be compared with."""

    team_id: int
    name: str
    is_chosen: bool


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """Baselines beside an entry, best first: the nearest, a chosen one that is farther away (none
    or one), and all that can be chosen."""

    nearest: tuple[Comparison, ...] = ()
    chosen: tuple[Comparison, ...] = ()
    choices: tuple[Choice, ...] = ()

    @property
    def is_choice(self) -> bool:
        """Whether there are more than the nearest."""
        return len(self.choices) > _NEAREST


def with_earlier(
    session: Session,
    submission: Submission,
    *,
    read: Stored | None = None,
    limit: int = _EARLIER,
) -> tuple[Comparison, ...]:
    """The team's scored submissions before this one, newest first; `read` is what belongs to it,
    if that was read already."""
    ours = _score_of(submission, read or stored.read(session, [submission], bits=True))
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
            Submission.voided_at.is_(None),
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


def with_baselines(
    session: Session,
    submission: Submission,
    *,
    read: Stored | None = None,
    chosen: int | None = None,
) -> Baselines:
    """The baselines nearest in score, and the one whose team is `chosen`, if there is such.

    A course may have dozens: what each answered is read of those few only.
    """
    ours = _score_of(submission, read or stored.read(session, [submission], bits=True))
    if ours is None:
        return Baselines()
    listed = _listed(session, submission, ours.split)
    if not listed:
        return Baselines()
    by_distance = sorted(listed, key=lambda each: abs(each.primary - ours.primary))
    nearest = {each.team_id for each in by_distance[:_NEAREST]}
    wanted = nearest | {each.team_id for each in listed if each.team_id == chosen}
    found = session.scalars(
        standings.baselines(submission.assignment, ours.split)
        .where(Standing.team_id.in_(wanted))
        .options(undefer(Standing.right))
    )
    rows = {
        each.team_id: _compared(submission.assignment, ours, each, name=each.team.shown_name)
        for each in found
    }
    return Baselines(
        nearest=tuple(row for team_id, row in rows.items() if team_id in nearest),
        chosen=tuple(row for team_id, row in rows.items() if team_id not in nearest),
        choices=tuple(
            Choice(team_id=each.team_id, name=each.shown_name, is_chosen=each.team_id == chosen)
            for each in listed
        ),
    )


def _listed(
    session: Session, submission: Submission, split: Split
) -> Sequence[sa.Row[int, str, float]]:
    """Every other baseline's team, name and score, best first."""
    return session.execute(
        sa.select(Standing.team_id, Team.shown_name, Standing.primary)
        .join(Team, Team.id == Standing.team_id)
        .where(
            Standing.assignment_id == submission.assignment_id,
            Standing.split == split,
            Standing.track == Track.ALL,
            Standing.is_baseline,
            Standing.team_id != submission.team_id,
        )
        .order_by(*standings.BEST_FIRST)
    ).all()


def _score_of(submission: Submission, read: Stored) -> SplitScore | None:
    """The score that may be compared: the public one, after release the private one."""
    is_released = submission.assignment.released_at is not None
    mode = catalog.rules(submission.assignment).scoring.public_board
    if not (is_released or mode == "exact"):
        return None
    return read.score(submission, Split.PRIVATE if is_released else Split.PUBLIC)


def _compared(
    assignment: Assignment,
    ours: SplitScore,
    theirs: SplitScore | Standing,
    *,
    name: str,
    public_id: str = "",
) -> Comparison:
    ahead = ours.primary - theirs.primary
    beside = _beside(ours.right, theirs.right)
    return Comparison(
        name=name,
        public_id=public_id,
        score=theirs.primary,
        ahead=ahead if standings.higher_is_better(assignment.metric) else -ahead,
        images=None if beside is None else beside[0] - beside[1],
        is_told_apart=beside is not None and mcnemar_p_value(*beside) <= ALPHA,
    )


def _beside(first: bytes, second: bytes) -> tuple[int, int] | None:
    """How many images only one of two entries has right; of the exact McNemar test at 5 %. None:
    they were scored on other images."""
    if len(first) != len(second):
        return None
    a, b = _bits(first), _bits(second)
    return int(np.count_nonzero(a & ~b)), int(np.count_nonzero(b & ~a))


def _bits(right: bytes) -> NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(right, dtype=np.uint8)).astype(np.bool_)


def _title(submission: Submission) -> str:
    return submission.message or submission.filename
