"""Days late, and the late days that pay for them.

A team has a course's late days for all its assignments together. An assignment costs as many as the
hand-in that counts was late: the one that stands on the final board, or, until there is a result,
one that waits for it. So a late hand-in that is worse costs nothing. What a hand-in says of late
days is what it costs if it is the one that counts; that is decided anew whenever another one does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.models import (
    Assignment,
    Course,
    Split,
    Standing,
    Submission,
    SubmissionStatus,
    Team,
    Track,
)
from leaderboard.rules import schedule
from leaderboard.rules.schedule import days_late, zone_of


def charge(session: Session, assignment: Assignment, submission: Submission, team: Team) -> None:
    """Set how late a hand-in is and what of it late days pay, in the accepting transaction."""
    if team.is_baseline:
        return
    due = schedule.terms(assignment, team).due
    late = days_late(due, submission.upload_started_at, zone_of(assignment.course))
    if late:
        submission.days_late = late
        submission.late_days_spent = min(late, left(session, assignment, team, elsewhere_only=True))


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a hand-in of this moment would cost if it is the one that counts, in days."""

    late: int
    spent: int

    @property
    def penalised(self) -> int:
        return self.late - self.spent


def cost_now(session: Session, assignment: Assignment, team: Team, now: datetime) -> Cost | None:
    """What handing in late would cost; None while it is in time. Reads only."""
    due = schedule.terms(assignment, team).due
    late = 0 if team.is_baseline else days_late(due, now, zone_of(assignment.course))
    if not late:
        return None
    free = left(session, assignment, team, elsewhere_only=True)
    return Cost(late=late, spent=min(late, free))


def left(
    session: Session, assignment: Assignment, team: Team, *, elsewhere_only: bool = False
) -> int:
    """How many of the course's late days a team has; `elsewhere_only`: before this assignment."""
    spent = (
        sa.select(sa.func.max(Submission.late_days_spent).label("days"))
        .join(Assignment, Assignment.id == Submission.assignment_id)
        .where(
            Submission.team_id == team.id,
            Submission.counted.is_(True),
            _decides(),
            Assignment.course_id == assignment.course_id,
        )
        .group_by(Submission.assignment_id)
    )
    if elsewhere_only:
        spent = spent.where(Submission.assignment_id != assignment.id)
    total = session.scalar(sa.select(sa.func.coalesce(sa.func.sum(spent.subquery().c.days), 0)))
    return max(0, schedule.late_days(assignment.course, team) - int(total or 0))


def recount(session: Session, course: Course, team: Team) -> None:
    """Decide anew about all that a team handed in, as if its dates had always been these.

    Within the caller's write transaction, after an extension was given or taken back, or another
    hand-in counts.
    """
    for each, anew in _anew(session, course, team):
        if (each.days_late, each.late_days_spent) != (anew.late, anew.spent):
            each.days_late, each.late_days_spent = anew.late, anew.spent
            each.revision += 1


def moved_by(session: Session, assignment: Assignment, settings_toml: str) -> tuple[int, int]:
    """How many hand-ins that were in time would be late by these settings, and how many late ones
    in time."""
    if schedule.terms(assignment, None).due == _due(assignment, None, settings_toml):
        return 0, 0
    zone = zone_of(assignment.course)
    handed_in = session.execute(
        sa.select(Submission.upload_started_at, Team)
        .join(Team, Team.id == Submission.team_id)
        .where(Submission.assignment_id == assignment.id, Team.is_baseline.is_(False))
    )
    dues: dict[int, tuple[datetime | None, datetime | None]] = {}
    late = early = 0
    for started_at, team in handed_in:
        if team.id not in dues:
            now = schedule.terms(assignment, team).due
            dues[team.id] = now, _due(assignment, team, settings_toml)
        was, is_now = (days_late(due, started_at, zone) > 0 for due in dues[team.id])
        late, early = late + (is_now and not was), early + (was and not is_now)
    return late, early


def _due(assignment: Assignment, team: Team | None, settings_toml: str) -> datetime | None:
    return schedule.terms(assignment, team, settings_toml=settings_toml).due


def recount_all(session: Session, course: Course) -> None:
    """The same for every team of a course, after its dates changed or before anybody checks."""
    handed_in = sa.select(Submission.team_id)
    teams = sa.select(Team).where(Team.course_id == course.id, Team.id.in_(handed_in))
    for team in session.scalars(teams.order_by(Team.id)).all():
        recount(session, course, team)


def checked(session: Session, course: Course, team: Team) -> Iterator[tuple[str, bool]]:
    """Each hand-in's public id, and whether a recount would leave it as it is. Reads only."""
    for each, anew in _anew(session, course, team):
        yield each.public_id, (each.days_late, each.late_days_spent) == (anew.late, anew.spent)


def settle(session: Session, assignment: Assignment, team: Team) -> None:
    """Decide anew where another hand-in may count now, within the caller's write transaction."""
    if schedule.late_days(assignment.course, team):
        session.flush()
        recount(session, assignment.course, team)


def _anew(session: Session, course: Course, team: Team) -> Iterator[tuple[Submission, Cost]]:
    """What a team handed in, in its order, and what each costs if it is the one that counts."""
    theirs = session.execute(
        sa.select(Submission, _decides().label("decides"))
        .join(Assignment, Assignment.id == Submission.assignment_id)
        .where(Submission.team_id == team.id, Assignment.course_id == course.id)
        .order_by(Submission.id)
    )
    spent: dict[int, int] = {}
    for each, decides in theirs.all():
        if team.is_baseline:
            yield each, Cost(late=0, spent=0)
            continue
        due = schedule.terms(each.assignment, team).due
        late = days_late(due, each.upload_started_at, zone_of(course))
        elsewhere = sum(days for of, days in spent.items() if of != each.assignment_id)
        paid = min(late, max(0, schedule.late_days(course, team) - elsewhere))
        yield each, Cost(late=late, spent=paid)
        if each.counted and decides:
            spent[each.assignment_id] = max(spent.get(each.assignment_id, 0), paid)


def _decides() -> sa.ColumnElement[bool]:
    """Whether a submission is the one that counts for its assignment, or may come to be it."""
    stands = sa.select(Standing.id).where(
        Standing.submission_id == Submission.id,
        Standing.split == Split.PRIVATE,
        Standing.track == Track.ALL,
    )
    is_under_way = Submission.status.in_((SubmissionStatus.QUEUED, SubmissionStatus.RUNNING))
    has_no_result = Submission.current_evaluation_id.is_(None)
    return sa.or_(stands.exists(), sa.and_(is_under_way, has_no_result))


def penalty_days(submission: Submission) -> int:
    """The days that `late_penalty_per_day` is for: those that no late day paid."""
    return submission.days_late - submission.late_days_spent
