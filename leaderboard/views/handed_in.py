"""What a team handed in, as its own list shows it: a line each, and no more read than is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

import grader
from leaderboard.boards.outdated import measured_alike, of_the_images
from leaderboard.boards.scores import shown_secondary
from leaderboard.models import (
    Assignment,
    Evaluation,
    Kind,
    Split,
    SplitScore,
    Submission,
    SubmissionStatus,
    Team,
)
from leaderboard.rules import catalog
from leaderboard.rules.schedule import is_late


@dataclass(frozen=True, kw_only=True)
class HandedIn:
    """A line of the list; scores are of the ranking metric, None where there is none to show."""

    id: str
    filename: str
    message: str
    kind: Kind
    status: SubmissionStatus
    verdict: str | None
    upload_started_at: datetime
    is_late: bool
    is_final_pick: bool
    is_voided: bool
    is_outdated: bool  # scored by earlier answers, images or metric
    public: float | None
    macro_f1: float | None  # public too; None where the board's mode keeps it back
    private: float | None  # None before the release


def of_team(
    session: Session, assignment: Assignment, team: Team, *, limit: int
) -> tuple[HandedIn, ...]:
    """A team's newest submissions to an assignment, newest first. Reads only."""
    is_released = assignment.released_at is not None
    public, private = aliased(SplitScore), aliased(SplitScore)
    hidden = private.primary if is_released else sa.null()  # not so much as read before
    query = (
        sa.select(
            Submission.public_id,
            Submission.filename,
            Submission.message,
            Submission.kind,
            Submission.status,
            Submission.verdict,
            Submission.upload_started_at,
            Submission.is_final_pick,
            Submission.voided_at,
            (public.primary if is_released else public.shown).label("public"),
            public.macro_f1,
            hidden.label("private"),
            sa.and_(measured_alike(), of_the_images()).label("is_current"),
        )
        .join(Assignment, Assignment.id == Submission.assignment_id)
        .outerjoin(
            Evaluation,
            sa.and_(
                Evaluation.id == Submission.current_evaluation_id,
                Evaluation.verdict == grader.Verdict.OK.value,
            ),
        )
        .outerjoin(public, _is_of(public, Split.PUBLIC))
        .where(Submission.assignment_id == assignment.id, Submission.team_id == team.id)
        .order_by(Submission.id.desc())
        .limit(limit)
    )
    if is_released:
        query = query.outerjoin(private, _is_of(private, Split.PRIVATE))
    return tuple(_line(row, assignment, team) for row in session.execute(query))


def _is_of(score: type[SplitScore], split: Split) -> sa.ColumnElement[bool]:
    return sa.and_(score.evaluation_id == Submission.current_evaluation_id, score.split == split)


def _line(row: sa.Row[*tuple[Any, ...]], assignment: Assignment, team: Team) -> HandedIn:
    return HandedIn(
        id=row.public_id,
        filename=row.filename,
        message=row.message,
        kind=row.kind,
        status=row.status,
        verdict=row.verdict,
        upload_started_at=row.upload_started_at,
        is_late=is_late(assignment, team, row.upload_started_at),
        is_final_pick=row.is_final_pick,
        is_voided=row.voided_at is not None,
        is_outdated=row.is_current is not None and not row.is_current,
        public=row.public,
        macro_f1=_macro_f1(assignment, row.public, row.macro_f1),
        private=row.private,
    )


def _macro_f1(assignment: Assignment, public: float | None, macro_f1: float | None) -> float | None:
    if assignment.metric == "macro_f1" or macro_f1 is None:
        return public
    is_released = assignment.released_at is not None
    mode = "exact" if is_released else catalog.rules(assignment).scoring.public_board
    return shown_secondary(mode, macro_f1)
