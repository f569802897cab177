"""A course for the next term: rules and assignments of an earlier one, without anybody's work.

Dates move by whole days and keep their hour on the clocks of the course, whichever side of a change
of the clocks they fall on.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

import grader
from grader.assignments.readiness import load_to_publish
from grader.settings.toml_lines import key_lines
from grader.words.message import Message, said
from leaderboard import audit
from leaderboard.accounts import courses
from leaderboard.assignments import editions
from leaderboard.db import writing
from leaderboard.errors import BadRequest
from leaderboard.models import Assignment, Course, Enrolment, Role, Submission, User
from leaderboard.rules import catalog, schedule

if TYPE_CHECKING:
    from leaderboard.state import State

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)")


@dataclass(frozen=True, kw_only=True)
class Copied:
    """The new course, and what is known outside of each hidden set, as a sentence."""

    course: Course
    assignments: tuple[Assignment, ...]
    warnings: tuple[Message, ...]


def first_day(session: Session, course: Course) -> date | None:
    """The day of the earliest date of a course's assignments."""
    zone = schedule.zone_of(course)
    moments = [
        moment
        for assignment in courses.assignments(session, course)
        for moment in schedule.written(catalog.rules(assignment)).values()
    ]
    return min(moments).astimezone(zone).date() if moments else None


def copy_course(
    session: Session,
    state: State,
    source: Course,
    *,
    code: str,
    title: str,
    term: str,
    days: int,
    with_staff: bool,
    actor: User | None = None,
) -> Copied:
    """Make a course with the assignments of another as they stand, their dates `days` later.

    `with_staff`: its instructors, assistants and baselines are enrolled too. Nobody else is, and
    nothing that was handed in comes along. All is checked before anything is written. Opens its own
    write transactions.

    Raises:
        BadRequest: the code is taken, or a date can't be moved; the assignment is named.
        grader.AssignmentError: a folder is no longer fit to be published.
    """
    standing = courses.assignments(session, source)
    with tempfile.TemporaryDirectory(prefix="copy-course-") as name:
        folders = [
            _folder(state, assignment, Path(name) / assignment.slug, days)
            for assignment in standing
        ]
        made = _new_course(session, source, code, title, term, days, actor)
        if with_staff:
            _enrol_staff(session, source, made, actor)
        copies = tuple(
            editions.publish(session, state, folder, made, actor=actor) for folder in folders
        )
    _title_groups(session, standing, copies)
    warnings = tuple(warning for each in standing for warning in _known_outside(session, each))
    return Copied(course=made, assignments=copies, warnings=warnings)


def shifted(toml: str, days: int, zone: ZoneInfo) -> str:
    """The text of an assignment.toml with the dates of its schedule `days` later.

    >>> berlin = ZoneInfo("Europe/Berlin")
    >>> print(shifted("[schedule]\\ndue = 2026-10-20T23:59:00+02:00  # a Tuesday", 7, berlin))
    [schedule]
    due = 2026-10-27T23:59:00+01:00  # a Tuesday

    Raises:
        OverflowError: a date would be beyond what there is.
    """
    numbers = {line for path, line in key_lines(toml).items() if path[0] == "schedule"}
    lines = toml.split("\n")
    for number in numbers:
        lines[number - 1] = _MOMENT.sub(
            lambda found: _later(datetime.fromisoformat(found[0].upper()), days, zone).isoformat(),
            lines[number - 1],
        )
    return "\n".join(lines)


def _later(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same hour on the clocks, so many days on."""
    clock = moment.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    return clock.replace(tzinfo=zone)


def _folder(state: State, assignment: Assignment, target: Path, days: int) -> Path:
    """The assignment's folder as it is to be published anew.

    Raises:
        BadRequest: its dates could not be moved.
    """
    rules = catalog.rules(assignment)
    zone = schedule.zone_written(rules, assignment.course)
    shutil.copytree(state.catalog.load(assignment).folder, target)
    try:
        toml = shifted(assignment.settings_toml, days, zone)
        wanted = {
            name: _later(moment, days, zone) for name, moment in schedule.written(rules).items()
        }
    except OverflowError:
        raise BadRequest(said("course.dates_stay", assignment=assignment.slug)) from None
    if schedule.written(grader.Assignment.parse(toml, target)) != wanted:
        raise BadRequest(said("course.dates_stay", assignment=assignment.slug))
    (target / "assignment.toml").write_text(toml, encoding="utf-8")
    load_to_publish(target)
    return target


def _new_course(
    session: Session,
    source: Course,
    code: str,
    title: str,
    term: str,
    days: int,
    actor: User | None,
) -> Course:
    made = courses.create_course(
        session,
        code=code,
        title=title or source.title,
        term=term,
        time_zone=source.time_zone,
        late_days=source.late_days,
        team_size=source.team_size,
        actor=actor,
    )
    with writing(session):
        made.team_links_enrol = source.team_links_enrol
        if source.teams_until is not None:
            made.teams_until = _later(source.teams_until, days, schedule.zone_of(source))
        audit.record(
            session,
            action="course.copy",
            subject=f"course:{made.id}",
            course=made,
            actor=actor,
            details={"from": source.code, "days": days},
        )
    return made


def _enrol_staff(session: Session, source: Course, made: Course, actor: User | None) -> None:
    theirs = session.scalars(
        sa.select(Enrolment).where(Enrolment.course_id == source.id, Enrolment.role != Role.STUDENT)
    ).all()
    with writing(session):
        for each in theirs:
            courses.enrol_within(
                session, made, each.user, each.role, section=each.section, actor=actor
            )


def _title_groups(
    session: Session, standing: Sequence[Assignment], copies: Sequence[Assignment]
) -> None:
    with writing(session):
        for before, copy in zip(standing, copies, strict=True):
            if before.group is not None and copy.group is not None:
                copy.group.title = before.group.title


def _known_outside(session: Session, assignment: Assignment) -> Iterator[Message]:
    """What people may know of a hidden set before the new course has begun.

    The same answers count in whatever course they were.
    """
    slug = assignment.slug
    if assignment.public_data_note:
        yield said("course.copy_public", assignment=slug, known=assignment.public_data_note)
    uses = session.execute(
        sa.select(Assignment, Course.code, sa.func.count(Submission.id))
        .join(Course, Course.id == Assignment.course_id)
        .join(Submission, Submission.assignment_id == Assignment.id)
        .where(
            Assignment.answers_sha256 == assignment.answers_sha256,
            Submission.verdict == grader.Verdict.OK.value,
        )
        .group_by(Assignment.id, Course.code)
        .order_by(Course.code)
    )
    for used, code, count in uses:
        if used.released_at is not None:
            day = used.released_at.astimezone(schedule.zone_of(used.course)).date().isoformat()
            yield said("course.copy_released", assignment=slug, course=code, day=day, count=count)
        else:
            yield said("course.copy_used", assignment=slug, course=code, count=count)
