"""Grades rise with scores, without jumps, and are moved by chance no more than is stated."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from grader.scoring.grading import (
    GERMAN,
    Anchor,
    ScaleError,
    Steps,
    never_lower,
    scale_of,
    steps_of,
)
from grader.scoring.quantiles import student_t
from grader.settings.tables import Grading

LOW = Steps(grades=GERMAN, best_is_high=False, pass_mark=4.0)


def anchor(name, grade, mean, sd=0.002, seeds=10, **more):
    """An anchor whose seeds have exactly this mean and deviation."""
    draws = np.linspace(-1, 1, seeds)
    draws = draws / draws.std(ddof=1) * sd if sd else draws * 0
    return Anchor(name=name, grade=grade, scores=tuple(float(mean + d) for d in draws), **more)


LADDER = (
    anchor("linear", 5.0, 0.84),
    anchor("lenet5", 3.0, 0.90),
    anchor("small_cnn", 1.7, 0.93),
    anchor("resnet18", 1.0, 0.95),
)


@st.composite
def ladders(draw):
    count = draw(st.integers(2, 6))
    rises = st.floats(0.01, 0.2)
    means = np.cumsum([draw(rises) for _ in range(count)])
    points = np.cumsum([draw(st.floats(0.5, 30)) for _ in range(count)])
    sds = [draw(st.floats(0, 0.001)) for _ in range(count)]
    high = draw(st.booleans())
    made = [
        anchor(f"model{place}", grade if high else 1000 - grade, mean, sd=sd, test_error=0.0005)
        for place, (mean, grade, sd) in enumerate(zip(means, points, sds, strict=True))
    ]
    return scale_of(made, steps=Steps(best_is_high=high)), made


@given(ladders(), st.floats(-1, 3), st.floats(0, 1))
def test_a_better_score_never_has_a_worse_grade_and_nothing_jumps(ladder, score, more):
    scale, _ = ladder
    first, second = scale.exact(score), scale.exact(score + more)

    assert not scale.steps.is_better(first, second) or math.isclose(first, second, abs_tol=1e-9)
    assert abs(second - first) <= scale.steepest * more + 1e-9


@given(ladders(), st.data())
def test_other_seeds_within_the_zones_move_no_grade_by_more_than_is_stated(ladder, data):
    scale, made = ladder
    moved = [
        Anchor(
            name=each.name,
            grade=each.grade,
            scores=tuple(s + shift for s in each.scores),
            test_error=each.test_error,
        )
        for each in made
        for shift in [data.draw(st.floats(-1, 1)) * each.zone]
    ]
    other = scale_of(moved, steps=scale.steps)
    score = data.draw(st.floats(0, 1.5))

    assert abs(other.exact(score) - scale.exact(score)) <= scale.zone + 1e-9


def test_half_of_the_seeds_gives_the_grades_of_the_other_half_but_for_the_zone():
    rng = np.random.default_rng(11)
    draws = {name: rng.normal(mean, 0.002, 20) for name, mean in (("a", 0.88), ("b", 0.92))}
    for _ in range(5):
        orders = {name: rng.permutation(20) for name in draws}
        first, second = (
            scale_of(
                Anchor(name=name, grade=grade, scores=tuple(draws[name][orders[name][half]]))
                for name, grade in (("a", 60.0), ("b", 90.0))
            )
            for half in (slice(10), slice(10, 20))
        )
        scores = np.linspace(0.85, 0.95, 101)
        gap = max(abs(first.exact(s) - second.exact(s)) for s in scores)
        # each has its own zones, so the two scales differ by the means and by the zones themselves
        assert gap <= first.zone + second.zone


def test_who_cannot_be_told_from_a_baseline_has_its_grade():
    scale = scale_of(LADDER, steps=LOW)
    knot = scale.knots[1]

    assert knot.zone == pytest.approx(stats.t.ppf(0.975, 9) * 0.002 * math.sqrt(2 / 10))
    assert scale.exact(knot.mean) < knot.grade == scale.exact(knot.mean - knot.zone)
    assert scale.exact(knot.mean - knot.zone - 1e-6) > knot.grade


def test_the_zone_adds_the_test_set_to_the_seeds():
    accuracy, images = 0.9, 7000
    error = math.sqrt(accuracy * (1 - accuracy) / images)
    zone = anchor("lenet5", 60, accuracy, test_error=error).zone

    alone = anchor("lenet5", 60, accuracy).zone
    assert zone == pytest.approx(math.hypot(alone, stats.norm.ppf(0.975) * error))


def test_beyond_the_last_baselines_the_grade_stays():
    scale = scale_of(LADDER, steps=LOW)

    assert [scale.exact(score) for score in (0, 0.5, 0.99, 1)] == [5.0, 5.0, 1.0, 1.0]
    assert [each and each.name for each in scale.around(0.99)] == ["resnet18", None]


def test_a_metric_that_should_be_low_makes_a_scale_too():
    made = [anchor("good", 90, 0.25), anchor("poor", 50, 0.60)]
    scale = scale_of(made, metric="log_loss", steps=Steps())

    assert [knot.name for knot in scale.knots] == ["poor", "good"]
    assert scale.knots[0].score == pytest.approx(0.60 + made[1].zone)
    assert scale.exact(0.7) == 50 < scale.exact(0.4) < scale.exact(0.3) < scale.exact(0.2) == 90


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ([anchor("a", 60, 0.9)], "two anchors or more; there are 1"),
        ([anchor("a", 60, 0.8, seeds=9), anchor("b", 90, 0.9)], "a has 9 seeds; .* needs 10"),
        (
            [anchor("a", 60, 0.7), anchor("b", 70, 0.8, seeds=4), anchor("c", 90, 0.9)],
            "b has 4 seeds; an anchor between two others needs 5",
        ),
        ([anchor("a", 60, 0.8), anchor("b", 60, 0.9)], "must have the better grade, not 60 after"),
        (
            [anchor("a", 60, 0.90, sd=0.001), anchor("b", 80, 0.901, sd=0.02)],
            r"a \(0.9000\) and b \(0.9010\) can't be told apart",
        ),
    ],
)
def test_anchors_that_make_no_scale_are_refused_with_the_reason(made, words):
    with pytest.raises(ScaleError, match=words):
        scale_of(made)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ScaleError) as caught:
        scale_of([anchor("a", 60, 0.8, seeds=2), anchor("b", 50, 0.9, seeds=2)])
    assert len(caught.value.problems) == 3


def test_days_late_cost_points_before_the_grade_is_rounded_and_never_more_than_the_scale_has():
    scale = scale_of(LADDER, steps=LOW)
    score = scale.knots[2].score
    grades = [scale.grade(score, days_late=days, penalty_per_day=0.3) for days in (0, 1, 2, 30)]

    assert [grade.written for grade in grades] == ["1.7", "2", "2.3", "5"]
    assert [grade.passed for grade in grades] == [True, True, True, False]
    assert grades[3].penalty == pytest.approx(5.0 - 1.7)
    assert grades[1].exact == grades[0].exact == pytest.approx(1.7)


@pytest.mark.parametrize(
    ("rounding", "given"), [("nearest", 1.7), ("favour", 1.7), ("strict", 2.0)]
)
def test_an_exact_grade_becomes_a_step_as_the_rounding_says(rounding, given):
    assert Steps(grades=GERMAN, best_is_high=False, rounding=rounding).given(1.8) == given


@settings(max_examples=200)
@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=8, unique=True),
    st.sampled_from(["nearest", "favour", "strict"]),
    st.floats(-10, 110),
    st.booleans(),
)
def test_rounding_goes_to_a_neighbouring_step_and_keeps_the_order(numbers, rounding, exact, high):
    steps = Steps(
        grades=tuple(sorted(map(float, numbers), reverse=not high)),
        best_is_high=high,
        rounding=rounding,
    )
    given_now = steps.given(exact)
    sign = 1 if high else -1
    between = [
        step for step in steps.grades if min(exact, given_now) < step < max(exact, given_now)
    ]

    assert given_now in steps.grades
    assert not [step for step in between if abs(step - exact) > 1e-9]
    assert sign * steps.given(exact + sign) >= sign * given_now
    assert all(steps.given(step) == step for step in steps.grades)


def test_ties_go_to_the_student():
    assert Steps(grades=(0.0, 1.0, 2.0)).given(0.5) == 1.0
    assert Steps(grades=(2.0, 1.0, 0.0), best_is_high=False).given(0.5) == 0.0


@pytest.mark.parametrize(
    ("grading", "exact", "written", "passed"),
    [
        (Grading(), 71.234, "71.23", True),
        (Grading(steps="0-100", pass_mark=50), 49.5, "50", True),
        (Grading(steps="0-100", pass_mark=50), 49.4, "49", False),
        (Grading(steps="1.0-5.0"), 2.2, "2.3", True),
        (Grading(steps="1.0-5.0"), 4.6, "5", False),
        (Grading(steps="pass"), 50, "pass", True),
        (Grading(steps="pass"), 49.99, "fail", False),
        (Grading(steps="letters", letters={"A": 90, "B": 75, "F": 0}, pass_mark=75), 89.9, "B", 1),
        (Grading(steps="letters", letters={"A": 90, "B": 75, "F": 0}, pass_mark=75), 20, "F", 0),
    ],
)
def test_the_steps_that_an_assignment_states(grading, exact, written, passed):
    steps = steps_of(grading)
    given_now = steps.given(exact)

    assert (steps.written(given_now), steps.passes(given_now)) == (written, bool(passed))


def test_a_later_scale_lowers_nobody():
    assert never_lower(LOW, 1.7, 2.3) == 1.7
    assert never_lower(LOW, 2.3, 1.7) == 1.7
    assert never_lower(LOW, None, 3.0) == 3.0


def test_the_grades_of_an_interval_are_a_range():
    worst, best = scale_of(LADDER, steps=LOW).grades_within(0.89, 0.93)
    assert (worst.given, best.given) == (3.3, 1.7)


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_no_grade_is_made_of_what_is_no_number(score):
    with pytest.raises(ValueError, match="finite"):
        scale_of(LADDER, steps=LOW).grade(score)


def test_the_quantiles_are_scipys():
    for freedom in (1, 2, 3, 4, 9, 10, 57, 400, 999, 1000, 10**6):
        for probability in (0.6, 0.9, 0.975, 0.999):
            expected = stats.t.ppf(probability, freedom)
            assert student_t(probability, freedom) == pytest.approx(expected, rel=1e-9)


def test_steps_are_in_one_order():
    assert all(LOW.is_better(above, below) for below, above in pairwise(LOW.grades))
