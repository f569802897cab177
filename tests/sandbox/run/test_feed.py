"""The secret order: every image once, a few twice, and the way back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sandbox.run.feed import DUPLICATES, Order

COUNTS = st.integers(1, 400)
BATCHES = st.integers(1, 64)
SEEDS = st.integers(0, 2**32)


@given(COUNTS, BATCHES, SEEDS)
def test_every_image_goes_in_and_comes_back_to_its_row(count, largest, seed):
    order = Order.draw(count, largest, seed)
    answers = order.rows * 10
    assert set(order.rows.tolist()) == set(range(count))
    assert order.restore(answers).tolist() == [row * 10 for row in range(count)]
    assert order.disagreements(answers) == 0


@given(COUNTS, BATCHES, SEEDS)
def test_batches_are_equally_long_and_not_too_long(count, largest, seed):
    order = Order.draw(count, largest, seed)
    assert order.batch_size <= largest
    assert {len(order.rows_of(batch)) for batch in range(order.batches)} == {order.batch_size}
    extra = len(order.rows) - count
    assert min(DUPLICATES, count) <= extra < min(DUPLICATES, count) + order.batches


def test_two_runs_have_different_orders_and_a_seed_gives_the_same():
    assert Order.draw(1000, 64).rows.tolist() != Order.draw(1000, 64).rows.tolist()
    assert Order.draw(1000, 64, 5).rows.tolist() == Order.draw(1000, 64, 5).rows.tolist()


def test_the_order_tells_nothing_about_the_rows():
    """The rank correlation of place and row stays where chance puts it."""
    correlations = [
        abs(np.corrcoef(np.arange(1000), Order.draw(1000, 1000, seed).rows[:1000])[0, 1])
        for seed in range(50)
    ]
    assert np.mean(correlations) < 0.05


def test_different_labels_for_a_duplicate_are_noticed():
    order = Order.draw(100, 50, 1)
    random = np.random.default_rng(2).integers(0, 10, len(order.rows))
    assert order.disagreements(random) > 0


def test_scores_that_differ_by_rounding_are_not_a_disagreement():
    order = Order.draw(100, 50, 1)
    generator = np.random.default_rng(3)
    scores = generator.normal(0, 1, (100, 10))[order.rows]
    rounding = scores * (1 + generator.normal(0, 1e-4, scores.shape))
    assert order.disagreements(rounding.astype(np.float32)) == 0
    noise = scores + generator.normal(0, 0.5, scores.shape)
    assert order.disagreements(noise.astype(np.float32)) > 0


@given(COUNTS, BATCHES, SEEDS)
def test_copies_with_noise_are_of_other_images_each_and_no_part_of_the_answers(
    count, largest, seed
):
    copies = count // 3
    order = Order.draw(count, largest, seed, copies=copies)
    answers = order.rows * 10 + order.noisy
    assert order.restore(answers).tolist() == [row * 10 for row in range(count)]
    assert order.disagreements(answers) == 0
    rows, there, came_first = order.of_copies(answers)
    sent = list(zip(order.rows.tolist(), order.noisy.tolist(), strict=True))
    batch_of = {each: sent.index(each) // order.batch_size for each in sent}
    earlier = [batch_of[row, True] < batch_of[row, False] for row in rows.tolist()]
    assert came_first.tolist() == earlier
    assert order.batches >= min(copies, 8)
    assert len(set(rows.tolist())) == copies
    assert there.tolist() == (rows * 10 + 1).tolist()
    assert {len(order.rows_of(batch)) for batch in range(order.batches)} == {order.batch_size}


def test_a_copy_is_its_image_with_seeded_noise_of_four_grey_levels_and_nothing_else_changes():
    images = np.random.default_rng(0).integers(40, 216, (80, 28, 28)).astype(np.uint8)
    order = Order.draw(80, 16, 7, copies=10)
    sent = np.concatenate([order.batch(images, number) for number in range(order.batches)])
    again = np.concatenate([order.batch(images, number) for number in range(order.batches)])
    assert np.array_equal(sent, again)
    assert np.array_equal(sent[~order.noisy], images[order.rows[~order.noisy]])
    noise = sent[order.noisy].astype(int) - images[order.rows[order.noisy]]
    assert abs(noise.mean()) < 0.2
    assert 3.8 < noise.std() < 4.2
    assert order.batch(np.zeros_like(images), 0).max() < 40  # it does not wrap around


def test_disagreement_on_copies_with_noise_is_no_disagreement():
    order = Order.draw(100, 50, 1, copies=12)
    answers = np.where(order.noisy, 9, order.rows % 9)
    assert order.disagreements(answers) == 0
