"""Draws which pictures of a new assignment are hidden, and which make the sample."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from grader.errors import AssignmentError
from grader.words.message import said

FEWEST_OF_A_CLASS: Final = 4
"""One for training, one for each split of the test, and one more to tell chance from skill."""
FEWEST_HIDDEN: Final = 2
"""Of a class: one for each split of the test."""

Rows = NDArray[np.int64]


def check_counts(
    labels: NDArray[np.int64], is_test: NDArray[np.bool_] | None, classes: tuple[str, ...]
) -> None:
    """Refuse classes that have too few pictures to be divided.

    Raises:
        AssignmentError: with every such class.
    """
    counts = np.bincount(labels, minlength=len(classes))
    if is_test is None:
        few = [
            said("pictures.few", name=name, count=int(count), fewest=FEWEST_OF_A_CLASS)
            for name, count in zip(classes, counts, strict=True)
            if count < FEWEST_OF_A_CLASS
        ]
    else:
        hidden = np.bincount(labels[is_test], minlength=len(classes))
        few = [
            said("pictures.few_hidden", name=name, test=int(test), train=int(count - test))
            for name, count, test in zip(classes, counts, hidden, strict=True)
            if test < FEWEST_HIDDEN or count == test
        ]
    if few:
        raise AssignmentError(few)


def draw(
    labels: NDArray[np.int64],
    is_test: NDArray[np.bool_] | None,
    *,
    groups: Rows,
    test_fraction: float,
    seed: int,
) -> tuple[Rows, Rows]:
    """Divide rows into training and test, each in an order that tells nothing: int64 each.

    Rows of one group, named by one of them, come to one side. Each class gives the same share, at
    least two, where `is_test` does not say which; where it does, a group that has rows on both
    sides comes to the training side, which students may know already.
    """
    rng = np.random.default_rng(seed)
    if is_test is None:
        hidden = _drawn(labels, groups, test_fraction, rng)
    else:
        in_training = np.zeros(len(labels), dtype=np.bool_)
        in_training[groups[~is_test]] = True
        hidden = is_test & ~in_training[groups]
    return rng.permutation(np.flatnonzero(~hidden)), rng.permutation(np.flatnonzero(hidden))


def _drawn(
    labels: NDArray[np.int64], groups: Rows, test_fraction: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw whole groups of each class until it has its share; a group is of its namer's class."""
    sizes = np.bincount(groups, minlength=len(labels))
    heads = np.flatnonzero(sizes)
    hidden = np.zeros(len(labels), dtype=np.bool_)
    for label in range(int(labels.max()) + 1):
        members = rng.permutation(heads[labels[heads] == label])
        count = int(sizes[members].sum())
        wanted = min(max(round(test_fraction * count), FEWEST_HIDDEN), count - 1)
        so_far = 0
        for head in members.tolist():
            if so_far + sizes[head] <= wanted:
                hidden[head] = True
                so_far += int(sizes[head])
    return hidden[groups]


def first_of_each(labels: NDArray[np.int64], count: int) -> Rows:
    """Give the places of the first `count` of each class, in order.

    >>> first_of_each(np.array([0, 0, 1, 0, 1]), 1).tolist()
    [0, 2]
    """
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    return np.sort(order[np.arange(len(labels)) - starts < count]).astype(np.int64)
