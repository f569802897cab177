"""What figures can tell of hidden images: counted, and said to whoever publishes them."""

from __future__ import annotations

import itertools
import math

import pytest
from assignment_folders import SETTINGS, write_assignment

from grader import Assignment
from grader.assignments.feedback import ROUNDED_STEPS, capacity_bits
from grader.scoring.ladder import ROUNDED_STEP

EVEN = [300] * 10
CODE_ONLY = SETTINGS.replace('["csv", "code"]', '["code"]')


def test_accuracy_on_3000_images_tells_less_than_12_bits():
    bits = capacity_bits(EVEN, public_board="exact", feedback="aggregate", accuracy_only=True)
    assert bits == pytest.approx(math.log2(3001))


def test_more_feedback_tells_more():
    shown = [
        capacity_bits(EVEN, public_board=board, feedback=feedback)
        for board, feedback in (
            ("rounded", "aggregate"),
            ("ladder", "aggregate"),
            ("exact", "per_class"),
            ("exact", "confusion"),
        )
    ]
    assert shown == sorted(shown)
    assert shown[0] < 8 < shown[1] < 12 < 100 < shown[2] < 200 < 500 < shown[3]


def test_a_confusion_matrix_tells_as_many_messages_as_there_are_matrices():
    counts = [2, 3]
    rows = [
        [row for row in itertools.product(range(n + 1), repeat=2) if sum(row) == n] for n in counts
    ]
    bits = capacity_bits(counts, public_board="exact", feedback="confusion")
    assert bits == pytest.approx(math.log2(len(rows[0]) * len(rows[1])))


def test_the_rounded_board_has_as_many_steps_as_are_counted():
    assert round(1 / ROUNDED_STEP) + 1 == ROUNDED_STEPS


@pytest.mark.parametrize(
    ("data", "scoring", "warned"),
    [
        ("hidden", 'feedback = "per_class"', True),
        ("hidden", 'feedback = "aggregate"', False),
        ("public", 'feedback = "per_class"', False),
        ("hidden", 'feedback = "confusion"\npublic_board = "rounded"', False),
    ],
)
def test_hidden_images_with_more_than_aggregate_feedback_are_warned_of(
    data, scoring, warned, tmp_path
):
    settings = f'{CODE_ONLY}\n[data]\ntest_images = "{data}"\n[scoring]\n{scoring}\n'
    said = Assignment.load(write_assignment(tmp_path / "x", settings=settings)).warnings()
    assert any("bits of them out" in each for each in said) == warned
