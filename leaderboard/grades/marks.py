"""What staff decide about one person's grade: a grade, a factor, that there is none. With a reason.

The last decision of a kind holds. One about an assignment goes before one about the whole course.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from grader.scoring.grading import Scale
from grader.words.message import said
from leaderboard import audit
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotFound
from leaderboard.grades import scales
from leaderboard.models import Assignment, GradeMark, MarkKind, User

LONGEST_REASON: Final = 2_000
MOST_FACTOR: Final = 2.0
OF_COURSE: Final = (MarkKind.WITHDRAWN, MarkKind.AUDITING)  # unless an assignment is named
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,12}(?:[.,][0-9]{0,12})?|[.,][0-9]{1,12})")
_NO_ID: Final = 1 << 31  # beyond what a database numbers rows with


def decide(
    session: Session,
    assignment: Assignment,
    person: User,
    kind: MarkKind,
    *,
    value: str = "",
    reason: str,
    actor: User | None,
) -> GradeMark:
    """Decide about a student's grade; withdrawing and auditing are of the whole course.

    What of the same kind was decided before ends. Opens its own write transaction.

    Args:
        value: the grade as the scale writes it, or the factor; "" for the other kinds.

    Raises:
        BadRequest: no reason, or a value that is none here.
    """
    reason = _checked(reason)
    number = _value(session, assignment, kind, value.strip())
    of = None if kind in OF_COURSE else assignment.id
    with writing(session):
        for before in standing(session, assignment, person.id):
            if before.kind is kind and before.assignment_id == of:
                before.revoked_at = utcnow()
        made = GradeMark(
            course_id=assignment.course_id,
            assignment_id=of,
            user_id=person.id,
            kind=kind,
            value=number,
            reason=reason,
            made_by=actor.id if actor else None,
            made_at=utcnow(),
        )
        session.add(made)
        session.flush()
        _record(session, "mark", assignment, made, actor)
    return made


def revoke(session: Session, assignment: Assignment, mark: GradeMark, actor: User | None) -> None:
    """End a decision. Opens its own write transaction. Repeatable."""
    with writing(session):
        if mark.revoked_at is None:
            mark.revoked_at = utcnow()
            session.flush()
            _record(session, "revoke", assignment, mark, actor)


def one(session: Session, assignment: Assignment, mark_id: int) -> GradeMark:
    """One that is about an assignment, or about its whole course.

    Raises:
        NotFound: there is none.
    """
    found = session.get(GradeMark, mark_id) if mark_id < _NO_ID else None
    if found is None or found.course_id != assignment.course_id:
        raise NotFound(said("grade.no_mark", mark=mark_id))
    if found.assignment_id not in (None, assignment.id):
        raise NotFound(said("grade.no_mark", mark=mark_id))
    return found


def standing(
    session: Session, assignment: Assignment, user_id: int | None = None
) -> Sequence[GradeMark]:
    """What holds in an assignment, of everybody or of one person; the oldest first."""
    query = sa.select(GradeMark).where(
        GradeMark.course_id == assignment.course_id,
        GradeMark.revoked_at.is_(None),
        sa.or_(GradeMark.assignment_id.is_(None), GradeMark.assignment_id == assignment.id),
    )
    if user_id is not None:
        query = query.where(GradeMark.user_id == user_id)
    return session.scalars(query.options(joinedload(GradeMark.user)).order_by(GradeMark.id)).all()


def by_person(
    session: Session, assignment: Assignment
) -> Mapping[int, Mapping[MarkKind, GradeMark]]:
    """What holds, by the person's id and the kind."""
    found: dict[int, dict[MarkKind, GradeMark]] = {}
    for each in standing(session, assignment):
        found.setdefault(each.user_id, {})[each.kind] = each
    return found


def _checked(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise BadRequest(said("grade.no_reason"))
    if len(reason) > LONGEST_REASON:
        raise BadRequest(said("grade.long_reason", most=LONGEST_REASON))
    return reason


def _value(session: Session, assignment: Assignment, kind: MarkKind, text: str) -> float | None:
    if kind is MarkKind.OVERRIDE:
        return grade_of(scales.holding(session, assignment).newest, text)
    if kind is not MarkKind.FACTOR:
        return None
    held, number = scales.holding(session, assignment), _number(text)
    if held.newest is None and not held.rises:
        raise BadRequest(said("grade.no_factor"))
    if number is None or not 0 <= number <= MOST_FACTOR:
        raise BadRequest(said("grade.factor_range", most=MOST_FACTOR, value=repr(text)))
    return number


def grade_of(scale: Scale | None, text: str) -> float:
    """The grade that a text writes, by a scale's steps; any number where there are none.

    Raises:
        BadRequest: the scale gives no such grade.
    """
    number, steps = _number(text), scale.steps if scale else None
    if steps is None or not steps.grades:
        if number is None:
            raise BadRequest(said("grade.no_value", value=repr(text), grades="0–1"))
        return number
    for step in steps.grades:
        if text.casefold() == steps.written(step).casefold() or (
            number is not None and step == number and not steps.names
        ):
            return step
    few = steps.grades if len(steps.grades) <= 20 else (steps.grades[0], steps.grades[-1])
    between = ", " if few is steps.grades else "–"
    written = between.join(steps.written(step) for step in few)
    raise BadRequest(said("grade.no_value", value=repr(text), grades=written))


def _number(text: str) -> float | None:
    """
    >>> _number("1,3"), _number("-.5"), _number("1_0"), _number("١"), _number("1e999")
    (1.3, -0.5, None, None, None)
    """
    return float(text.strip().replace(",", ".")) if _NUMBER.fullmatch(text.strip()) else None


def _record(
    session: Session, step: str, assignment: Assignment, mark: GradeMark, actor: User | None
) -> None:
    audit.record(
        session,
        action=f"grade.{step}",
        subject=f"user:{mark.user_id}",
        course=assignment.course,
        actor=actor,
        details={
            "assignment": mark.assignment_id,
            "mark": mark.id,
            "kind": mark.kind.value,
            "value": mark.value,
            "reason_sha256": hashlib.sha256(mark.reason.encode()).hexdigest(),
        },
    )
