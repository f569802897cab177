"""What is proposed can be taken as it is: the assignment's own reader takes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grader import Assignment
from grader.scoring.grading import Anchor, ScaleError
from grader.scoring.scale_file import load_scale
from grader.settings.tables import Grading
from reference.calibration.proposal import grades, grading_toml, propose, scale_json

TOP = 'slug = "a"\ntitle = "A"\nclasses = ["x", "y"]\n\n'


def anchor(name: str, mean: float, *, seeds: int = 10, sd: float = 0.002) -> Anchor:
    scores = tuple(mean + sd * np.random.default_rng(7).normal(size=seeds))
    return Anchor(name=name, grade=0.0, scores=scores, test_error=0.003)


@pytest.mark.parametrize(
    "grading",
    [
        Grading(),
        Grading(steps="0-100", pass_mark=60.0, rounding="favour"),
        Grading(steps="1.0-5.0"),
        Grading(steps="letters", letters={"A": 90.0, "B": 75.0, "F": 0.0}),
        Grading(steps="pass"),
        Grading(best="low", weight=2.0, training_minutes=5.0),
    ],
    ids=lambda each: f"{each.steps}-{each.best}",
)
def test_the_proposal_is_read_by_the_assignment_and_gives_its_anchors_their_grades(
    tmp_path: Path, grading: Grading
):
    made = propose(
        [anchor("small_cnn", 0.93), anchor("linear", 0.84), anchor("lenet5", 0.90, seeds=5)],
        metric="accuracy",
        grading=grading,
    )
    (tmp_path / "assignment.toml").write_text(TOP + grading_toml(made, grading))
    (tmp_path / "scale.json").write_text(scale_json(made))

    assignment = Assignment.open(tmp_path)
    scale = load_scale(tmp_path, assignment)

    assert assignment.grading == Grading(**{**vars(grading), "anchors": assignment.grading.anchors})
    assert [knot.name for knot in scale.knots] == ["linear", "lenet5", "small_cnn"]
    for each, grade in zip(made.anchors, grades(grading, 3), strict=True):
        assert scale.exact(each.mean - each.zone) == pytest.approx(grade, abs=0.01)
    assert scale.grade(0.93).passed
    assert scale.grade(0.93).given == scale.steps.given(grades(grading, 3)[-1])


def test_of_two_that_can_not_be_told_apart_one_is_left_out_and_the_ends_stay():
    made = propose(
        [
            anchor("linear", 0.84),
            anchor("lenet5", 0.900),
            anchor("cnn", 0.901),
            anchor("net", 0.93),
        ],
        metric="accuracy",
        grading=Grading(),
    )

    assert [each.name for each in made.anchors][::2] == ["linear", "net"]
    assert len(made.anchors) == 3


def test_an_end_needs_ten_seeds_and_without_two_ends_it_is_said_what_is_missing():
    with pytest.raises(ScaleError, match="lenet5"):
        propose(
            [anchor("linear", 0.84, seeds=10), anchor("lenet5", 0.9, seeds=5)],
            metric="accuracy",
            grading=Grading(),
        )


def test_a_falling_metric_gives_the_lowest_score_the_best_grade():
    made = propose(
        [anchor("good", 0.3, sd=0.01), anchor("bad", 0.9, sd=0.01)],
        metric="log_loss",
        grading=Grading(),
    )

    assert {each.name: each.grade for each in made.anchors} == {"bad": 40.0, "good": 100.0}
