"""The ledger of the daily limit, against the hand-ins that it was charged for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.models import Assignment, Course, QuotaEntry, Submission
from leaderboard.operations.verifying.difference import Difference
from leaderboard.rules.schedule import course_day, zone_of
from leaderboard.state import State

_SUBMISSIONS = (
    sa.select(
        Submission.id,
        Submission.public_id,
        Submission.team_id,
        Submission.assignment_id,
        Submission.counted,
        Submission.upload_started_at,
        Assignment.course_id,
    )
    .join(Assignment, Assignment.id == Submission.assignment_id)
    .order_by(Submission.id)
)


def look(session: Session, state: State) -> Iterator[Difference | None]:
    """One step a hand-in; what is charged for none is told at the end."""
    zones = {course.id: zone_of(course) for course in session.scalars(sa.select(Course))}
    entries: dict[int, list[QuotaEntry]] = {}
    for entry in session.scalars(sa.select(QuotaEntry).order_by(QuotaEntry.id)):
        entries.setdefault(entry.submission_id, []).append(entry)
    for row in session.execute(_SUBMISSIONS):
        day = course_day(row.upload_started_at, zones[row.course_id])
        reason = _fault(row, day, entries.pop(row.id, []))
        yield Difference(subject=row.public_id, reason=reason) if reason else None
    for submission_id in entries:
        yield Difference(subject=f"submission:{submission_id}", reason="was charged, and is gone")


def _fault(row: Any, day: str, entries: Sequence[QuotaEntry]) -> str:
    amounts = sorted(entry.amount for entry in entries)
    if amounts not in ([[1]] if row.counted else [[], [-1, 1]]):
        return "what the quota was charged is not whether it counted"
    whose = (row.team_id, row.assignment_id)
    if any((each.team_id, each.assignment_id) != whose for each in entries):
        return "its quota was charged to another team or assignment"
    if any(each.day != day for each in entries):
        return "its quota was charged to another day"
    return ""
