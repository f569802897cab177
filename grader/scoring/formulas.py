"""The formula of each metric: a function under the metric's name. Pure.

Those that class labels determine take `Counts`, of one confusion matrix or of many at once, and
give a float64 of the leading shape; the others take `Scored` and give a float, or None where it is
not defined. Means are over all K classes; a quotient with denominator 0 is 0. Each value equals
scikit-learn's to 1e-12.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from grader.metric_list import EVERY
from grader.scoring import metrics

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts:
    """What the metrics need of a confusion matrix: numbers of images.

    `right` and `predicted` (..., K): for each class, images of it that were predicted as it, and
    images that were predicted as it at all. `support` int64 (K,): images of it.
    """

    right: NDArray[Any]
    predicted: NDArray[Any]
    support: NDArray[np.int64]

    @classmethod
    def of(cls, confusion: NDArray[np.int64]) -> Self:
        """The counts of one (K, K) matrix, rows true classes.

        Raises:
            ValueError: it has no images.
        """
        if not confusion.any():
            raise ValueError("no rows to score")
        return cls(
            right=confusion.diagonal(),
            predicted=confusion.sum(axis=0),
            support=confusion.sum(axis=1),
        )

    @cached_property
    def images(self) -> np.int64:
        """The number of images."""
        return np.int64(self.support.sum())

    @cached_property
    def precision(self) -> Floats:
        """Of each class (..., K)."""
        return _ratio(self.right, self.predicted)

    @cached_property
    def recall(self) -> Floats:
        """Of each class (..., K)."""
        return _ratio(self.right, self.support)

    @cached_property
    def f1(self) -> Floats:
        """Of each class (..., K)."""
        return _ratio(2 * self.right, self.predicted + self.support)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Images with class scores: `labels` (N,), `scores` (N, K), the classes' ROC curves (K)."""

    labels: NDArray[np.integer[Any]]
    scores: Floats
    rocs: Sequence[metrics.RocSummary | None]


def accuracy(counts: Counts) -> Floats:
    """The share of images whose class was predicted.

    >>> float(accuracy(Counts.of(np.array([[1, 0], [1, 1]])))) == 2 / 3
    True
    """
    return np.asarray(counts.right.sum(axis=-1) / counts.images)


def balanced_accuracy(counts: Counts) -> Floats:
    """The mean recall over the classes that have images.

    >>> float(balanced_accuracy(Counts.of(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]]))))
    0.75
    """
    return np.asarray(counts.recall[..., counts.support > 0].mean(axis=-1))


def macro_precision(counts: Counts) -> Floats:
    """The plain mean of the classes' precision.

    >>> float(macro_precision(Counts.of(np.array([[1, 0], [1, 1]]))))
    0.75
    """
    return np.asarray(counts.precision.mean(axis=-1))


def macro_recall(counts: Counts) -> Floats:
    """The plain mean of the classes' recall; a class without images counts as 0."""
    return np.asarray(counts.recall.mean(axis=-1))


def macro_f1(counts: Counts) -> Floats:
    """The plain mean of the classes' F1."""
    return np.asarray(counts.f1.mean(axis=-1))


def weighted_precision(counts: Counts) -> Floats:
    """The mean of the classes' precision, weighted by their number of images."""
    return _weighted(counts.precision, counts)


def weighted_recall(counts: Counts) -> Floats:
    """The mean of the classes' recall, weighted by their number of images.

    >>> round(float(weighted_recall(Counts.of(np.array([[1, 0], [1, 1]])))), 4)
    0.6667
    """
    return _weighted(counts.recall, counts)


def weighted_f1(counts: Counts) -> Floats:
    """The mean of the classes' F1, weighted by their number of images."""
    return _weighted(counts.f1, counts)


def cohen_kappa(counts: Counts) -> Floats:
    """The agreement beyond that by chance, as a part of what chance leaves.

    0 where every image is and is predicted of one class: scikit-learn calls that undefined.

    Source: Cohen, Educational and Psychological Measurement 20 (1960).

    >>> float(cohen_kappa(Counts.of(np.array([[2, 0], [1, 1]]))))
    0.5
    """
    chance = counts.predicted @ counts.support
    agreed = counts.images * counts.right.sum(axis=-1)
    return _ratio(np.asarray(agreed - chance), np.asarray(counts.images**2 - chance))


def matthews_corrcoef(counts: Counts) -> Floats:
    """The correlation of the true classes with the predicted ones, of any number of classes.

    0 where all images are, or are predicted, of one class, as in scikit-learn.

    Source: Gorodkin, Computational Biology and Chemistry 28 (2004).

    >>> round(float(matthews_corrcoef(Counts.of(np.array([[2, 0], [1, 1]])))), 6)
    0.57735
    """
    together = counts.images * counts.right.sum(axis=-1) - counts.predicted @ counts.support
    predicted = counts.images**2 - (counts.predicted**2).sum(axis=-1)
    true = float(counts.images**2 - (counts.support**2).sum())
    return _ratio(np.asarray(together), np.sqrt(np.maximum(predicted * true, 0.0)))


def top5_accuracy(scored: Scored) -> float:
    """The share of images whose class is among the five with the highest scores."""
    return metrics.top_k_accuracy(scored.labels, scored.scores)


def log_loss(scored: Scored) -> float | None:
    """The mean negative logarithm of the true class's probability; None if scores are no such."""
    if not metrics.are_probabilities(scored.scores):
        return None
    return metrics.log_loss(scored.labels, scored.scores)


def macro_auc(scored: Scored) -> float | None:
    """The mean area under the ROC curves of the classes that have one; None if none has."""
    areas = [roc.auc for roc in scored.rocs if roc is not None]
    return sum(areas) / len(areas) if areas else None


OF_COUNTS: Final[Mapping[str, Callable[[Counts], Floats]]] = MappingProxyType(
    {name: globals()[name] for name, metric in EVERY.items() if not metric.needs_scores}
)
"""By metric: what class labels determine."""

OF_SCORES: Final[Mapping[str, Callable[[Scored], float | None]]] = MappingProxyType(
    {name: globals()[name] for name, metric in EVERY.items() if metric.needs_scores}
)
"""By metric: what takes class scores."""


def of_confusion(confusion: NDArray[np.int64]) -> dict[str, float]:
    """Give every metric that a (K, K) confusion matrix determines, rows true classes.

    Raises:
        ValueError: it has no images.
    """
    counts = Counts.of(confusion)
    return {name: float(formula(counts)) for name, formula in OF_COUNTS.items()}


def _weighted(values: Floats, counts: Counts) -> Floats:
    return np.asarray(values @ (counts.support / counts.images))


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """Divide, giving 0 where the denominator is 0."""
    shape = np.broadcast_shapes(part.shape, whole.shape)
    quotient: Floats = np.divide(part, whole, out=np.zeros(shape), where=whole > 0)
    return quotient
