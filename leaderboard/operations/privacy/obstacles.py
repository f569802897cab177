"""What the erasure of a person has to wait for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import Message, said
from leaderboard import audit
from leaderboard.cases import reading
from leaderboard.db import writing
from leaderboard.models import (
    Assignment,
    Case,
    Course,
    Enrolment,
    Rescore,
    Submission,
    SubmissionStatus,
    TeamMember,
    User,
)
from leaderboard.rules import schedule

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """Why an erasure waits, and until when where that is known."""

    said: Message
    until: datetime | None = None


def obstacles(session: Session, user: User, now: datetime) -> tuple[Obstacle, ...]:
    """What an erasure has to wait for: work that needs what would go, and records that are kept.

    Reads only.
    """
    return (
        *_being_evaluated(session, user),
        *_being_rescored(session, user),
        *_in_question(session, user),
        *_kept_as_records(session, user, now),
    )


def _being_evaluated(session: Session, user: User) -> Iterator[Obstacle]:
    unfinished = sa.select(Submission.public_id).where(
        Submission.user_id == user.id,
        Submission.status.in_((SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)),
    )
    for public_id in session.scalars(unfinished.order_by(Submission.id)):
        yield Obstacle(said=said("submission.running", submission=public_id))


def _being_rescored(session: Session, user: User) -> Iterator[Obstacle]:
    theirs = sa.select(Submission.assignment_id).where(Submission.user_id == user.id)
    unfinished = (
        sa.select(Assignment.slug)
        .join(Rescore, Rescore.assignment_id == Assignment.id)
        .where(Rescore.finished_at.is_(None), Assignment.id.in_(theirs))
    )
    for slug in session.scalars(unfinished.distinct().order_by(Assignment.slug)):
        yield Obstacle(said=said("erasure.rescored", assignment=slug))


def _in_question(session: Session, user: User) -> Iterator[Obstacle]:
    """Cases about what they or their teams handed in. Of one that the team was not told of, nothing
    is told but that there are checks."""
    teams = sa.select(TeamMember.team_id).where(TeamMember.user_id == user.id)
    undecided = (
        sa.select(Case)
        .join(Submission, Submission.id == Case.submission_id)
        .where(
            Case.state.in_(reading.UNDECIDED),
            sa.or_(Submission.user_id == user.id, Submission.team_id.in_(teams)),
        )
    )
    for case in session.scalars(undecided.order_by(Case.id)):
        if case.reply_until is None:
            yield Obstacle(said=said("erasure.checked", course=case.course.code))
        else:
            told = said("erasure.case", submission=case.submission.public_id)
            yield Obstacle(said=told, until=case.reply_until)


def _kept_as_records(session: Session, user: User, now: datetime) -> Iterator[Obstacle]:
    enrolled = sa.select(Enrolment.course_id).where(Enrolment.user_id == user.id)
    handed_in = (
        sa.select(Assignment.course_id)
        .join(Submission, Submission.assignment_id == Assignment.id)
        .where(Submission.user_id == user.id)
    )
    keeping = sa.select(Course).where(
        Course.records_until > now, sa.or_(Course.id.in_(enrolled), Course.id.in_(handed_in))
    )
    for course in session.scalars(keeping.order_by(Course.records_until)):
        sentence = said("erasure.records", course=course.code, day=str(records_day(course)))
        yield Obstacle(said=sentence, until=course.records_until)


def records_day(course: Course) -> date | None:
    """The last day, by the course's clocks, on which its records are kept in any case."""
    until = course.records_until
    # the day before, where it is midnight
    return until and (until - timedelta(seconds=1)).astimezone(schedule.zone_of(course)).date()


def keep_records(
    session: Session, course: Course, until: datetime | None, *, actor: User | None
) -> None:
    """Keep a course's people from being erased until a moment; None: no longer.

    Opens its own write transaction.
    """
    with writing(session):
        course.records_until = until
        audit.record(
            session,
            action="course.keep_records",
            subject=f"course:{course.id}",
            course=course,
            actor=actor,
            details={"until": until.isoformat() if until else None},
        )
