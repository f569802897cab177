"""What the baselines say of an assignment: which it tells apart, its labels, and its ceiling. Pure.

All that is said of single images counts right answers, whatever the metric, as the board's test
does.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from grader.scoring.label_doubts import doubts
from reference.calibration.power import WANTED, images_needed, power

SHOWN_LABELS = 20


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Two baselines beside each other, and how surely the private images tell them apart.

    Attributes:
        only_better, only_worse: shares of images that only a run of that one gets right, mean over
            pairs of runs. power: chance that the exact McNemar test finds the difference of two
            runs. needed: private images for a chance of 80%; None: no million would do.
        public_agrees: share of pairs of runs that the public images rank as the private ones do.
    """

    worse: str
    better: str
    only_better: float
    only_worse: float
    images: int
    power: float
    needed: int | None
    public_agrees: float

    @property
    def told_apart(self) -> bool:
        """Whether the test set as it is does."""
        return self.power >= WANTED


@dataclass(frozen=True, kw_only=True)
class DoubtfulLabel:
    """An image whose label the baselines doubt: what they say instead, and how many of them."""

    id: str
    label: int
    rival: int
    rival_share: float


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All of it.

    Attributes:
        tau: Kendall's rank correlation of public and private scores over all runs; None where all
            runs score the same.
        doubtful: the labels that look wrong, the worst first; doubted: how many there are.
        together: share of images that the vote of the best baseline's runs gets right, a floor of
            what can be reached. nobody: share that no run of any baseline gets right.
    """

    neighbours: tuple[Neighbours, ...]
    same_order: bool
    tau: float | None
    doubtful: tuple[DoubtfulLabel, ...]
    doubted: int
    together: float
    nobody: float


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What is needed of one baseline: scores by split with the better one larger; its answers."""

    name: str
    public: tuple[float, ...]
    private: tuple[float, ...]
    answers: NDArray[np.int64]


def find(
    baselines: Sequence[Scored],
    *,
    ids: Sequence[str],
    labels: NDArray[np.int64],
    public: NDArray[np.bool_],
    num_classes: int,
) -> Findings:
    """What `baselines`, the worst first, say. Shapes: N ids, int64 N, bool N."""
    answers = np.concatenate([each.answers for each in baselines])
    doubted = doubts(labels, answers, num_classes)
    rows = [int(row) for row in doubted.order if doubted.confident[row]]
    right = answers == labels
    voted = _vote(baselines[-1].answers, num_classes)
    return Findings(
        neighbours=tuple(
            _neighbours(worse, better, labels, int((~public).sum()))
            for worse, better in itertools.pairwise(baselines)
        ),
        same_order=_order(baselines, "public") == _order(baselines, "private"),
        tau=_tau(baselines),
        doubtful=tuple(
            DoubtfulLabel(
                id=ids[row],
                label=int(labels[row]),
                rival=int(doubted.rival[row]),
                rival_share=float(doubted.rival_share[row]),
            )
            for row in rows[:SHOWN_LABELS]
        ),
        doubted=len(rows),
        together=float((voted == labels).mean()),
        nobody=float((~right.any(axis=0)).mean()),
    )


def _neighbours(
    worse: Scored, better: Scored, labels: NDArray[np.int64], images: int
) -> Neighbours:
    mine, other = ((each.answers == labels).mean(axis=0) for each in (better, worse))
    only_better, only_worse = float((mine * (1 - other)).mean()), float((other * (1 - mine)).mean())
    agree = [
        (public > other_public) == (private > other_private)
        for public, private in zip(better.public, better.private, strict=True)
        for other_public, other_private in zip(worse.public, worse.private, strict=True)
    ]
    return Neighbours(
        worse=worse.name,
        better=better.name,
        only_better=only_better,
        only_worse=only_worse,
        images=images,
        power=power(images, only_better, only_worse),
        needed=images_needed(only_better, only_worse),
        public_agrees=float(np.mean(agree)),
    )


def _order(baselines: Sequence[Scored], split: str) -> list[str]:
    return [each.name for each in sorted(baselines, key=lambda one: np.mean(getattr(one, split)))]


def _tau(baselines: Sequence[Scored]) -> float | None:
    public = [value for each in baselines for value in each.public]
    private = [value for each in baselines for value in each.private]
    found = float(stats.kendalltau(public, private).statistic)
    return None if np.isnan(found) else found


def _vote(answers: NDArray[np.int64], num_classes: int) -> NDArray[np.int64]:
    """The class that most runs choose; of equals the lowest."""
    counts = np.stack([(answers == label).sum(axis=0) for label in range(num_classes)])
    voted: NDArray[np.int64] = counts.argmax(axis=0)
    return voted
