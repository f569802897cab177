"""Grades as an external examiner reads them: by pseudonym, and nothing that names anybody."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard.models import Assignment, GradeState, User
from leaderboard.views.gradebook import entries


@dataclass(frozen=True, kw_only=True)
class ExaminedGrade:
    """One student's grade without who they are."""

    pseudonym: str
    state: GradeState
    score: float | None
    penalty: float
    factor: float
    is_set: bool  # by a decision of staff, in place of the computed one
    written: str
    explanation: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Examination:
    """The grades of an assignment, by pseudonym."""

    grades: entries.Grades
    rows: tuple[ExaminedGrade, ...]


def examination(
    session: Session, assignment: Assignment, reader: User, *, secret: str
) -> Examination:
    """Everybody's grade under the names that this reader knows them by in the whole course.

    In the order of the pseudonyms, which tells nothing. Two readers have different ones.
    """
    grades = entries.staff_grades(session, assignment)
    rows = [
        ExaminedGrade(
            pseudonym=pseudonym(assignment.course_id, each.user_id, reader.id, secret=secret),
            state=each.state,
            score=each.score,
            penalty=each.penalty,
            factor=each.factor,
            is_set=each.override is not None,
            written=each.written,
            explanation=tuple(map(_unnamed, each.explanation)),
        )
        for each in grades.items
    ]
    return Examination(grades=grades, rows=tuple(sorted(rows, key=lambda each: each.pseudonym)))


def pseudonym(course_id: int, user_id: int, reader_id: int, *, secret: str) -> str:
    """Ten digits of a keyed hash: nobody without the server's key leads it back.

    >>> pseudonym(1, 2, 3, secret="s") == pseudonym(1, 2, 3, secret="s")
    True
    >>> pseudonym(1, 2, 3, secret="s") == pseudonym(1, 2, 4, secret="s")
    False
    """
    about = f"examined {course_id} {user_id} {reader_id}".encode()
    digest = hmac.new(secret.encode(), about, hashlib.sha256).hexdigest()[:10].upper()
    return f"{digest[:5]}-{digest[5:]}"


def _unnamed(sentence: Mapping[str, Any]) -> Mapping[str, Any]:
    """A sentence that holds what staff wrote may hold a name: it is told that there is one."""
    if "reason" not in sentence.get("values", {}):
        return sentence
    told = said("grade.reason_kept")
    return {"text": str(told), **told.as_data()}
