"""`grader grade`: from a score to a grade by the scale of an assignment folder."""

import json

import pytest
from assignment_folders import SETTINGS, write_assignment

GRADING = """
[schedule]
late_penalty_per_day = 0.3

[grading]
anchors = { linear = 5.0, lenet5 = 3.0, small_cnn = 1.3 }
steps = "1.0-5.0"
"""
SPREAD = [-0.003, -0.002, -0.001, 0.0, 0.001, 0.002, 0.003, 0.0, -0.001, 0.001]


@pytest.fixture
def folder(tmp_path):
    made = write_assignment(tmp_path / "pets")
    (made / "assignment.toml").write_text(SETTINGS + GRADING)
    means = {"linear": 0.84, "lenet5": 0.9, "small_cnn": 0.93}
    anchors = {name: {"scores": [mean + each for each in SPREAD]} for name, mean in means.items()}
    (made / "scale.json").write_text(json.dumps({"anchors": anchors}))
    return made


def test_a_grade_is_told_in_one_sentence_with_its_numbers(folder, run):
    told = run("grade", "0.91", "-a", folder)

    assert told.exit_code == 0, told.output
    assert told.stdout == (
        "0.9100 lies between lenet5 (0.8982 gives 3) and small_cnn (0.9282 gives 1.3): 2.33; "
        "the grade is 2.3.\n"
    )
    late = run("grade", "0.91", "-a", folder, "--days-late", 2)
    assert late.stdout.endswith(": 2.33; 2 days late, 0.60 off: 2.93; the grade is 3.\n")


def test_the_numbers_of_the_sentence_give_the_grade_again(folder, run):
    told = json.loads(run("grade", "0.91", "-a", folder, "--days-late", 1, "--json").stdout)

    low, high = told["below"], told["above"]
    share = (0.91 - low["from"]) / (high["from"] - low["from"])
    exact = low["grade"] + share * (high["grade"] - low["grade"])
    assert told["exact"] == pytest.approx(exact)
    assert told["grade"] == min(
        (1.0, 1.3, 1.7, 2.0, 2.3, 2.7, 3.0), key=lambda step: abs(step - (exact + 0.3))
    )
    assert (told["passed"], told["penalty"]) == (True, pytest.approx(0.3))


@pytest.mark.parametrize(
    ("score", "words"),
    [
        ("0.5", "0.5000 is below linear, which begins at 0.8382: 5.00; the grade is 5."),
        ("0.99", "0.9900 reaches small_cnn, which begins at 0.9282, the last of the scale: 1.30;"),
    ],
)
def test_beyond_the_anchors_the_grade_is_theirs(folder, run, score, words):
    assert words in run("grade", score, "-a", folder).stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "scale.json: it is missing"),
        ("{", "scale.json: not of the form"),
        ("[" * 100_000, "scale.json: not of the form"),
        ('{"anchors": {"linear": {"scores": []}}}', "scale.json: not of the form"),
        ('{"anchors": {"linear": {"scores": [NaN]}}}', "scale.json: not of the form"),
        ('{"anchors": {"linear": {"scores": [0.8]}}}', "scale.json: it has no runs of lenet5"),
    ],
)
def test_a_scale_that_cannot_be_made_says_why(folder, run, content, words):
    (folder / "scale.json").unlink()
    if content is not None:
        (folder / "scale.json").write_text(content)

    refused = run("grade", "0.9", "-a", folder)

    assert refused.exit_code == 2
    assert words in refused.stderr


def test_two_anchors_that_cannot_be_told_apart_make_no_scale(folder, run):
    anchors = json.loads((folder / "scale.json").read_text())["anchors"]
    anchors["lenet5"]["scores"] = [0.9299 + 9 * each for each in SPREAD]
    (folder / "scale.json").write_text(json.dumps({"anchors": anchors}))

    refused = run("grade", "0.9", "-a", folder)

    assert "can't be told apart" in refused.stderr
    assert refused.exit_code == 2


def test_an_assignment_without_anchors_has_no_scale(folder, run):
    (folder / "assignment.toml").write_text(SETTINGS)
    assert "[grading] names no anchors" in run("grade", "0.9", "-a", folder).stderr


def test_a_grade_is_told_in_chinese(folder, run, monkeypatch):
    monkeypatch.setenv("GRADER_LANG", "zh")
    assert "成绩为 2.3。" in run("grade", "0.91", "-a", folder).stdout
