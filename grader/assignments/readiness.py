"""What an assignment folder must hold beyond its answers: to run code, and to be published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from grader.assignments.assignment import Assignment
from grader.errors import AssignmentError
from grader.words.message import Message, said
from grader.words.placed import placed


def check_runs_code(assignment: Assignment) -> None:
    """Read what a run of code needs, before it starts.

    Raises:
        AssignmentError: with everything that is missing or wrong in images and sample.
    """
    _check(assignment.test_images, assignment.sample)


def load_to_publish(folder: Path | str) -> Assignment:
    """Read an assignment folder that students will work with.

    Raises:
        AssignmentError: with everything that they would lack, and all that is wrong, in one list.
    """
    assignment = Assignment.open(folder)
    takes_code = "code" in assignment.submission.kinds
    parts: list[Callable[[], object]] = [lambda: _check_readme(assignment), assignment.answer_key]
    if (assignment.folder / "test").exists():
        parts.append(assignment.test_images)
    else:
        parts.append(lambda: _check_nobody_needs_images(assignment))
    if (assignment.folder / "sample").exists():
        parts.append(assignment.sample)
    elif takes_code:
        parts.append(lambda: _refuse(placed("sample", said("folder.sample_missing"))))
    _check(*parts)
    return assignment


def _check(*parts: Callable[[], object]) -> None:
    """Read each part, and tell what is wrong with all of them together.

    Raises:
        AssignmentError: a part is missing or wrong.
    """
    problems: list[str] = []
    for part in parts:
        try:
            part()
        except AssignmentError as error:
            problems.extend(problem for problem in error.problems if problem not in problems)
    if problems:
        raise AssignmentError(problems)


def _check_readme(assignment: Assignment) -> None:
    try:
        assignment.readme()
    except FileNotFoundError:
        _refuse(placed("README.md", said("folder.readme_missing")))
    except UnicodeDecodeError as error:
        _refuse(placed("README.md", said("folder.not_utf8", byte=error.start)))


def _check_nobody_needs_images(assignment: Assignment) -> None:
    reasons = list(_needs_of_images(assignment))
    if len(reasons) == 2:
        both = said("folder.needs_both", first=reasons[0], second=reasons[1])
        _refuse(placed("test", said("folder.test_missing", reason=both)))
    for reason in reasons:
        _refuse(placed("test", said("folder.test_missing", reason=reason)))


def _needs_of_images(assignment: Assignment) -> Iterator[Message]:
    kinds, data = assignment.submission.kinds, assignment.data
    if "code" in kinds:
        yield said("folder.needs_of_code")
    if "csv" in kinds and data.test_images == "public" and not data.train_url:
        yield said("folder.needs_of_csv")


def _refuse(problem: Message) -> None:
    raise AssignmentError([problem])
