"""The guide's example of one report's models says what its program prints."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

import grader
from reference.calibration.power import images_needed

GUIDE = Path(grader.__file__).parents[1] / "deploy" / "grades.md"


@pytest.fixture(scope="module")
def example() -> str:
    guide = GUIDE.read_text(encoding="utf-8")
    return guide.partition("<!-- marine -->\n")[2].partition("**Recomputing.**")[0]


def test_the_program_prints_what_stands_below_it(example: str):
    program, _, rest = example.removeprefix("```python\n").partition("```\n\n```\n")
    printed = io.StringIO()

    with contextlib.redirect_stdout(printed):
        exec(program, {})

    assert printed.getvalue() == rest.partition("```")[0]
    assert printed.getvalue().count("not shown to differ") == 3


@pytest.mark.parametrize(("differ", "needed"), [(0.1, "8,100"), (0.3, "24,000")])
def test_the_images_that_would_tell_two_of_them_apart_are_those_computed(
    example: str, differ: float, needed: str
):
    assert f"{images_needed((differ + 0.01) / 2, (differ - 0.01) / 2):,}" == needed
    assert needed in example
