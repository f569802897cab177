"""Grades as staff read them, and the one that a student was told. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from sqlalchemy.orm import Session

from grader.scoring.grading import Knot, Scale
from leaderboard.db import utcnow
from leaderboard.grades import lowering, marks, publishing, reckoning, scales
from leaderboard.grades.reckoning import PersonGrade
from leaderboard.models import (
    Assignment,
    GradeMark,
    GradeState,
    MarkKind,
    PublishedGrade,
    Submission,
    User,
)
from leaderboard.rules import schedule
from leaderboard.views.shapes import OMITTED

Sentences = Annotated[
    Sequence[Mapping[str, Any]],
    {"description": "why, a sentence each: its English text, its code and its values"},
]


@dataclass(frozen=True, kw_only=True)
class ScaleKnot:
    """From which score on which grade: an anchor where its zone begins."""

    name: str
    score: float
    grade: float


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What staff decided about a person's grade."""

    id: int
    kind: MarkKind
    value: float | None
    reason: str
    of_course: Annotated[bool, {"description": "in every assignment of the course"}]
    made_at: datetime


@dataclass(frozen=True, kw_only=True)
class StaffGrade:
    """One student's grade with all that it was made of; `stays`: a worse one has come since."""

    user_id: int
    email: str
    name: str
    number: str | None
    section: str
    team: str | None
    submission: str | None
    state: GradeState
    score: float | None
    below: ScaleKnot | None
    above: ScaleKnot | None
    exact: float | None
    factor: float
    days_late: int
    penalty: float
    left: Annotated[float | None, {"description": "what becomes the grade, before it is a step"}]
    override: float | None
    grade: float | None
    written: str
    passed: bool | None
    explanation: Sentences
    published: str | None
    stays: bool


@dataclass(frozen=True, kw_only=True)
class GradeCounts:
    """How many students are in which state; `news`: publishing would tell them something."""

    ready: int
    pending: int
    missing: int
    excused: int
    withdrawn: int
    auditing: int
    news: int
    stay: int


@dataclass(frozen=True, kw_only=True)
class AskedLowering:
    """That grades may fall, asked for and not signed yet."""

    id: int
    reason: str
    asked_by: str
    asked_at: datetime


@dataclass(frozen=True, kw_only=True)
class Grades:
    """The grades of an assignment."""

    assignment: str
    metric: str
    penalty_per_day: float
    scale: Sequence[ScaleKnot]
    steps: Annotated[Sequence[str], {"description": "the grades given, the worst first; [] any"}]
    rounding: str
    counts: GradeCounts
    lowering: AskedLowering | None
    items: Sequence[StaffGrade]


@dataclass(frozen=True, kw_only=True)
class OwnGrade:
    """A student's own grade, once it is published; null members: it is not."""

    published_at: datetime | None = None
    state: GradeState | None = None
    score: float | None = None
    grade: float | None = None
    written: str | None = None
    passed: bool | None = None
    submission: str | None = None
    explanation: Sentences = ()
    scale: Annotated[Sequence[ScaleKnot] | None, OMITTED] = None


def staff_grades(session: Session, assignment: Assignment) -> Grades:
    """Everybody's grade, by e-mail address."""
    found = reckoning.of_assignment(session, assignment)
    held = scales.holding(session, assignment)
    asked = lowering.open_one(session, assignment)
    steps = held.newest.steps if held.newest else None
    return Grades(
        assignment=assignment.slug,
        metric=assignment.metric,
        penalty_per_day=held.penalty_per_day,
        scale=knots(held.newest),
        steps=tuple(steps.written(each) for each in steps.grades) if steps else (),
        rounding=steps.rounding if steps else "",
        counts=counts(found),
        lowering=AskedLowering(
            id=asked.id,
            reason=asked.reason,
            asked_by=session.get_one(User, asked.asked_by).name,
            asked_at=asked.asked_at,
        )
        if asked
        else None,
        items=tuple(map(staff_grade, found)),
    )


def counts(found: Sequence[PersonGrade]) -> GradeCounts:
    """How many are in which state."""
    states = Counter(each.state.value for each in found)
    return GradeCounts(
        **{state.value: states[state.value] for state in GradeState},
        news=sum(each.is_news for each in found),
        stay=sum(each.stays for each in found),
    )


def staff_grade(found: PersonGrade) -> StaffGrade:
    """One student's."""
    grade = found.grade
    return StaffGrade(
        user_id=found.user.id,
        email=found.user.address,
        name=found.user.name,
        number=found.number,
        section=found.section,
        team=found.team.name if found.team else None,
        submission=found.submission.public_id if found.submission else None,
        state=found.state,
        score=grade.score if grade else None,
        below=_knot(grade.below) if grade else None,
        above=_knot(grade.above) if grade else None,
        exact=grade.exact if grade else None,
        factor=found.factor,
        days_late=grade.days_late if grade else 0,
        penalty=grade.penalty if grade else 0.0,
        left=grade.left if grade else None,
        override=found.override,
        grade=found.given,
        written=found.written,
        passed=found.passed,
        explanation=reckoning.told(found),
        published=found.published.written if found.published else None,
        stays=found.stays,
    )


def decisions(session: Session, assignment: Assignment, user: User) -> tuple[Decision, ...]:
    """What holds about a person in an assignment."""
    return tuple(map(decision, marks.standing(session, assignment, user.id)))


def decision(mark: GradeMark) -> Decision:
    """One of them."""
    return Decision(
        id=mark.id,
        kind=mark.kind,
        value=mark.value,
        reason=mark.reason,
        of_course=mark.assignment_id is None,
        made_at=mark.made_at,
    )


def own_grade(session: Session, assignment: Assignment, user: User) -> OwnGrade:
    """What a student was told, and the scale, which is known from the opening on."""
    found = publishing.of_person(session, assignment, user)
    is_open = schedule.phase(assignment, None, utcnow()) is not schedule.Phase.UPCOMING
    scale = knots(scales.holding(session, assignment).newest) if is_open else ()
    return _own(session, found, scale) if found else OwnGrade(scale=scale)


def grade_by(session: Session, submission: Submission, user: User) -> OwnGrade | None:
    """The reader's published grade if this submission decided it."""
    found = publishing.of_person(session, submission.assignment, user)
    if found is None or found.submission_id != submission.id:
        return None
    return _own(session, found, None)


def _own(session: Session, found: PublishedGrade, scale: Sequence[ScaleKnot] | None) -> OwnGrade:
    of = session.get(Submission, found.submission_id) if found.submission_id else None
    return OwnGrade(
        published_at=found.published_at,
        state=found.state,
        score=found.score,
        grade=found.given,
        written=found.written,
        passed=found.passed,
        submission=of.public_id if of else None,
        explanation=found.explanation,
        scale=scale,
    )


def knots(scale: Scale | None) -> tuple[ScaleKnot, ...]:
    """A scale's anchors, the worst first."""
    if scale is None:
        return ()
    return tuple(ScaleKnot(name=k.name, score=k.score, grade=k.grade) for k in scale.knots)


def _knot(knot: Knot | None) -> ScaleKnot | None:
    return ScaleKnot(name=knot.name, score=knot.score, grade=knot.grade) if knot else None
