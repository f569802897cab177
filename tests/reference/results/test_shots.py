"""Groups of classes by their images, and gains seed by seed."""

from __future__ import annotations

import math

import pytest

from reference.results import shots
from reference.results.cards import Card, ClassLine, Entry, SeedRun

COUNTS = (1000, 101, 100, 20, 19)
T_OF_TWO = 4.302653  # Student's t, two degrees of freedom, 97.5%


def a_run(seed: int, recalls: tuple[float, ...]) -> SeedRun:
    accuracy = sum(recalls) / len(recalls)
    return SeedRun(
        seed=seed,
        epoch=1,
        test_accuracy=accuracy,
        validation_accuracy=None,
        train_accuracy=1.0,
        train_loss=0.0,
        macro_f1=accuracy,
        seconds=1.0,
        code="",
        environment={},
        recalls=recalls,
    )


def an_entry(case: str, few: tuple[float, ...], counts: tuple[int, ...] = COUNTS) -> Entry:
    """A method by the recall of its rarest class in each seed."""
    return Entry(
        case=case,
        settings={},
        data={"name": "fashion-mnist", "title": "", "notice": "", "sha256": ""},
        reported={},
        per_class=[ClassLine(name=str(k), precision=1, recall=1, f1=1) for k in range(5)],
        runs=[a_run(seed, (0.9, 0.8, 0.6, 0.4, each)) for seed, each in enumerate(few)],
        images_per_class=counts,
    )


def a_card(*entries: Entry) -> Card:
    return Card(
        recipe="long_tail",
        report="own",
        row="",
        title="",
        variant="own",
        reason="",
        data="fashion-mnist",
        notice="",
        test_images=10,
        entries=entries,
    )


BASE = an_entry("plain", (0.10, 0.20, 0.30))
BETTER = an_entry("better", (0.31, 0.40, 0.49))


def test_groups_are_split_at_a_hundred_and_at_twenty():
    assert shots.groups(COUNTS) == {"many": [0, 1], "medium": [2, 3], "few": [4]}


def test_a_gain_is_taken_seed_by_seed():
    found = shots.gain(BETTER, BASE, shots.scores(COUNTS)["few"])

    assert found is not None
    # differences .21, .20, .19: mean .20, SD .01
    half = T_OF_TWO * 0.01 / math.sqrt(3)
    assert found.difference.mean == pytest.approx(0.2)
    assert found.difference.low == pytest.approx(0.2 - half)
    assert found.is_sure


def test_a_gain_that_chance_could_make_is_not_sure():
    found = shots.gain(an_entry("other", (0.0, 0.2, 0.5)), BASE, shots.scores(COUNTS)["few"])

    assert found is not None
    assert not found.is_sure


def test_section_shows_methods_and_gains_over_the_first():
    text = shots.section(a_card(BASE, BETTER))

    assert "1,000, 101, 100, 20, 19 images" in text
    assert "| method | accuracy | macro F1 | many | medium | few |" in text
    assert "Gains over plain" in text
    assert "**+.2000** (+.1752 to +.2248)" in text


def test_a_balanced_set_has_no_such_section():
    even = (100,) * 5

    assert shots.section(a_card(an_entry("a", (0.1,), even), an_entry("b", (0.2,), even))) == ""
