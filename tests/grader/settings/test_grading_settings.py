"""What the table [grading] may say, and what is refused with its line."""

from pathlib import Path

import pytest
from assignment_folders import SETTINGS

from grader import Assignment, AssignmentError


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        ("letters = 'A'", 6, "grading.letters must be a table of letter = grade, such as { A = 60"),
        ("letters = { A = -1 }", 6, "must be a number from 0 to 1000"),
        ("letters = { A = 90 }", 6, 'letters and steps = "letters" must be given together'),
        ("steps = 'letters'", 6, 'letters and steps = "letters" must be given together'),
        ("steps = 'pass'\nbest = 'low'", 7, 'the steps "pass" rise with the points'),
        ("steps = 'stars'", 6, "grading.steps must be one of"),
        ("pass_mark = '4.0'", 6, "grading.pass_mark must be a number"),
    ],
)
def test_a_wrong_setting_of_the_grading_is_named_with_its_line(lines, line, words):
    text = SETTINGS.replace("[submission]", f"[grading]\n{lines}\n[submission]")

    with pytest.raises(AssignmentError) as caught:
        Assignment.parse(text, Path("pets"))

    (problem,) = caught.value.problems
    assert problem.startswith(f"assignment.toml:{line}: ")
    assert words in problem
