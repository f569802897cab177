"""The 95 % intervals of a score: drawn when it is published, or, after a rescore of a whole
assignment, when somebody first looks at them.

A bootstrap takes a hundred times as long as the score itself. It is seeded by the predictions, so
whenever it is drawn it comes out the same.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from sqlalchemy.orm import Session

import grader
from grader.scoring.significance import BOOTSTRAPPED, score_intervals, share_intervals
from leaderboard.models import Evaluation, SplitScore

Intervals = dict[str, list[float]]


def of_score(score: grader.Score, seed: bytes) -> Intervals:
    """Every metric's interval, [low, high]."""
    drawn = score_intervals(score.confusion, seed=seed)
    return {metric: interval.as_list() for metric, interval in drawn.items()}


def at_once(score: grader.Score) -> Intervals:
    """The intervals that need no draws, as that of the accuracy."""
    intervals = share_intervals(score.confusion)
    return {metric: interval.as_list() for metric, interval in intervals.items()}


def of_row(session: Session, row: SplitScore) -> Intervals:
    """A published score's intervals, all of them that it has figures for."""
    if all(metric in row.intervals for metric in BOOTSTRAPPED if metric in row.report):
        return row.intervals
    seed = session.get_one(Evaluation, row.evaluation_id).labels_sha256
    if seed is None:
        return row.intervals
    confusion = tuple(map(tuple, row.report["confusion"]))
    return dict(_drawn(confusion, bytes.fromhex(seed)))


@lru_cache(maxsize=256)
def _drawn(confusion: tuple[tuple[int, ...], ...], seed: bytes) -> Intervals:
    drawn = score_intervals(np.array(confusion, dtype=np.int64), seed=seed)
    return {metric: interval.as_list() for metric, interval in drawn.items()}
