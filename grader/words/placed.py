"""A problem of an assignment folder with the place where it is."""

from __future__ import annotations

from grader.words.message import Message, said


def placed(place: str, problem: Message, hint: str = "") -> Message:
    """Say a problem after the file, and the line where there is one; the hint follows at once.

    >>> placed("answers.csv:1", said("folder.no_rows"))
    'answers.csv:1: holds no rows'
    """
    return said("folder.problem", place=place, problem=problem, hint=hint)
