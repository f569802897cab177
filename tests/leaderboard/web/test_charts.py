"""Charts are text made from numbers: what they hold can be read back."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.web import charts

WORDS = {"title": "t", "true_label": "true", "predicted_label": "predicted"}


def matrix(size: int) -> tuple[list[list[int]], list[str]]:
    counts = np.random.default_rng(7).integers(0, 4, (size, size)) + 40 * np.eye(size, dtype=int)
    return counts.tolist(), [f"class {index}" for index in range(size)]


def test_every_count_of_a_small_matrix_is_written_in_its_cell():
    counts, classes = matrix(10)
    svg = ET.fromstring(charts.confusion_matrix(counts, classes, **WORDS))
    shown = [text.text for group in svg.iter("g") for text in group.iter("text")]
    assert shown == [str(count) for row in counts for count in row if count]


def test_the_diagonal_is_told_from_the_errors():
    svg = charts.confusion_matrix([[9, 1], [0, 10]], ["a", "b"], **WORDS)
    assert re.findall(r'class="(right|wrong) l(\d+)"', svg) == [
        ("right", "10"),
        ("wrong", "4"),
        ("right", "10"),
    ]


@pytest.mark.parametrize(("size", "limit"), [(30, 160_000), (100, 160_000)])
def test_a_large_matrix_stays_small_and_well_formed(size, limit):
    counts, classes = matrix(size)
    svg = charts.confusion_matrix(counts, classes, **WORDS)
    ET.fromstring(svg)
    assert len(svg) < limit


def test_names_of_classes_are_escaped_and_cut():
    names = ["<script>alert(1)</script>", "& a name that is much longer than any label may be"]
    svg = charts.confusion_matrix([[1, 1], [1, 1]], names, **WORDS)
    ET.fromstring(svg)
    assert "<script" not in svg
    assert "& a name that i…".replace("&", "&amp;") in svg


def test_charts_carry_no_style_that_the_policy_would_refuse():
    counts, classes = matrix(5)
    scale = charts.axis([0.5, 0.9])
    drawn = [
        charts.confusion_matrix(counts, classes, **WORDS),
        charts.axis_labels(scale),
        charts.dot(scale, 0.7, kind="mine"),
        charts.axis_labels(scale, [0.6]),
        charts.strip(scale, teams=[0.6], baselines=[("b", 0.7)], mine=0.8, title="t"),
    ]
    assert not any("style" in svg or "on" + "load" in svg for svg in drawn)


def test_the_most_confused_pair_comes_first_with_its_share_of_the_true_class():
    first, second = charts.most_confused([[8, 2, 0], [0, 10, 0], [5, 0, 5]], ["a", "b", "c"])
    assert (first.true, first.predicted, first.count, first.share) == ("c", "a", 5, 0.5)
    assert (second.true, second.predicted, second.share) == ("a", "b", 0.2)


def test_a_matrix_without_errors_has_no_confused_pair():
    assert charts.most_confused([[3, 0], [0, 0]], ["a", "b"]) == []


@given(st.lists(st.floats(0, 5, allow_nan=False), max_size=30))
def test_an_axis_holds_all_values_with_two_to_six_ticks(values):
    scale = charts.axis(values)
    assert 2 <= len(scale.ticks) <= 6
    assert all(scale.low - 1e-9 <= value <= scale.high + 1e-9 for value in values)
    assert all(0 <= scale.percent(value) <= 100 for value in values)


def test_labels_of_baselines_that_are_close_stand_on_different_lines():
    scale = charts.axis([0.8, 1.0])
    close = [("first baseline", 0.900), ("second baseline", 0.901), ("far", 0.99)]
    svg = ET.fromstring(charts.strip(scale, teams=[], baselines=close, mine=0.95, title="t"))
    lines = {text.text: text.get("y") for text in svg.iter("text")}
    assert lines["first baseline"] != lines["second baseline"]
    assert lines["first baseline"] == lines["far"]


def test_the_lines_of_the_baselines_are_kept_once_for_every_row():
    scale = charts.axis([0.5, 1.0])
    kept = charts.axis_labels(scale, [0.63, 0.81, 0.81]).partition('<g id="marks"')[2]
    assert kept.count('<line x1="26.0%"') == kept.count('<line x1="62.0%"') == 1
    assert 'href="#marks"' in charts.dot(scale, 0.7, kind="team")


def test_a_strip_says_beside_a_baseline_what_is_noted_of_it_alone() -> None:
    drawn = charts.strip(
        charts.axis([0.8, 0.9]),
        teams=[],
        baselines=[("lenet5", 0.8), ("resnet18", 0.9)],
        mine=None,
        title="Baselines",
        notes={"lenet5": "2 min", "alexnet": "9 min"},
    )

    assert ">lenet5 · 2 min<" in drawn
    assert ">resnet18<" in drawn
    assert "9 min" not in drawn
    assert ">.8<" in drawn  # the scale, without the zero
