"""Which mistakes are shown, and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from reference.explain.mistakes import most_confused, surest

# true 0 said 1 (sure), true 1 said 0 (less), right, true 2 said 0 (surest), right
SCORES = np.array([[0, 3, 0], [1, 0, 0], [0, 0, 2], [9, 0, 0], [5, 1, 1]], dtype=np.float32)
LABELS = np.array([0, 1, 2, 2, 0])


def test_the_surest_mistakes_come_first_with_their_softmax():
    found = surest(SCORES, LABELS, 2)

    assert [(each.row, each.true, each.said) for each in found] == [(3, 2, 0), (0, 0, 1)]
    assert found[1].probability == pytest.approx(np.exp(3) / (np.exp(3) + 2))


def test_the_pair_most_mixed_up_counts_both_directions():
    assert [each.row for each in most_confused(SCORES, LABELS, 5)] == [0, 1]


def test_scores_of_any_size_have_a_probability():
    huge = np.array([[3e38, -3e38]], dtype=np.float32)

    assert surest(huge, np.array([1]), 1)[0].probability == 1


def test_a_model_without_mistakes_has_none_to_show():
    right = np.eye(3, dtype=np.float32)

    assert surest(right, np.arange(3), 5) == most_confused(right, np.arange(3), 5) == []
