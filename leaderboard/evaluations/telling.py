"""Telling a team that a score of theirs moved without their doing: from what, to what, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

import grader
from leaderboard.messages import notifications
from leaderboard.models import (
    Assignment,
    Cause,
    Evaluation,
    Rescore,
    Split,
    SplitScore,
    Standing,
    Submission,
    Track,
)
from leaderboard.state import State


@dataclass(frozen=True, kw_only=True)
class _Moved:
    """A submission whose score is another one now."""

    submission: Submission
    metric: str
    before: float
    after: float
    metric_before: str
    reason: str  # answers | classes | entries | metric | rows | rerun


def tell_of_rescore(session: Session, state: State, rescore: Rescore) -> None:
    """Tell each team once whose score moved, within the transaction that ends a rescore.

    Of several, it is told of the one that stands on the board, else of the newest.
    """
    standing = _standing(session, rescore.assignment)
    chosen: dict[int, _Moved] = {}
    for moved in _moved(session, state, rescore.assignment, since=rescore):
        submission = moved.submission
        if submission.team_id not in chosen or standing.get(submission.team_id) == submission.id:
            chosen[submission.team_id] = moved
    for team_id, moved in chosen.items():
        _tell(session, moved, key=f"rescored:{rescore.id}:{team_id}")


def tell_of_rejudge(
    session: Session, state: State, submission: Submission, evaluation: Evaluation
) -> None:
    """Tell the team if what staff had judged again has another score now."""
    for moved in _moved(session, state, submission.assignment, only=submission):
        _tell(session, moved, key=f"rejudged:{submission.id}:{evaluation.number}")


def _tell(session: Session, moved: _Moved, *, key: str) -> None:
    notifications.tell_moved(
        session,
        moved.submission,
        key=key,
        facts={
            "metric": moved.metric,
            "score": moved.after,
            "metric_before": moved.metric_before,
            "before": moved.before,
            "reason": moved.reason,
        },
    )


def _split(assignment: Assignment) -> Split:
    """What a team may see: the public score, and once results are out the final one."""
    return Split.PUBLIC if assignment.released_at is None else Split.PRIVATE


def _standing(session: Session, assignment: Assignment) -> dict[int, int]:
    rows = session.execute(
        sa.select(Standing.team_id, Standing.submission_id).where(
            Standing.assignment_id == assignment.id,
            Standing.split == _split(assignment),
            Standing.track == Track.ALL,
        )
    )
    return {row.team_id: row.submission_id for row in rows}


def _moved(
    session: Session,
    state: State,
    assignment: Assignment,
    *,
    since: Rescore | None = None,
    only: Submission | None = None,
) -> Iterator[_Moved]:
    """Newest first: each whose present evaluation scores otherwise than the one before it."""
    query = _pairs(assignment)
    if since is not None:
        query = query.where(_NOW.cause == Cause.RESCORE, _NOW.created_at >= since.created_at)
    if only is not None:
        query = query.where(Submission.id == only.id)
    for row in session.execute(query).all():
        present = state.catalog.load_version(row.folder)
        past = state.catalog.load_version(row.folder_before)
        if (past.scoring.metric, row.was) != (present.scoring.metric, row.after):
            is_rerun = row.cause is Cause.RERUN
            yield _Moved(
                submission=row.Submission,
                metric=present.scoring.metric,
                before=row.was,
                after=row.after,
                metric_before=past.scoring.metric,
                reason="rerun" if is_rerun else _reason(past, present),
            )


_NOW, _BEFORE, _EARLIER = (aliased(Evaluation) for _ in range(3))


def _pairs(assignment: Assignment) -> sa.Select[*tuple[Any, ...]]:
    """Each scored submission's present evaluation beside the scored one before it."""
    new, old = aliased(SplitScore), aliased(SplitScore)
    split, is_ok = _split(assignment), grader.Verdict.OK.value
    last = (
        sa.select(sa.func.max(_EARLIER.number))
        .where(
            _EARLIER.submission_id == Submission.id,
            _EARLIER.number < _NOW.number,
            _EARLIER.verdict == is_ok,
        )
        .scalar_subquery()
    )
    return (
        sa.select(
            Submission,
            _NOW.cause,
            _NOW.folder_sha256.label("folder"),
            _BEFORE.folder_sha256.label("folder_before"),
            new.shown.label("after"),
            old.shown.label("was"),
        )
        .join(_NOW, _NOW.id == Submission.current_evaluation_id)
        .join(_BEFORE, sa.and_(_BEFORE.submission_id == Submission.id, _BEFORE.number == last))
        .join(new, sa.and_(new.evaluation_id == _NOW.id, new.split == split))
        .join(old, sa.and_(old.evaluation_id == _BEFORE.id, old.split == split))
        .where(Submission.assignment_id == assignment.id, _NOW.verdict == is_ok)
        .order_by(Submission.id.desc())
    )


def _reason(before: grader.Assignment, after: grader.Assignment) -> str:
    if before.scoring.metric != after.scoring.metric:
        return "metric"
    if before.classes != after.classes:
        return "classes"
    if before.answer_key().sha256 == after.answer_key().sha256:
        return "entries"  # a Ladder's steps rest on the earlier ones
    same_rows = set(before.answer_key().ids) == set(after.answer_key().ids)
    return "answers" if same_rows else "rows"
