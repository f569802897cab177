"""What the trained baselines reach on an assignment's public and private images."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from grader.assignments.answers import AnswerKey
from grader.metric_list import METRICS
from grader.prediction_csv.predictions import Predictions
from grader.scoring.scoring import Scores, score
from reference.calibration.images import Material
from reference.calibration.training import Trained
from reference.results.collection import FoundRun
from reference.training.runs import Answers

RESAMPLES = 200


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A baseline over its seeds.

    Attributes:
        public, private: the assignment's metric on each split, one a seed.
        test_error: standard error of a private score by the finite test set.
        answers: int64 (seeds, N), the classes chosen, in the order of the key.
        minutes: of one run, training and validation, mean over seeds; on `threads` of `device`.
    """

    name: str
    epochs: int
    public: tuple[float, ...]
    private: tuple[float, ...]
    test_error: float
    answers: NDArray[np.int64] = field(repr=False)
    minutes: float
    threads: int
    device: str

    @property
    def mean(self) -> float:
        """Of the private scores."""
        return statistics.fmean(self.private)

    @property
    def public_mean(self) -> float:
        """Of the public scores."""
        return statistics.fmean(self.public)


def measure(material: Material, trained: Trained) -> tuple[Baseline, ...]:
    """Every baseline that was trained, the worst private mean first.

    Raises:
        RunError: a run's answers are gone.
    """
    sign = 1 if METRICS[material.assignment.scoring.metric].higher_is_better else -1
    found = [_baseline(material, name, runs) for name, runs in trained.runs.items()]
    return tuple(sorted(found, key=lambda each: sign * each.mean))


def _baseline(material: Material, name: str, runs: Sequence[FoundRun]) -> Baseline:
    metric, key = material.assignment.scoring.metric, material.key
    predicted = [_predictions(run, key) for run in runs]
    scores: list[Scores] = [score(each, key) for each in predicted]
    private = tuple(each.private.metric(metric) for each in scores)
    environment = runs[0].record.environment
    return Baseline(
        name=name,
        epochs=int(runs[0].record.settings["training"]["epochs"]),
        public=tuple(each.public.metric(metric) for each in scores),
        private=private,
        test_error=_test_error(metric, statistics.fmean(private), predicted[0], key),
        answers=np.stack([each.labels for each in predicted]),
        minutes=statistics.fmean(run.record.result["seconds"] for run in runs) / 60,
        threads=int(environment["threads"]),
        device=str(environment["device"]),
    )


def _predictions(run: FoundRun, key: AnswerKey) -> Predictions:
    logits = Answers.read(run.folder).test
    chances = torch.softmax(logits.double(), dim=1).numpy()
    # numpy's argmax takes the first of equals, torch's any of them
    return Predictions(ids=key.ids, labels=logits.numpy().argmax(axis=1), scores=chances)


def _test_error(metric: str, mean: float, predicted: Predictions, key: AnswerKey) -> float:
    """√(p(1 − p)/n) of an accuracy; of other metrics the SD over resampled private images.

    The bootstrap is stratified by class, as the board's (Efron and Tibshirani 1993, section 8.3).
    """
    rows = np.flatnonzero(~key.public)
    if metric == "accuracy":
        return math.sqrt(mean * (1 - mean) / len(rows))
    assert predicted.scores is not None
    draw = np.random.default_rng(0)
    by_class = [rows[key.labels[rows] == label] for label in np.unique(key.labels[rows])]
    values = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([draw.choice(each, len(each)) for each in by_class])
        ids = tuple(map(str, range(len(drawn))))
        again = dataclasses.replace(
            key, ids=ids, labels=key.labels[drawn], public=np.zeros(len(drawn), dtype=bool)
        )
        answers = Predictions(
            ids=ids, labels=predicted.labels[drawn], scores=predicted.scores[drawn]
        )
        values.append(score(answers, again).private.metric(metric))
    return statistics.stdev(values)
