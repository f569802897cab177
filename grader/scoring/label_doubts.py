"""Which labels of an answer key look wrong, from what several predictors say: a queue for people.

A plain estimate of our own in the manner of confident learning (Northcutt, Jiang and Chuang,
"Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021, sections 3.1 and
3.2): the share of predictors that choose a class stands for its probability, and an image counts
as confidently of the class whose share reaches what is usual among images of that label. The order
is by normalised margin. It decides nothing: predictors err together, above all on hard images.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Doubts:
    """What the predictors say of each of N images.

    right: float64 (N,), the share of predictors that give the key's label. rival: int64 (N,), the
    class that most choose besides it; the smallest of equals. rival_share: float64 (N,). confident:
    bool (N,), whether the rival's share reaches what is usual for images of that class. order:
    int64 (N,), the rows from the most doubtful label to the least.
    """

    right: NDArray[np.float64] = field(repr=False)
    rival: NDArray[np.int64] = field(repr=False)
    rival_share: NDArray[np.float64] = field(repr=False)
    confident: NDArray[np.bool_] = field(repr=False)
    order: NDArray[np.int64] = field(repr=False)


def doubts(labels: NDArray[np.int64], answers: NDArray[np.int64], num_classes: int) -> Doubts:
    """Order the labels by how doubtful they are.

    Args:
        labels: int64 (N,), the key's.
        answers: int64 (M, N), what each of M predictors says; M may be 0.
        num_classes: K.

    >>> labels = np.array([0, 0, 1, 1])
    >>> answers = np.array([[0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 0, 1]])
    >>> found = doubts(labels, answers, 2)
    >>> found.order.tolist(), found.rival.tolist(), found.confident.tolist()
    ([1, 2, 0, 3], [1, 1, 0, 0], [False, True, False, False])
    """
    rows = np.arange(len(labels))
    shares = _shares(answers, len(labels), num_classes)
    usual = np.ones(num_classes)
    for label in np.unique(labels):
        usual[label] = shares[labels == label, label].mean()
    right = shares[rows, labels]
    others = shares.copy()
    others[rows, labels] = -1.0
    rival = others.argmax(axis=1)
    rival_share = np.maximum(others[rows, rival], 0.0)
    confident = (rival_share > right) & (rival_share >= usual[rival])
    order = np.lexsort((rows, right - rival_share, ~confident))
    return Doubts(
        right=right, rival=rival, rival_share=rival_share, confident=confident, order=order
    )


def confusions(
    labels: NDArray[np.int64], answers: NDArray[np.int64], num_classes: int
) -> NDArray[np.int64]:
    """Sum up whose images all predictors take for what: int64 (K, K), a row a true class.

    >>> confusions(np.array([0, 1]), np.array([[0, 0], [0, 1]]), 2).tolist()
    [[2, 0], [1, 1]]
    """
    pairs = labels[None, :] * num_classes + answers
    return np.bincount(pairs.ravel(), minlength=num_classes**2).reshape(num_classes, num_classes)


def _shares(answers: NDArray[np.int64], images: int, num_classes: int) -> NDArray[np.float64]:
    counts = np.zeros((images, num_classes))
    for each in answers:
        counts[np.arange(images), each] += 1
    return counts / max(1, len(answers))
