"""What an assignment must score before it is published: its answers 1.0, its sample what is known.

As MLE-bench checks each of its competitions (Chan et al., 2024): a key that can't be met, or that a
constant answer meets, is found before a student finds it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import grader
from grader.words.message import said
from leaderboard.errors import NotAllowedNow


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Accuracies over both splits together, scored from CSV files as students send them.

    sample: of the sample submission, which names the first class everywhere; known: that class's
    share of the hidden images.
    """

    answers: float
    sample: float
    known: float

    @property
    def is_right(self) -> bool:
        return self.answers == 1.0 and self.sample == self.known


def scored(loaded: grader.Assignment) -> Scored:
    """Score the answers and the sample submission as if they were handed in."""
    key = loaded.answer_key()
    first = np.zeros(len(key.ids), np.int64)
    return Scored(
        answers=_accuracy(loaded, key.labels.tolist()),
        sample=_accuracy(loaded, first.tolist()),
        known=int((key.labels == 0).sum()) / len(key.ids),
    )


def check_scores(loaded: grader.Assignment) -> None:
    """Refuse an assignment whose answers or sample submission score something else.

    Raises:
        NotAllowedNow: they do.
    """
    found = scored(loaded)
    if not found.is_right:
        raise NotAllowedNow(
            said(
                "draft.scores",
                answers=f"{found.answers:.4f}",
                sample=f"{found.sample:.4f}",
                known=f"{found.known:.4f}",
            )
        )


def _accuracy(loaded: grader.Assignment, labels: list[int]) -> float:
    """From the bytes of a prediction CSV, through what reads and scores it."""
    expected, key = loaded.expected(), loaded.answer_key()
    header = f"{expected.id_column},{expected.label_column}\n"
    rows = "".join(f"{name},{label}\n" for name, label in zip(key.ids, labels, strict=True))
    predictions = grader.parse_predictions((header + rows).encode(), expected)
    public, private = grader.right_images(predictions, key)
    right = np.unpackbits(np.frombuffer(public + private, np.uint8)).sum()
    return int(right) / len(key.ids)
