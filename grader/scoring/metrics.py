"""Counts, class figures and curves that the metrics (`formulas` beside this) are made of. Pure.

Conventions: rows of a confusion matrix are true classes, columns predicted ones; a quotient with
denominator 0 is 0. Each value equals scikit-learn's to 1e-12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer]
Confusion = NDArray[np.int64]
Floats = NDArray[np.float64]

PROBABILITY_TOLERANCE: Final = 1e-6
_CHUNK_ROWS: Final = 65_536  # bounds temporary arrays of N×K comparisons


class PrecisionRecallF1(NamedTuple):
    """Precision, recall and F1 of each class: float64 (K,)."""

    precision: Floats
    recall: Floats
    f1: Floats


class RocSummary(NamedTuple):
    """What is kept of a ROC curve: its area, and its height at some false positive rates."""

    auc: float
    true_positive_rates: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class RocCurve:
    """A ROC curve: float64 (points,) each, from (0, 0) at threshold infinity to (1, 1)."""

    false_positive_rate: Floats
    true_positive_rate: Floats
    thresholds: Floats


def confusion_matrix(labels: Labels, predicted: Labels, num_classes: int) -> Confusion:
    """Count images by true class (row) and predicted class (column): int64 (K, K).

    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    cells = labels.astype(np.intp) * num_classes
    cells += predicted
    counts = np.bincount(cells, minlength=num_classes * num_classes)
    matrix: Confusion = counts.reshape(num_classes, num_classes).astype(np.int64, copy=False)
    return matrix


def support(confusion: Confusion) -> Confusion:
    """Give the number of images of each class: int64 (K,)."""
    counts: Confusion = confusion.sum(axis=1)
    return counts


def per_class(confusion: Confusion) -> PrecisionRecallF1:
    """Give each class's precision, recall and F1.

    >>> per_class(np.array([[1, 0], [1, 1]])).recall.tolist()
    [1.0, 0.5]
    """
    right = confusion.diagonal()
    true, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    return PrecisionRecallF1(
        precision=_ratio(right, predicted),
        recall=_ratio(right, true),
        f1=_ratio(2 * right, true + predicted),
    )


def top_k_accuracy(labels: Labels, scores: Floats, k: int = 5) -> float:
    """Give the share of images whose class is among the k highest scores.

    Of equal scores the one with the higher index counts as higher, as in scikit-learn.

    >>> top_k_accuracy(np.array([0, 2]), np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]), k=2)
    0.5
    """
    if not len(labels):
        raise ValueError("no rows to score")
    hits = 0
    index = np.arange(scores.shape[1])
    for first in range(0, len(labels), _CHUNK_ROWS):
        chunk = scores[first : first + _CHUNK_ROWS]
        true = labels[first : first + _CHUNK_ROWS, None]
        own = np.take_along_axis(chunk, true.astype(np.intp), axis=1)
        above = (chunk > own) | ((chunk == own) & (index > true))
        hits += int(np.count_nonzero(above.sum(axis=1) < k))
    return hits / len(labels)


def are_probabilities(scores: Floats) -> bool:
    """Say whether each row is non-negative and sums to 1 within 1e-6.

    >>> are_probabilities(np.array([[0.25, 0.75]])), are_probabilities(np.array([[2.0, -1.0]]))
    (True, False)
    """
    sums = scores.sum(axis=1)
    return bool((scores >= 0).all() and (np.abs(sums - 1) <= PROBABILITY_TOLERANCE).all())


def log_loss(labels: Labels, probabilities: Floats) -> float:
    """Give the mean negative logarithm of the probability of the true class.

    Probabilities are kept at least 2.2e-16 away from 0 and 1, as in scikit-learn.

    >>> round(log_loss(np.array([0]), np.array([[0.5, 0.5]])), 6)
    0.693147
    """
    if not len(labels):
        raise ValueError("no rows to score")
    own = probabilities[np.arange(len(labels)), labels]
    margin = np.finfo(np.float64).eps
    return float(-np.log(np.clip(own, margin, 1 - margin)).mean())


def roc_auc(positive: NDArray[np.bool_], scores: Floats) -> float | None:
    """Give the chance that a positive scores above a negative (ties count half).

    None where there are no positives or no negatives.

    >>> roc_auc(np.array([True, False, False]), np.array([0.5, 0.5, 0.1]))
    0.75
    """
    summary = roc_summary(positive, scores)
    return None if summary is None else summary.auc


def roc_summary(
    positive: NDArray[np.bool_], scores: Floats, at: tuple[float, ...] = ()
) -> RocSummary | None:
    """Give the area under the ROC curve, and its height at the false positive rates `at`.

    The height is the largest true positive rate of any threshold whose false positive rate is at
    most that. None where there are no positives or no negatives.

    >>> roc_summary(np.array([True, True, False]), np.array([0.9, 0.2, 0.5]), at=(0.0, 1.0))
    RocSummary(auc=0.5, true_positive_rates=(0.5, 1.0))
    """
    above = np.sort(scores[positive])
    below = np.sort(scores[~positive])
    if not above.size or not below.size:
        return None
    # Mann-Whitney: pairs won and tied, counted exactly in integers.
    won = np.searchsorted(below, above, side="left").sum(dtype=np.int64)
    not_lost = np.searchsorted(below, above, side="right").sum(dtype=np.int64)
    return RocSummary(
        auc=float(int(won + not_lost) / (2 * above.size * below.size)),
        true_positive_rates=tuple(_height(above, below, rate) for rate in at),
    )


def _height(above: Floats, below: Floats, false_positive_rate: float) -> float:
    """The share of `above` over the negative that is the first one too many; both are sorted."""
    allowed = int(false_positive_rate * below.size + 1e-9)
    if allowed >= below.size:
        return 1.0
    lost = np.searchsorted(above, below[below.size - 1 - allowed], side="right")
    return float((above.size - int(lost)) / above.size)


def roc_curve(positive: NDArray[np.bool_], scores: Floats) -> RocCurve | None:
    """Give the ROC curve, without the points that lie on a straight line between others.

    None where there are no positives or no negatives.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], positive[order]
    last_of_value = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true = np.cumsum(hits)[last_of_value]
    false = 1 + last_of_value - true
    if not len(ranked) or true[-1] == 0 or false[-1] == 0:
        return None
    corner = np.ones(len(true), dtype=np.bool_)
    corner[1:-1] = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
    return RocCurve(
        false_positive_rate=np.append(0.0, false[corner] / false[-1]),
        true_positive_rate=np.append(0.0, true[corner] / true[-1]),
        thresholds=np.append(np.inf, ranked[last_of_value[corner]]),
    )


def _ratio(part: Confusion, whole: Confusion) -> Floats:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
