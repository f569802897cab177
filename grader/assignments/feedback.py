"""How much the figures of one evaluation can tell: what a program that has seen hidden images can
send out through its own score. Pure; settings and pages state it, nothing enforces it.

A program that answers as it likes, and mostly knows the labels, chooses its confusion matrix. What
its author reads of it bounds the message: log2 of the number of values it can have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

ROUNDED_STEPS = 101  # of a rounded board: hundredths from 0 to 1


def capacity_bits(
    counts: Sequence[int], *, public_board: str, feedback: str, accuracy_only: bool = False
) -> float:
    """Bits that one evaluation's public figures can carry at most.

    counts: of the public images, by class. public_board: exact, rounded or ladder. feedback:
    aggregate, per_class or confusion. accuracy_only: of an aggregate no other figure is counted.

    >>> hundreds = [300] * 10
    >>> round(capacity_bits(hundreds, public_board="rounded", feedback="aggregate"), 1)
    6.7
    >>> round(capacity_bits(hundreds, public_board="ladder", feedback="aggregate"), 1)
    11.6
    >>> round(capacity_bits(hundreds, public_board="exact", feedback="confusion"))
    558
    """
    images, classes = sum(counts), len(counts)
    if public_board == "rounded":
        return math.log2(ROUNDED_STEPS)
    if public_board == "ladder" or (feedback == "aggregate" and accuracy_only):
        return math.log2(images + 1)
    if feedback == "confusion":
        return sum(_log2_ways(count, classes) for count in counts)
    right = sum(math.log2(count + 1) for count in counts)
    # what each class was right on, and how the wrong answers spread; macro means of figures by
    # class, at full precision, tell as much where classes differ in size
    return right + _log2_ways(images, classes)


def tells_much(*, test_images: str, feedback: str) -> bool:
    """Whether students see more of hidden images' scores than one needs to rank by.

    >>> tells_much(test_images="hidden", feedback="per_class")
    True
    >>> tells_much(test_images="public", feedback="confusion")
    False
    """
    return test_images == "hidden" and feedback != "aggregate"


def _log2_ways(items: int, kinds: int) -> float:
    """log2 of the ways in which so many items can be of so many kinds."""
    natural = math.lgamma(items + kinds) - math.lgamma(items + 1) - math.lgamma(kinds)
    return natural / math.log(2)
