"""What staff look at: how an assignment goes, everybody's submissions. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, load_only

from leaderboard.boards.outdated import flags_of
from leaderboard.evaluations.publishing import FAULT
from leaderboard.models import (
    Assignment,
    Evaluation,
    Kind,
    Split,
    SplitScore,
    Submission,
    SubmissionStatus,
    Team,
    User,
)


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
    """One submission with both of its scores, as the list for staff shows it."""

    id: str
    filename: str
    message: str
    kind: Kind
    declared: Sequence[str] | None
    status: SubmissionStatus
    verdict: str | None
    upload_started_at: datetime
    team_name: str
    is_baseline: bool
    person: str
    flags: tuple[str, ...]
    is_voided: bool
    public: float | None
    private: float | None
    fault: str  # why the server failed, where it did (IE)


@dataclass(frozen=True, kw_only=True)
class StaffPage:
    """One page of submissions, newest first; `next_before_id` continues it."""

    rows: tuple[StaffRow, ...]
    total: int
    next_before_id: int | None


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
    rows = session.execute(_with_scores(page)).all()
    return StaffPage(
        rows=tuple(_row(each, assignment) for each in rows[:limit]),
        total=total,
        next_before_id=rows[limit - 1].number if len(rows) > limit else None,
    )


def _with_scores(page: sa.Select[Submission]) -> sa.Select[*tuple[Any, ...]]:
    """What a list shows of a page's submissions, newest first."""
    public, private = aliased(SplitScore), aliased(SplitScore)
    wanted = page.with_only_columns(Submission.id).subquery()
    return (
        sa.select(
            Submission.id.label("number"),
            Submission.public_id,
            Submission.filename,
            Submission.message,
            Submission.kind,
            Submission.declared,
            Submission.status,
            Submission.verdict,
            Submission.upload_started_at,
            Submission.voided_at,
            Team.name.label("team_name"),
            Team.is_baseline,
            User.name.label("person"),
            Evaluation,
            public.primary.label("public"),
            private.primary.label("private"),
        )
        .join(wanted, wanted.c.id == Submission.id)
        .join(Team, Team.id == Submission.team_id)
        .join(User, User.id == Submission.user_id)
        .outerjoin(Evaluation, Evaluation.id == Submission.current_evaluation_id)
        .outerjoin(public, _score_of(public, Split.PUBLIC))
        .outerjoin(private, _score_of(private, Split.PRIVATE))
        .options(
            load_only(
                Evaluation.verdict,
                Evaluation.flags,
                Evaluation.facts,
                Evaluation.answers_sha256,
                Evaluation.measure_sha256,
                Evaluation.images_sha256,
            )
        )
        .order_by(Submission.id.desc())
    )


def _row(found: sa.Row[*tuple[Any, ...]], assignment: Assignment) -> StaffRow:
    evaluation: Evaluation | None = found.Evaluation
    return StaffRow(
        id=found.public_id,
        filename=found.filename,
        message=found.message,
        kind=found.kind,
        declared=found.declared,
        status=found.status,
        verdict=found.verdict,
        upload_started_at=found.upload_started_at,
        team_name=found.team_name,
        is_baseline=found.is_baseline,
        person=found.person,
        flags=tuple(flags_of(assignment, found.kind, evaluation)),
        is_voided=found.voided_at is not None,
        public=found.public,
        private=found.private,
        fault=evaluation.facts.get(FAULT, "") if evaluation else "",
    )


def _score_of(score: type[SplitScore], split: Split) -> sa.ColumnElement[bool]:
    return sa.and_(score.evaluation_id == Evaluation.id, score.split == split)
