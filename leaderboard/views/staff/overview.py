"""A course at a glance: what needs a decision, how far each assignment is, what is due next.

As many queries for ten assignments as for one, and for 60,000 submissions as for none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader import Verdict
from leaderboard.assignments import changes
from leaderboard.cases.reading import UNDECIDED
from leaderboard.grades import regrades
from leaderboard.models import (
    Assignment,
    Case,
    Cause,
    Course,
    Enrolment,
    Role,
    Split,
    Standing,
    Submission,
    SubmissionStatus,
    Team,
    TeamMember,
    Track,
)
from leaderboard.rules import schedule
from leaderboard.rules.schedule import Phase
from leaderboard.teams.reminding import was_taken

STUCK_AFTER: Final = timedelta(minutes=30)
_UNDER_WAY: Final = (SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)
_NO_FAILURE: Final = (Verdict.OK.value, Verdict.REJ.value)


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What waits for the teaching team; all zero: nothing does.

    `stuck`: submissions that have waited or run for over half an hour. `faults`: those whose
    verdict is a failure of the server's. `outdated`: scores of earlier answers or another metric.
    `cases`: undecided ones, for instructors; `reply_until`: the earliest date of theirs.
    `regrades`: questions about grades that are to be answered within a day, or should have been.
    """

    stuck: int
    faults: int
    outdated: int
    cases: int
    reply_until: datetime | None
    regrades: int

    @property
    def is_nothing(self) -> bool:
        return not (self.stuck or self.faults or self.outdated or self.cases or self.regrades)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an assignment is. People are counted by whether their team has handed in."""

    slug: str
    title: str
    phase: Phase
    due: datetime | None
    closes: datetime | None
    zone: str
    handed_in: int
    enrolled: int
    submissions: int
    waiting: int
    failures: Mapping[str, int]  # verdict → how many, most frequent first
    outdated: int
    metric: str
    median: float | None  # of the teams' best public scores, as the board shows them
    released_at: datetime | None
    public_data_note: str

    @property
    def missing(self) -> int:
        return self.enrolled - self.handed_in

    @property
    def is_over(self) -> bool:
        """Whether everybody's usual time is over: then results can be published."""
        return self.phase in (Phase.CLOSED, Phase.RELEASED)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One date of the course that is still to come: an assignment `opens`, is `due` or `closes`."""

    at: datetime
    zone: str
    what: str
    slug: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Overview:
    """A course at a glance; `next` is in order of time."""

    course: str
    title: str
    enrolled: int
    needs: Needs
    assignments: tuple[Progress, ...]
    next: tuple[Moment, ...]


def overview(session: Session, course: Course, now: datetime, *, with_cases: bool) -> Overview:
    """A course at a glance.

    Args:
        with_cases: whether the reader is told of cases, as instructors are.
    """
    assignments = session.scalars(
        sa.select(Assignment).where(Assignment.course_id == course.id).order_by(Assignment.title)
    ).all()
    ids = [each.id for each in assignments]
    enrolled = _enrolled(session, course)
    counted = _Counted(session, ids)
    progress = tuple(_progress(each, enrolled, counted, now) for each in assignments)
    cases, reply_until = _cases(session, course) if with_cases else (0, None)
    return Overview(
        course=course.code,
        title=course.title,
        enrolled=enrolled,
        needs=Needs(
            stuck=_stuck(session, ids, now),
            faults=sum(each.failures.get(Verdict.IE.value, 0) for each in progress),
            outdated=sum(each.outdated for each in progress),
            cases=cases,
            reply_until=reply_until,
            regrades=regrades.count_due(session, course, now),
        ),
        assignments=progress,
        next=tuple(sorted(_to_come(assignments, now), key=lambda each: each.at)),
    )


class _Counted:
    """What is counted of several assignments at once, by their ids."""

    def __init__(self, session: Session, ids: Sequence[int]) -> None:
        self.handed_in = dict(session.execute(_handed_in(ids)).all())
        self.outdated = {
            number: each.outdated for number, each in changes.behind(session, ids).items()
        }
        self.states: dict[int, list[tuple[SubmissionStatus, str | None, int]]] = defaultdict(list)
        for number, status, verdict, count in session.execute(_states(ids)):
            self.states[number].append((status, verdict, count))
        self.best: dict[int, list[float]] = defaultdict(list)
        for number, score in session.execute(_best(ids)):
            self.best[number].append(score)


def _progress(assignment: Assignment, enrolled: int, counted: _Counted, now: datetime) -> Progress:
    held = schedule.terms(assignment, None)
    states = counted.states[assignment.id]
    failures = {v: n for _, v, n in states if v is not None and v not in _NO_FAILURE}
    best = counted.best[assignment.id]
    return Progress(
        slug=assignment.slug,
        title=assignment.title,
        phase=schedule.phase(assignment, None, now),
        due=held.due,
        closes=held.closes,
        zone=held.zone,
        handed_in=counted.handed_in.get(assignment.id, 0),
        enrolled=enrolled,
        submissions=sum(count for _, _, count in states),
        waiting=sum(count for status, _, count in states if status in _UNDER_WAY),
        failures=dict(sorted(failures.items(), key=lambda each: -each[1])),
        outdated=counted.outdated.get(assignment.id, 0),
        metric=assignment.metric,
        median=median(best) if best else None,
        released_at=assignment.released_at,
        public_data_note=assignment.public_data_note,
    )


def _enrolled(session: Session, course: Course) -> int:
    query = sa.select(sa.func.count()).select_from(Enrolment)
    students = query.where(Enrolment.course_id == course.id, Enrolment.role == Role.STUDENT)
    return session.scalar(students) or 0


def _handed_in(ids: Sequence[int]) -> sa.Select[*tuple[Any, ...]]:
    """How many students' teams have handed something in that was taken."""
    teams = (
        sa.select(Submission.assignment_id, Submission.team_id)
        .where(Submission.assignment_id.in_(ids), was_taken())
        .distinct()
        .subquery()
    )
    return (
        sa.select(teams.c.assignment_id, sa.func.count(sa.distinct(Enrolment.user_id)))
        .join(TeamMember, TeamMember.team_id == teams.c.team_id)
        .join(
            Enrolment,
            sa.and_(
                Enrolment.user_id == TeamMember.user_id,
                Enrolment.course_id == TeamMember.course_id,
            ),
        )
        .where(Enrolment.role == Role.STUDENT)
        .group_by(teams.c.assignment_id)
    )


def _states(ids: Sequence[int]) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(Submission.assignment_id, Submission.status, Submission.verdict, sa.func.count())
        .where(
            Submission.assignment_id.in_(ids),
            Submission.team_id.not_in(sa.select(Team.id).where(Team.is_baseline.is_(True))),
        )
        .group_by(Submission.assignment_id, Submission.status, Submission.verdict)
    )


def _best(ids: Sequence[int]) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(Standing.assignment_id, Standing.primary).where(
        Standing.assignment_id.in_(ids),
        Standing.split == Split.PUBLIC,
        Standing.track == Track.ALL,
        Standing.is_baseline.is_(False),
    )


def _stuck(session: Session, ids: Sequence[int], now: datetime) -> int:
    """Of what is judged again it is not known when it was queued: it counts while it runs."""
    since = sa.func.coalesce(Submission.started_at, Submission.accepted_at)
    query = (
        sa.select(sa.func.count())
        .select_from(Submission)
        .where(
            Submission.status.in_(_UNDER_WAY),
            Submission.assignment_id.in_(ids),
            sa.or_(
                Submission.evaluation_cause == Cause.HAND_IN,
                Submission.status == SubmissionStatus.RUNNING,
            ),
            since < now - STUCK_AFTER,
        )
    )
    return session.scalar(query) or 0


def _cases(session: Session, course: Course) -> tuple[int, datetime | None]:
    query = sa.select(sa.func.count(), sa.func.min(Case.reply_until)).where(
        Case.course_id == course.id, Case.state.in_(UNDECIDED)
    )
    count, reply_until = session.execute(query).one()
    return count, reply_until


def _to_come(assignments: Sequence[Assignment], now: datetime) -> list[Moment]:
    found = []
    for each in assignments:
        held = schedule.terms(each, None)
        for what, at in (("opens", held.opens), ("due", held.due), ("closes", held.closes)):
            if at is not None and at > now:
                told = {"zone": held.zone, "what": what, "slug": each.slug, "title": each.title}
                found.append(Moment(at=at, **told))
    return found
