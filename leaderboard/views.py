"""What a person may see. The only functions that turn rows into what students read.

Before release nothing here depends on a private score: changing one leaves every byte as it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

import grader
from leaderboard import (
    cancelling,
    catalog,
    claims,
    efficiency,
    intervals,
    lateness,
    live_logs,
    publishing,
    queue,
    quotas,
    retries,
    standings,
    ties,
    workers,
)
from leaderboard.auth.policy import Access
from leaderboard.db import utcnow
from leaderboard.errors import NotFound
from leaderboard.models import (
    Assignment,
    Evaluation,
    Role,
    Split,
    SplitScore,
    Submission,
    SubmissionStatus,
    Track,
)
from leaderboard.scores import visible_report
from leaderboard.standings import Board

_MEMORY_STEP_MB = 16


def report(session: Session, submission: Submission, viewer: Access) -> dict[str, Any]:
    """The report of a submission for this viewer: staff's or the student's."""
    if reads_as_staff(viewer):
        return staff_report(session, submission)
    return student_report(session, submission)


def reads_as_staff(viewer: Access) -> bool:
    """Staff see everything of their course; the baseline account sees its own hand-ins so, since
    the rerun compares both splits."""
    return viewer.is_staff or viewer.role is Role.BASELINE


def student_report(session: Session, submission: Submission) -> dict[str, Any]:
    """A submission as its team may see it; JSON-ready. Pages, API and event streams use this.

    Keys: id, assignment, assignment_title, course, team, kind, filename, size_bytes, message,
    status, phase, verdict, verdict_title, verdict_owner, detail, problems, flags, metric, public,
    private, queue {place, eta_seconds, nobody}|None, retry (waiting|running|done)|None,
    can_cancel (by whoever reads this),
    quota {limit, used, remaining, resets_at}, sample_log (so far, while it runs), timing, facts,
    upload_started_at, accepted_at, finished_at, is_late, days_late, late_days_spent,
    penalty_days (those that no late day paid), counted, is_final_pick,
    declared (what was used of what the rules speak of)|None, receipt, revision.
    `public` is {n, <metric>, accuracy, macro_*, …} as far as the assignment's `feedback` and
    `public_board` allow (`per_class`, `confusion` are absent otherwise); `private` is None before
    release. Times are ISO 8601 in UTC.
    """
    assignment = submission.assignment
    evaluation = submission.current_evaluation
    verdict = grader.Verdict(submission.verdict) if submission.verdict else None
    return {
        "id": submission.public_id,
        "assignment": assignment.slug,
        "assignment_title": assignment.title,
        "course": assignment.course.code,
        "team": submission.team.name,
        "kind": submission.kind.value,
        "filename": submission.filename,
        "size_bytes": submission.size_bytes,
        "message": submission.message,
        "status": submission.status.value,
        "phase": submission.phase,
        "verdict": submission.verdict,
        "verdict_title": verdict.title if verdict else "",
        "verdict_owner": verdict.whose.value if verdict and verdict.whose else None,
        "detail": evaluation.detail if evaluation else "",
        "failed_in": evaluation.failed_in if evaluation else None,
        "problems": submission.problems,
        "flags": evaluation.flags if evaluation else [],
        "metric": assignment.metric,
        **_scores(session, assignment, evaluation),
        "queue": _queue(session, submission),
        "retry": retries.state_of(submission),
        "can_cancel": cancelling.may_cancel(submission, is_staff=False),
        "quota": _quota(session, submission),
        "sample_log": live_logs.read(session, submission)
        or (evaluation.sample_log if evaluation else ""),
        **_coarse(assignment, evaluation),
        "upload_started_at": _iso(submission.upload_started_at),
        "accepted_at": _iso(submission.accepted_at),
        "finished_at": _iso(submission.finished_at),
        "is_late": _is_late(assignment, submission.upload_started_at),
        "days_late": submission.days_late,
        "late_days_spent": submission.late_days_spent,
        "penalty_days": lateness.penalty_days(submission),
        "counted": submission.counted,
        "is_final_pick": submission.is_final_pick,
        "claims": submission.claims,
        "declared": submission.declared,
        "claim_findings": _claim_findings(session, assignment, submission),
        "receipt": submission.receipt,
        "revision": submission.revision,
    }


def staff_report(session: Session, submission: Submission) -> dict[str, Any]:
    """student_report with both splits in full, the person, and `evaluations` (the history); `fault`
    of an IE is the reason, `facts.order_seed` what the last run's secret order was drawn with."""
    evaluation = submission.current_evaluation
    scores = _split_scores(session, evaluation)
    history = session.scalars(
        sa.select(Evaluation)
        .where(Evaluation.submission_id == submission.id)
        .order_by(Evaluation.number)
    )
    return {
        **student_report(session, submission),
        "public": _whole(session, scores.get(Split.PUBLIC)),
        "private": _whole(session, scores.get(Split.PRIVATE)),
        "timing": dict(evaluation.timing) if evaluation else {},
        "facts": dict(evaluation.facts) if evaluation else {},
        "user": {"name": submission.user.name, "email": submission.user.email},
        "failed_attempts": submission.failed_attempts,
        "can_cancel": cancelling.may_cancel(submission, is_staff=True),
        "evaluations": [
            {
                "number": each.number,
                "cause": each.cause.value,
                "verdict": each.verdict,
                "fault": each.facts.get(publishing.FAULT, ""),
                "created_at": _iso(each.created_at),
                "code_version": each.code_version,
                "environment": each.environment,
                "answers_sha256": each.answers_sha256,
                "predictions_sha256": each.predictions_sha256,
            }
            for each in history
        ],
    }


def pulse(session: Session, submission: Submission) -> dict[str, Any]:
    """What of a report changes while it is waited for; hundreds of live pages ask for it."""
    is_running = submission.status is SubmissionStatus.RUNNING
    return {
        "revision": submission.revision,
        "status": submission.status.value,
        "phase": submission.phase,
        "queue": _queue(session, submission),
        "log": live_logs.read(session, submission) if is_running else "",
    }


def student_board(
    session: Session,
    assignment: Assignment,
    viewer: Access,
    *,
    split: Split = Split.PUBLIC,
    track: Track = Track.ALL,
    page: int = 1,
    per_page: int = 100,
    include_baselines: bool = True,
    search: str = "",
    compare: bool = False,
) -> Board:
    """A board as the enrolled see it; `search` keeps teams whose name holds it; `compare` adds to
    each row the ranks that it can't be told apart from.

    Raises: NotFound for the private split before release, to students; for a track that the
    assignment does not have.
    """
    if track not in standings.tracks_of(assignment):
        raise NotFound("This assignment has one board: pretrained weights have no track in it.")
    if split is Split.PRIVATE and assignment.released_at is None and not viewer.is_staff:
        raise NotFound
    board = standings.board(
        session,
        assignment,
        split,
        track=track,
        page=page,
        per_page=per_page,
        include_baselines=include_baselines,
        my_team=viewer.team,
        search=search,
    )
    board = efficiency.with_columns(session, assignment, board)
    return board if search or not compare else _with_ties(session, assignment, board)


def _with_ties(session: Session, assignment: Assignment, board: Board) -> Board:
    """The board with, for each row of the page, the ranks it can't be told apart from."""
    ranks = [row.rank for row in board.rows if row.rank is not None]
    same = ties.indistinguishable_from(session, assignment, board.split, board.track, ranks)
    rows = (replace(row, indistinguishable_from=same.get(row.team_id, ())) for row in board.rows)
    return replace(board, rows=tuple(rows))


def _scores(
    session: Session, assignment: Assignment, evaluation: Evaluation | None
) -> dict[str, Any]:
    """`public`, as far as the assignment shows it, and `private`, once it is released."""
    is_released = assignment.released_at is not None
    scoring = catalog.rules(assignment).scoring
    wanted = (Split.PUBLIC, Split.PRIVATE) if is_released else (Split.PUBLIC,)
    scores = _split_scores(session, evaluation, wanted)
    visible: dict[str, Any] = {"public": None, "private": None}
    for split, score in scores.items():
        visible[split.value] = visible_report(
            score.report,
            intervals.of_row(session, score),
            mode="exact" if is_released else scoring.public_board,
            feedback="confusion" if is_released else scoring.feedback,
            metric=assignment.metric,
            shown=score.primary if is_released else score.shown,
        )
    return visible


def _claim_findings(
    session: Session, assignment: Assignment, submission: Submission
) -> list[dict[str, Any]]:
    """The team's claims held against what it may see: a public score in full, later the private.

    Where the board keeps figures back, so do the findings: they would give them away.
    """
    scoring = catalog.rules(assignment).scoring
    is_released = assignment.released_at is not None
    if not submission.claims or not (
        is_released or (scoring.public_board == "exact" and scoring.feedback != "aggregate")
    ):
        return []
    wanted = (Split.PRIVATE, Split.PUBLIC) if is_released else (Split.PUBLIC,)
    scores = _split_scores(session, submission.current_evaluation, wanted)
    reports = [scores[split].report for split in wanted if split in scores]
    return (
        [found.as_dict() for found in claims.findings(submission.claims, *reports)]
        if (reports)
        else []
    )


def _split_scores(
    session: Session,
    evaluation: Evaluation | None,
    splits: tuple[Split, ...] = (Split.PUBLIC, Split.PRIVATE),
) -> Mapping[Split, SplitScore]:
    if evaluation is None:
        return {}
    found = session.scalars(
        sa.select(SplitScore).where(
            SplitScore.evaluation_id == evaluation.id, SplitScore.split.in_(splits)
        )
    )
    return {score.split: score for score in found}


def _whole(session: Session, score: SplitScore | None) -> dict[str, Any] | None:
    return {**score.report, "intervals": intervals.of_row(session, score)} if score else None


def _queue(session: Session, submission: Submission) -> dict[str, Any] | None:
    """Place and estimate; `nobody` names the lane where no worker lives that could do the work."""
    if submission.status is not SubmissionStatus.QUEUED:
        return None
    lane = submission.lane or queue.lane_of(submission.assignment, submission.kind)
    capacity = workers.capacity(session, lane, now=utcnow(), dead_after_seconds=60)
    place = queue.position(session, submission, capacity=capacity)
    if place is None:
        return None
    return {
        "place": place.place,
        "eta_seconds": place.eta_seconds if capacity else None,
        "nobody": None if capacity else lane.value,
    }


def _quota(session: Session, submission: Submission) -> dict[str, Any]:
    return quota_json(quotas.quota(session, submission.assignment, submission.team, utcnow()))


def quota_json(found: quotas.Quota) -> dict[str, Any]:
    """A team's quota in its JSON form."""
    return {
        "limit": found.limit,
        "used": found.used,
        "remaining": found.remaining,
        "resets_at": _iso(found.resets_at),
    }


def _coarse(assignment: Assignment, evaluation: Evaluation | None) -> dict[str, Any]:
    """What a run took, rounded up: exact times of a hidden run could carry out what it saw."""
    facts = dict(evaluation.facts) if evaluation else {}
    timing: dict[str, Any] = {}
    if "wall_seconds" in facts:
        timing["wall_seconds"] = math.ceil(facts["wall_seconds"])
    if "peak_memory_mb" in facts:
        steps = math.ceil(facts["peak_memory_mb"] / _MEMORY_STEP_MB)
        timing["peak_memory_mb"] = steps * _MEMORY_STEP_MB
    wants_speed = efficiency.TIMED in catalog.rules(assignment).scoring.efficiency
    told = ("parameters", "checkpoint_mb", *([efficiency.TIMED] if wants_speed else []))
    return {"timing": timing, "facts": efficiency.coarse(facts, told)}


def _is_late(assignment: Assignment, started_at: datetime) -> bool:
    due = catalog.rules(assignment).schedule.due
    return due is not None and started_at.replace(microsecond=0) > due


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
