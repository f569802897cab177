"""Joint grades over an assignment group, as rows for the page, the API and a file. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from sqlalchemy.orm import Session

from leaderboard.grades import joint
from leaderboard.models import AssignmentGroup, Course, GradeState
from leaderboard.views.tables import table_csv


@dataclass(frozen=True, kw_only=True)
class JointPart:
    """One part's grade; "" where there is none."""

    assignment: str
    weight: float
    state: GradeState
    written: str


@dataclass(frozen=True, kw_only=True)
class JointLine:
    """One student's grades in a group."""

    user_id: int
    email: str
    name: str
    number: str | None
    section: str
    parts: Sequence[JointPart]
    state: GradeState
    mean: float | None
    written: str
    explanation: Annotated[
        Mapping[str, Any], {"description": "the English text, its code and its values"}
    ]


@dataclass(frozen=True, kw_only=True)
class JointGrades:
    """Everybody's grades in a group."""

    group: str
    title: str
    items: Sequence[JointLine]


def joint_grades(session: Session, course: Course) -> tuple[JointGrades, ...]:
    """The grades of every group of a course. Staff only."""
    return tuple(_of_group(session, each) for each in joint.groups(session, course))


def joint_csv(found: JointGrades) -> str:
    """A group's as a CSV in UTF-8, a column an assignment."""
    return table_csv(
        [
            {
                "email": each.email,
                "name": each.name,
                "number": each.number,
                "section": each.section,
                **{part.assignment: part.written for part in each.parts},
                **{f"{part.assignment} weight": f"{part.weight:g}" for part in each.parts},
                "state": each.state.value,
                "mean": None if each.mean is None else f"{each.mean:.12g}",
                "grade": each.written,
            }
            for each in found.items
        ]
    )


def _of_group(session: Session, group: AssignmentGroup) -> JointGrades:
    found = joint.of_group(session, group)
    lines = []
    for person in found.people:
        first = person.parts[0]
        lines.append(
            JointLine(
                user_id=first.user.id,
                email=first.user.address,
                name=first.user.name,
                number=first.number,
                section=first.section,
                parts=tuple(
                    JointPart(
                        assignment=column.assignment.slug,
                        weight=column.weight,
                        state=each.state,
                        written=each.written,
                    )
                    for column, each in zip(found.columns, person.parts, strict=True)
                ),
                state=person.state,
                mean=person.joint.mean if person.joint else None,
                written=person.joint.written if person.joint else "",
                explanation={"text": str(person.said), **person.said.as_data()},
            )
        )
    return JointGrades(group=group.slug, title=group.title, items=tuple(lines))
