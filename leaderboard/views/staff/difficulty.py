"""One assignment's results: how scores lie, which classes and images are hard, what is confused.

Of all teams it is read which images they have right (a bit each); of the baselines and the best
teams also what they say, which orders the images whose label a person should look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session, aliased

import grader
from grader.scoring.label_doubts import Doubts, confusions, doubts
from leaderboard.assignments import samples
from leaderboard.assignments.samples import Sample
from leaderboard.evaluations import carrying
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
from leaderboard.recent import recently
from leaderboard.state import State

PREDICTORS: Final = 40
"""So many baselines and teams are asked what they say of each image."""
SHOWN: Final = 48  # images
_KEPT_SECONDS: Final = 30.0
_LARGEST_GAPS: Final = 5
_CONFUSIONS: Final = 8


@dataclass(frozen=True, kw_only=True)
class TeamScores:
    """A team's standing entry with both scores, of the metric that ranks."""

    team: str
    is_baseline: bool
    public: float
    private: float
    achieved_at: datetime


@dataclass(frozen=True, kw_only=True)
class ClassDifficulty:
    """How often images of a class are right, on average over the teams."""

    name: str
    images: int
    right: float


@dataclass(frozen=True, kw_only=True)
class SharedConfusion:
    """What the predictors take for what, as a share of the answers about the true class."""

    true: str
    predicted: str
    share: float


@dataclass(frozen=True, kw_only=True)
class HardImage:
    """An image whose label somebody should look at: who says what of it."""

    id: str
    label: str
    right: float  # the share of all teams and baselines that say so too
    rival: str
    rival_share: float  # of those that were asked
    is_confident: bool  # the rival is as sure as is usual among its own images


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """An assignment's results. `nobody`: how many images no entry has right. Of outdated entries
    nothing is counted."""

    metric: str
    entries: tuple[TeamScores, ...]
    median_gap: float | None  # private less public, over the teams
    shared_ranks: int  # teams whose public score another team has as well
    classes: tuple[ClassDifficulty, ...]
    confused: tuple[SharedConfusion, ...]
    nobody: int
    images: tuple[HardImage, ...]
    predictors: int

    @property
    def teams(self) -> tuple[TeamScores, ...]:
        return tuple(each for each in self.entries if not each.is_baseline)

    @property
    def widest(self) -> tuple[TeamScores, ...]:
        """The teams whose two scores lie farthest apart."""
        by_gap = sorted(self.teams, key=lambda each: -abs(each.private - each.public))
        return tuple(by_gap[:_LARGEST_GAPS])


@dataclass(frozen=True, kw_only=True)
class Examined:
    """The same with the pictures of its images, in their order; None where there are none."""

    found: Difficulty
    sheet: Sample | None = field(repr=False)


def examine(session: Session, state: State, assignment: Assignment) -> Examined:
    """An assignment's results, half a minute old at most."""
    key = ("examined", assignment.id, assignment.folder_sha256)
    return recently(
        session, key, lambda: _examine(session, state, assignment), seconds=_KEPT_SECONDS
    )


def _examine(session: Session, state: State, assignment: Assignment) -> Examined:
    loaded = state.catalog.load(assignment)
    key = loaded.answer_key()
    rows = session.execute(_standing(assignment)).all()
    right = _right(rows, key)
    said = _said(state, rows, loaded)
    doubt = doubts(key.labels, said, key.num_classes)
    share = right.mean(axis=0) if len(right) else np.ones(len(key.ids))
    order = _order(doubt, share)
    entries = tuple(_entry(each) for each in rows)
    teams = [each for each in entries if not each.is_baseline]
    public = Counter(each.public for each in teams)
    found = Difficulty(
        metric=assignment.metric,
        entries=entries,
        median_gap=median(each.private - each.public for each in teams) if teams else None,
        shared_ranks=sum(count for count in public.values() if count > 1),
        classes=_classes(key, share) if len(right) else (),
        confused=_confused(key, said),
        nobody=int((share == 0).sum()),
        images=tuple(_image(key, doubt, share, row) for row in order),
        predictors=len(said),
    )
    return Examined(found=found, sheet=_sheet(loaded, order))


def _standing(assignment: Assignment) -> sa.Select[*tuple[Any, ...]]:
    """The standing entries with the evaluations that they are of, the best public score first."""
    public, private = aliased(SplitScore), aliased(SplitScore)
    return (
        sa.select(
            Team.name.label("team"),
            Standing.is_baseline,
            Standing.achieved_at,
            Evaluation,
            public.primary.label("public"),
            private.primary.label("private"),
            public.right.label("public_right"),
            private.right.label("private_right"),
        )
        .join(Team, Team.id == Standing.team_id)
        .join(Submission, Submission.id == Standing.submission_id)
        .join(Evaluation, Evaluation.id == Submission.current_evaluation_id)
        .join(public, _of(public, Split.PUBLIC))
        .join(private, _of(private, Split.PRIVATE))
        .where(
            Standing.assignment_id == assignment.id,
            Standing.split == Split.PUBLIC,
            Standing.track == Track.ALL,
            Standing.is_outdated.is_(False),
        )
        .order_by(Standing.is_baseline.desc(), Standing.rank_key, Standing.team_id)
    )


def _of(score: type[SplitScore], split: Split) -> sa.ColumnElement[bool]:
    return sa.and_(score.evaluation_id == Evaluation.id, score.split == split)


def _entry(row: sa.Row[*tuple[Any, ...]]) -> TeamScores:
    return TeamScores(
        team=row.team,
        is_baseline=row.is_baseline,
        public=row.public,
        private=row.private,
        achieved_at=row.achieved_at,
    )


def _right(rows: Sequence[sa.Row[*tuple[Any, ...]]], key: grader.AnswerKey) -> NDArray[np.bool_]:
    """Which images each entry has right: bool (M, N), in the key's order."""
    found = []
    for row in rows:
        right = np.zeros(len(key.ids), np.bool_)
        for which, packed in ((key.public, row.public_right), (~key.public, row.private_right)):
            bits = np.unpackbits(np.frombuffer(packed, np.uint8))
            if len(bits) < which.sum():
                break  # of a version that kept none
            right[which] = bits[: which.sum()]
        else:
            found.append(right)
    return np.array(found, np.bool_).reshape(len(found), len(key.ids))


def _said(
    state: State, rows: Sequence[sa.Row[*tuple[Any, ...]]], loaded: grader.Assignment
) -> NDArray[np.int64]:
    """What the baselines and the best teams say: int64 (M, N), in the key's order."""
    found = []
    for row in rows[:PREDICTORS]:
        try:
            found.append(carrying.carry(state, row.Evaluation, loaded).predictions.labels)
        except (ValueError, grader.PlatformFault):
            continue  # its file is damaged or gone: `leaderboard verify` tells of it
    return np.array(found, np.int64).reshape(len(found), len(loaded.ids()))


def _order(doubt: Doubts, share: NDArray[np.float64]) -> list[int]:
    """First those that nobody has right, each kind from the most doubtful label down."""
    place = np.empty(len(share), np.int64)
    place[doubt.order] = np.arange(len(share))
    wrong = np.flatnonzero(doubt.rival_share > doubt.right)
    order = wrong[np.lexsort((place[wrong], share[wrong] > 0))]
    return [int(row) for row in order[:SHOWN]]


def _classes(key: grader.AnswerKey, share: NDArray[np.float64]) -> tuple[ClassDifficulty, ...]:
    found = [
        ClassDifficulty(
            name=name,
            images=int((key.labels == label).sum()),
            right=float(share[key.labels == label].mean()),
        )
        for label, name in enumerate(key.classes)
        if (key.labels == label).any()
    ]
    return tuple(sorted(found, key=lambda each: each.right))


def _confused(key: grader.AnswerKey, said: NDArray[np.int64]) -> tuple[SharedConfusion, ...]:
    counts = confusions(key.labels, said, key.num_classes)
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares = counts / totals
    np.fill_diagonal(shares, 0.0)
    best = np.argsort(-shares, axis=None, kind="stable")[:_CONFUSIONS]
    pairs = [divmod(int(each), key.num_classes) for each in best]
    return tuple(
        SharedConfusion(
            true=key.classes[true],
            predicted=key.classes[predicted],
            share=float(shares[true, predicted]),
        )
        for true, predicted in pairs
        if shares[true, predicted] > 0
    )


def _image(key: grader.AnswerKey, doubt: Doubts, share: NDArray[np.float64], row: int) -> HardImage:
    return HardImage(
        id=key.ids[row],
        label=key.classes[key.labels[row]],
        right=float(share[row]),
        rival=key.classes[doubt.rival[row]],
        rival_share=float(doubt.rival_share[row]),
        is_confident=bool(doubt.confident[row]),
    )


def _sheet(loaded: grader.Assignment, order: Sequence[int]) -> Sample | None:
    if not order:
        return None
    try:
        pixels = loaded.test_images()
    except grader.AssignmentError:
        return None  # predictions alone are taken here
    # the key's rows and the images' stand in different orders
    rows = loaded.rows_in_answers_order()[list(order)]
    return samples.drawn(pixels[rows], tuple(0 for _ in order))
