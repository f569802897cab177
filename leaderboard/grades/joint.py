"""The joint grade over an assignment group: the parts' grades by their weights. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.scoring.grading import Steps
from grader.scoring.joint import Joint, Part, joint_grade
from grader.words.message import Message, said
from leaderboard.grades import reckoning, scales
from leaderboard.grades.reckoning import PersonGrade
from leaderboard.models import Assignment, AssignmentGroup, Course, GradeState
from leaderboard.rules import catalog

# what a joint grade waits for, the first that any part is
_WAITS = (GradeState.WITHDRAWN, GradeState.AUDITING, GradeState.PENDING, GradeState.MISSING)


@dataclass(frozen=True, kw_only=True)
class Column:
    """An assignment of the group, and what its grade weighs."""

    assignment: Assignment
    weight: float


@dataclass(frozen=True, kw_only=True)
class PersonJoint:
    """One student's grades in a group; `joint` is None until every part that is not excused has
    a grade, or where the parts' grades are of different kinds."""

    parts: tuple[PersonGrade, ...]
    state: GradeState
    joint: Joint | None
    said: Message


@dataclass(frozen=True, kw_only=True)
class GroupGrades:
    """Everybody's grades in a group."""

    group: AssignmentGroup
    columns: tuple[Column, ...]
    people: tuple[PersonJoint, ...]


def groups(session: Session, course: Course) -> Sequence[AssignmentGroup]:
    """The groups of a course that have assignments."""
    has_some = sa.select(Assignment.id).where(Assignment.group_id == AssignmentGroup.id).exists()
    return session.scalars(
        sa.select(AssignmentGroup)
        .where(AssignmentGroup.course_id == course.id, has_some)
        .order_by(AssignmentGroup.slug)
    ).all()


def of_group(session: Session, group: AssignmentGroup) -> GroupGrades:
    """The grades of every student in every part, and the joint one."""
    assignments = session.scalars(
        sa.select(Assignment).where(Assignment.group_id == group.id).order_by(Assignment.slug)
    ).all()
    columns = tuple(
        Column(assignment=each, weight=catalog.rules(each).grading.weight) for each in assignments
    )
    held = [scales.holding(session, each) for each in assignments]
    rows = zip(*(reckoning.of_assignment(session, each) for each in assignments), strict=True)
    return GroupGrades(
        group=group, columns=columns, people=tuple(_person(columns, held, row) for row in rows)
    )


def _person(
    columns: Sequence[Column], held: Sequence[scales.Holding], parts: tuple[PersonGrade, ...]
) -> PersonJoint:
    for state in _WAITS:
        if any(each.state is state for each in parts):
            return PersonJoint(parts=parts, state=state, joint=None, said=said("grade.joint_waits"))
    counted = [
        Part(given=each.given, written=each.written, weight=column.weight)
        for column, each in zip(columns, parts, strict=True)
        if each.given is not None
    ]
    if not _is_one_kind(held):
        return PersonJoint(
            parts=parts, state=GradeState.READY, joint=None, said=said("grade.joint_kinds")
        )
    joint = joint_grade(counted, _steps(held[0]))
    if joint is None:
        excused = said("grade.joint_excused")
        return PersonJoint(parts=parts, state=GradeState.EXCUSED, joint=None, said=excused)
    return PersonJoint(
        parts=parts, state=GradeState.READY, joint=joint, said=_explained(counted, joint)
    )


def _explained(parts: Sequence[Part], joint: Joint) -> Message:
    summands = " + ".join(f"{each.weight:g} × {each.written}" for each in parts)
    return said(
        "grade.joint",
        sum=summands,
        total=f"{sum(each.weight for each in parts):g}",
        mean=f"{joint.mean:.4g}",
        written=joint.written,
    )


def _is_one_kind(held: Sequence[scales.Holding]) -> bool:
    """Whether the grades of all parts are of the same steps, so that a mean says something."""
    first = _key(held[0])
    return all(_key(each) == first for each in held)


def _key(held: scales.Holding) -> tuple[Mapping[float, str], Steps | None, bool]:
    steps = _steps(held)
    return (steps.names if steps else {}, steps, held.rises)


def _steps(held: scales.Holding) -> Steps | None:
    return held.newest.steps if held.newest else None
