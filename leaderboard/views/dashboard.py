"""How an assignment goes, in a few counts. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.models import (
    Assignment,
    Submission,
    SubmissionStatus,
    Team,
)


@dataclass(frozen=True, kw_only=True)
class AssignmentSummary:
    """How an assignment goes: how much came in and what became of it."""

    assignment: Assignment
    teams: int
    submissions: int
    waiting: int
    verdicts: Mapping[str, int]  # most frequent first


def summary(session: Session, assignment: Assignment) -> AssignmentSummary:
    """Sum up one assignment; the baselines' hand-ins are not counted."""
    baselines = sa.select(Team.id).where(
        Team.course_id == assignment.course_id, Team.is_baseline.is_(True)
    )
    ours = (
        Submission.assignment_id == assignment.id,
        Submission.team_id.not_in(baselines),
    )
    teams = session.scalar(sa.select(sa.func.count(sa.distinct(Submission.team_id))).where(*ours))
    by_state = session.execute(
        sa.select(Submission.status, Submission.verdict, sa.func.count())
        .where(*ours)
        .group_by(Submission.status, Submission.verdict)
    ).all()
    verdicts = Counter({verdict: count for _, verdict, count in by_state if verdict})
    waiting = sum(
        count
        for status, _, count in by_state
        if status in (SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)
    )
    return AssignmentSummary(
        assignment=assignment,
        teams=teams or 0,
        submissions=sum(count for _, _, count in by_state),
        waiting=waiting,
        verdicts=dict(verdicts.most_common()),
    )
