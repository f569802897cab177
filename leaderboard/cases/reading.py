"""Cases as instructors read them, and as the team that was told of one does. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from grader.words.message import said
from leaderboard.accounts import access as policy
from leaderboard.cases import hearing, telling
from leaderboard.db import utcnow
from leaderboard.errors import NotFound
from leaderboard.models import (
    Case,
    CaseCause,
    CaseEntry,
    CaseState,
    Course,
    Step,
    Submission,
    User,
)

UNDECIDED: Final = (CaseState.OPEN, CaseState.NOTICED)
_NO_ID: Final = 1 << 31  # beyond what a database numbers rows with


@dataclass(frozen=True, kw_only=True)
class CaseStep:
    """One step of a case; `by` is None for the server, its operator and whoever was erased, and,
    for the team, for course staff."""

    step: Step
    by: str | None
    text: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class CaseReport:
    """A case as the team reads it, from the notice on."""

    id: int
    course: str
    assignment: str
    assignment_title: str
    submission: str
    submission_title: str
    team: str
    state: CaseState
    reply_until: datetime | None
    may_reply: bool
    steps: tuple[CaseStep, ...]


@dataclass(frozen=True, kw_only=True)
class StaffCase(CaseReport):
    """A case as instructors read it; `evidence` is what speaks for looked-up answers, if any."""

    cause: CaseCause
    opened_at: datetime
    may_void: bool
    evidence: Mapping[str, Any] | None


def of_course(session: Session, course: Course, *, undecided: bool = False) -> Sequence[Case]:
    """A course's cases: those to be decided first, each kind newest first."""
    is_decided = Case.state.not_in(UNDECIDED)
    query = sa.select(Case).where(Case.course_id == course.id)
    if undecided:
        query = query.where(~is_decided)
    about = joinedload(Case.submission)
    return session.scalars(
        query.options(
            about.joinedload(Submission.assignment), about.joinedload(Submission.team)
        ).order_by(is_decided, Case.id.desc())
    ).all()


def count_undecided(session: Session, course: Course) -> int:
    """How many cases wait for an instructor."""
    query = sa.select(sa.func.count()).select_from(Case)
    return session.scalar(query.where(Case.course_id == course.id, Case.state.in_(UNDECIDED))) or 0


def of_submission(session: Session, submission: Submission) -> Sequence[Case]:
    """The cases about a submission, newest first. Instructors only."""
    return session.scalars(
        sa.select(Case).where(Case.submission_id == submission.id).order_by(Case.id.desc())
    ).all()


def told_of(session: Session, submissions: Sequence[int]) -> dict[int, Case]:
    """Of each submission, by id, the newest case that its team was told of."""
    found = session.scalars(
        sa.select(Case)
        .where(Case.submission_id.in_(submissions), Case.reply_until.is_not(None))
        .order_by(Case.id)
    )
    return {each.submission_id: each for each in found}


def awaiting(session: Session, user: User) -> Sequence[Case]:
    """The cases in which a person may reply, the earliest date first."""
    about = joinedload(Case.submission)
    return session.scalars(
        sa.select(Case)
        .join(Submission, Submission.id == Case.submission_id)
        .where(
            Case.state == CaseState.NOTICED,
            telling.concerns(user.id),
        )
        .options(joinedload(Case.course), about.joinedload(Submission.assignment))
        .order_by(Case.reply_until, Case.id)
    ).all()


def one(session: Session, course: Course, case_id: int) -> Case:
    """One of a course's cases. Instructors only.

    Raises:
        NotFound: the course has no such case.
    """
    found = session.get(Case, case_id) if case_id < _NO_ID else None
    if found is None or found.course_id != course.id:
        raise NotFound(said("case.none", case=case_id))
    return found


def one_of(session: Session, course: Course, case_id: int, user: User) -> Case:
    """One that a person was told of.

    Raises:
        NotFound: there is none, or they were not told: the two look the same.
    """
    found = session.get(Case, case_id) if case_id < _NO_ID else None
    if found is None or found.course_id != course.id or not telling.is_heard(session, found, user):
        raise NotFound(said("case.none", case=case_id))
    return found


def submission_access(
    session: Session, user: User, public_id: str
) -> tuple[policy.Access, Submission]:
    """The same as access.py's, and for whoever was told of a case about it, in the team or not:
    nobody can reply about what they may not read.

    Raises:
        NotFound: it is none of theirs.
    """
    try:
        return policy.submission_access(session, user, public_id)
    except NotFound:
        access, found = policy.author_access(session, user, public_id)
        told = (
            sa.select(Case.id)
            .join(Submission, Submission.id == Case.submission_id)
            .where(
                Case.submission_id == found.id,
                Case.reply_until.is_not(None),
                telling.concerns(user.id),
            )
        )
        if session.scalars(told).first() is None:
            raise
        return replace(access, team=None), found


def report(case: Case) -> CaseReport:
    """What the team reads: nothing of before the notice, and course staff without names."""
    return CaseReport(
        **_common(case),
        steps=tuple(
            _step(each, named=each.step is Step.REPLY)
            for each in case.entries
            if each.step is not Step.OPENED
        ),
    )


def staff_report(case: Case, evidence: Mapping[str, Any] | None = None) -> StaffCase:
    """What instructors read."""
    return StaffCase(
        **_common(case),
        steps=tuple(_step(each, named=True) for each in case.entries),
        cause=case.cause,
        opened_at=case.opened_at,
        may_void=hearing.may_be_voided(case, utcnow()),
        evidence=evidence,
    )


def _common(case: Case) -> dict[str, Any]:
    submission = case.submission
    return {
        "id": case.id,
        "course": case.course.code,
        "assignment": submission.assignment.slug,
        "assignment_title": submission.assignment.title,
        "submission": submission.public_id,
        "submission_title": submission.message or submission.filename,
        "team": submission.team.name,
        "state": case.state,
        "reply_until": case.reply_until,
        "may_reply": case.state is CaseState.NOTICED,
    }


def _step(entry: CaseEntry, *, named: bool) -> CaseStep:
    name = entry.user.name if named and entry.user else ""
    return CaseStep(step=entry.step, by=name or None, text=entry.text, at=entry.at)
