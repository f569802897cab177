"""What staff look at: a course at a glance, everybody's submissions, the shake-up. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, joinedload

from leaderboard.models import (
    Assignment,
    Course,
    Enrolment,
    Evaluation,
    Role,
    Split,
    SplitScore,
    Standing,
    Submission,
    SubmissionStatus,
    Team,
    Track,
)
from leaderboard.publishing import FAULT
from leaderboard.standings import BEST_FIRST


@dataclass(frozen=True, kw_only=True)
class AssignmentSummary:
    """How an assignment goes: how much came in and what became of it."""

    assignment: Assignment
    teams: int
    submissions: int
    waiting: int
    verdicts: Mapping[str, int]  # most frequent first
    last_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class StaffRow:
    """One submission with both of its scores, as staff see it."""

    submission: Submission
    team_name: str
    is_baseline: bool
    person: str
    flags: tuple[str, ...]
    public: float | None
    private: float | None
    fault: str  # why the server failed, where it did (IE)


@dataclass(frozen=True, kw_only=True)
class StaffPage:
    """One page of submissions, newest first; `next_before_id` continues it."""

    rows: tuple[StaffRow, ...]
    total: int
    next_before_id: int | None


@dataclass(frozen=True, kw_only=True)
class Movement:
    """A team's rank on the public board, and how many places the private one moved it up."""

    public_rank: int | None
    change: int | None


def students(session: Session, course: Course) -> int:
    """Count the students of a course."""
    query = (
        sa.select(sa.func.count())
        .select_from(Enrolment)
        .where(Enrolment.course_id == course.id, Enrolment.role == Role.STUDENT)
    )
    return session.scalar(query) or 0


def summaries(session: Session, course: Course) -> tuple[AssignmentSummary, ...]:
    """Sum up every assignment of a course, by title."""
    assignments = session.scalars(
        sa.select(Assignment).where(Assignment.course_id == course.id).order_by(Assignment.title)
    )
    return tuple(summary(session, assignment) for assignment in assignments)


def summary(session: Session, assignment: Assignment) -> AssignmentSummary:
    """Sum up one assignment; the baselines' hand-ins are not counted."""
    ours = (
        sa.select(Submission)
        .join(Team)
        .where(Submission.assignment_id == assignment.id, Team.is_baseline.is_(False))
        .subquery()
    )
    submissions, teams, last_at = session.execute(
        sa.select(
            sa.func.count(),
            sa.func.count(sa.distinct(ours.c.team_id)),
            sa.func.max(ours.c.accepted_at),
        )
    ).one()
    by_state = session.execute(
        sa.select(ours.c.status, ours.c.verdict, sa.func.count()).group_by(
            ours.c.status, ours.c.verdict
        )
    ).all()
    verdicts = Counter({verdict: count for _, verdict, count in by_state if verdict})
    waiting = sum(
        count
        for status, _, count in by_state
        if status in (SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)
    )
    return AssignmentSummary(
        assignment=assignment,
        teams=teams,
        submissions=submissions,
        waiting=waiting,
        verdicts=dict(verdicts.most_common()),
        last_at=last_at,
    )


def submissions(
    session: Session,
    assignment: Assignment,
    *,
    team: str = "",
    verdict: str = "",
    before_id: int | None = None,
    limit: int = 100,
) -> StaffPage:
    """List an assignment's submissions with both scores, newest first.

    Args:
        team: part of a team's name; empty for all.
        verdict: a verdict, or a status (`queued`, `running`); empty for all.
    """
    query = sa.select(Submission).join(Team).where(Submission.assignment_id == assignment.id)
    if team:
        query = query.where(Team.name.icontains(team, autoescape=True))
    if verdict in set(SubmissionStatus):
        query = query.where(Submission.status == SubmissionStatus(verdict))
    elif verdict:
        query = query.where(Submission.verdict == verdict)
    total = session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
    if before_id is not None:
        query = query.where(Submission.id < before_id)
    page = query.order_by(Submission.id.desc()).limit(limit + 1)
    rows = _with_scores(session, page)
    return StaffPage(
        rows=tuple(rows[:limit]),
        total=total,
        next_before_id=rows[limit - 1].submission.id if len(rows) > limit else None,
    )


def _with_scores(session: Session, page: sa.Select[Submission]) -> list[StaffRow]:
    public, private = aliased(SplitScore), aliased(SplitScore)
    wanted = page.with_only_columns(Submission.id).subquery()
    found = session.execute(
        sa.select(Submission, Evaluation.flags, Evaluation.facts, public.primary, private.primary)
        .join(wanted, wanted.c.id == Submission.id)
        .outerjoin(Evaluation, Evaluation.id == Submission.current_evaluation_id)
        .outerjoin(public, _score_of(public, Split.PUBLIC))
        .outerjoin(private, _score_of(private, Split.PRIVATE))
        .options(joinedload(Submission.team), joinedload(Submission.user))
        .order_by(Submission.id.desc())
    )
    return [
        StaffRow(
            submission=submission,
            team_name=submission.team.name,
            is_baseline=submission.team.is_baseline,
            person=submission.user.name,
            flags=tuple(flags or ()),
            public=public_score,
            private=private_score,
            fault=(facts or {}).get(FAULT, ""),
        )
        for submission, flags, facts, public_score, private_score in found
    ]


def _score_of(score: type[SplitScore], split: Split) -> sa.ColumnElement[bool]:
    return sa.and_(score.evaluation_id == Evaluation.id, score.split == split)


def movements(
    session: Session, assignment: Assignment, track: Track, private_ranks: Mapping[int, int]
) -> dict[int, Movement]:
    """Compare private ranks with public ones of the same track. The caller has made sure that the
    reader may know.

    Args:
        private_ranks: private rank by team id.
    """
    public = _public_ranks(session, assignment, track, list(private_ranks))
    return {
        team: Movement(
            public_rank=public.get(team), change=public[team] - rank if team in public else None
        )
        for team, rank in private_ranks.items()
    }


def _public_ranks(
    session: Session, assignment: Assignment, track: Track, teams: Sequence[int]
) -> dict[int, int]:
    ranked = (
        sa.select(Standing.team_id, sa.func.row_number().over(order_by=BEST_FIRST).label("rank"))
        .where(
            Standing.assignment_id == assignment.id,
            Standing.split == Split.PUBLIC,
            Standing.track == track,
            Standing.is_baseline.is_(False),
        )
        .subquery()
    )
    query = sa.select(ranked.c.team_id, ranked.c.rank).where(ranked.c.team_id.in_(teams))
    return dict(session.execute(query).tuples().all())
