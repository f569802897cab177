"""Publishing what an evaluation found: verdict, scores, quota and standings in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

import grader
from grader.metric_list import EVERY
from grader.words.message import data_of, said
from leaderboard import audit
from leaderboard.boards import ladder, placing
from leaderboard.boards.ladder import Shown
from leaderboard.cases import opening
from leaderboard.db import changed_rows, utcnow
from leaderboard.evaluations import looked_up, retries, sample_answers, telling
from leaderboard.messages import notifications
from leaderboard.models import (
    Assignment,
    Cause,
    Evaluation,
    Kind,
    Split,
    SplitScore,
    Submission,
    SubmissionStatus,
    guarding,
)
from leaderboard.models.versions import code_version
from leaderboard.queue import live_logs
from leaderboard.queue.durable import Job
from leaderboard.receipts import canonical_json
from leaderboard.rules import lateness, quotas
from leaderboard.state import State

# at the third failure of ours staff are alerted and the student is told, with the quota refunded
_MAX_ATTEMPTS = 3
FAULT = "fault"  # the fact of an IE that says why
_MAX_LOG_CHARACTERS = 64_000
_MAX_REASON_CHARACTERS = 500
# made once, as every result goes through it; on PostgreSQL it locks the submission alone
_PUBLISHED = (
    sa.select(Submission)
    .options(
        joinedload(Submission.assignment, innerjoin=True).joinedload(
            Assignment.course, innerjoin=True
        ),
        joinedload(Submission.team, innerjoin=True),
    )
    .where(Submission.id == sa.bindparam("submission"))
    .with_for_update(of=Submission, key_share=True)
)
_OWN_COLUMNS = tuple(name for name in EVERY if name in SplitScore.__table__.columns)
# what the statement that ends an evaluation sets
_CHANGED = (
    "status",
    "phase",
    "verdict",
    "problems",
    "current_evaluation_id",
    "current_evaluation",
    "finished_at",
    "claimed_by",
    "revision",
)


class Stale(Exception):
    """The claim is no longer this worker's: what it made must not be published."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An evaluation as the grader made it, with what was kept and computed beside it.

    `edition` is the assignment as it was when the work was taken: another may have been published
    since, and a score is recorded under the answers that it was made with.
    """

    made: grader.Evaluation
    edition: Assignment
    predictions_sha256: str | None
    intervals: Mapping[Split, dict[str, list[float]]]
    right: Mapping[Split, bytes]
    environment: dict[str, str]
    seconds: float


def publish(session: Session, state: State, job: Job, outcome: Outcome, *, claimed_by: str) -> None:
    """Verdict, evaluation, scores, quota and standings, in one transaction; a retry if due.

    Raises:
        Stale: the work was taken over meanwhile.
    """
    submission = session.scalars(_PUBLISHED, {"submission": job.submission_id}).first()
    if submission is None or not _is_current(submission, job, claimed_by):
        raise Stale
    made = looked_up.weigh(session, submission, outcome.made)
    evaluation = _new_evaluation(submission, job, made.verdict, outcome.edition)
    _tell(evaluation, made.detail)
    evaluation.failed_in = made.failed_in
    evaluation.problems = [problem.as_dict() for problem in made.problems]
    evaluation.flags = list(made.flags)
    evaluation.sample_log = made.sample_log[:_MAX_LOG_CHARACTERS]
    evaluation.sample_answers = sample_answers.kept(made.sample, state.settings)
    evaluation.predictions_sha256 = outcome.predictions_sha256
    evaluation.labels_sha256 = made.predictions.seed.hex() if made.predictions else None
    evaluation.environment = outcome.environment
    evaluation.timing = {**made.timing, "evaluation_seconds": round(outcome.seconds, 3)}
    public = _shown(session, state, submission, outcome)
    evaluation.facts = {**made.facts, **public.facts}
    session.add(evaluation)
    session.flush()
    scores_sha256 = _add_scores(session, evaluation, outcome, public.score)
    _finish(session, submission, job, evaluation, claimed_by=claimed_by)
    if not made.counts_against_quota and evaluation.cause is not Cause.RETRY:
        quotas.refund(session, submission, f"{made.verdict.value} before the hidden run")
    placing.refresh(session, submission.assignment, submission.team)
    audit.record(
        session,
        action="evaluation.publish",
        subject=submission.public_id,
        course=submission.assignment.course,
        details={
            "evaluation": job.number,
            "cause": evaluation.cause.value,
            "verdict": evaluation.verdict,
            "scores": scores_sha256,
        },
    )
    opening.open_flagged(session, submission, evaluation)
    if retries.is_due(evaluation.cause, made):
        _try_again(session, state, submission)
    elif submission.current_evaluation_id == evaluation.id:
        notifications.tell_result(session, submission, evaluation)
        if evaluation.cause in (Cause.RESCORE, Cause.RERUN) and made.scores is not None:
            telling.tell_of_rejudge(session, state, submission, evaluation)


def _try_again(session: Session, state: State, submission: Submission) -> None:
    """Queue the code once more; the verdict just published stands meanwhile."""
    submission.evaluation_number += 1
    submission.failed_attempts = 0
    state.queue.enqueue(session, submission, Cause.RETRY)
    audit.record(
        session,
        action="submission.retry",
        subject=submission.public_id,
        course=submission.assignment.course,
        details={"evaluation": submission.evaluation_number},
    )


def note_fault(state: State, job: Job, reason: str, *, claimed_by: str | None = None) -> bool:
    """Count a fault of ours: queue the next attempt after a pause, or publish IE at the third.

    Does nothing, and says so, if the job is no longer current (or no longer claimed by
    `claimed_by`).
    """
    with state.database.write() as session:
        submission = session.get(Submission, job.submission_id, with_for_update=True)
        if submission is None or not _is_current(submission, job, claimed_by):
            return False
        submission.failed_attempts = job.attempt + 1
        if submission.failed_attempts < _MAX_ATTEMPTS:
            pause = state.settings.retry_seconds * 2**job.attempt
            state.queue.enqueue(
                session, submission, submission.evaluation_cause, delay_seconds=pause
            )
            return True
        _publish_internal_error(session, submission, job, reason[:_MAX_REASON_CHARACTERS])
        audit.record(
            session,
            action="alert.internal_error",
            subject=submission.public_id,
            course=submission.assignment.course,
            details={"evaluation": job.number, "reason": reason[:_MAX_REASON_CHARACTERS]},
        )
    return True


def _tell(evaluation: Evaluation, detail: str) -> None:
    """Keep what the student is told, with its code and values where it has any."""
    evaluation.detail, evaluation.detail_said = detail, data_of(detail)


def _publish_internal_error(
    session: Session, submission: Submission, job: Job, reason: str
) -> None:
    evaluation = _new_evaluation(submission, job, grader.Verdict.IE, submission.assignment)
    _tell(evaluation, said("server.failed_thrice"))
    evaluation.facts = {FAULT: reason}  # facts are for staff: students get those of a list only
    session.add(evaluation)
    session.flush()
    keep_result = submission.current_evaluation_id is not None
    if keep_result:
        # a rejudge that failed: the earlier result stands
        submission.status = SubmissionStatus.FINISHED
        submission.phase, submission.claimed_by = "", None
        submission.revision += 1
        live_logs.clear(session, submission.id)
        return
    _finish(session, submission, job, evaluation, claimed_by=submission.claimed_by)
    quotas.refund(session, submission, quotas.OUR_FAILURE)
    lateness.settle(session, submission.assignment, submission.team)
    notifications.tell_result(session, submission, evaluation)


def _new_evaluation(
    submission: Submission, job: Job, verdict: grader.Verdict, edition: Assignment
) -> Evaluation:
    return Evaluation(
        submission_id=submission.id,
        number=job.number,
        cause=submission.evaluation_cause,
        verdict=verdict.value,
        content_sha256=submission.content_sha256,
        answers_sha256=edition.answers_sha256,
        folder_sha256=edition.folder_sha256,
        measure_sha256=edition.measure_sha256,
        images_sha256=edition.images_sha256,
        code_version=code_version(),
        created_at=utcnow(),
    )


def _shown(session: Session, state: State, submission: Submission, outcome: Outcome) -> Shown:
    """What the board may show of the public score, by the edition that it was made with."""
    made = outcome.made
    if made.scores is None:
        return Shown(score=0.0)
    exact = float(made.scores.public.metric(outcome.edition.metric))
    return ladder.shown(session, state, submission, outcome.edition, made.predictions, exact)


def _add_scores(
    session: Session, evaluation: Evaluation, outcome: Outcome, shown: float
) -> str | None:
    """The two rows of scores; the hash that the audit chain keeps of them."""
    made = outcome.made
    if made.scores is None:
        return None
    metric = outcome.edition.metric
    reports: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for split, score in ((Split.PUBLIC, made.scores.public), (Split.PRIVATE, made.scores.private)):
        columns = split_columns(split, score, metric, shown)
        reports[split.value] = columns["report"]
        rows.append(
            {
                "evaluation_id": evaluation.id,
                **columns,
                "intervals": outcome.intervals.get(split, {}),
                "right": outcome.right.get(split, b""),
            }
        )
    session.execute(sa.insert(SplitScore), rows)
    return hashlib.sha256(canonical_json(reports)).hexdigest()


def split_columns(split: Split, score: grader.Score, metric: str, shown: float) -> dict[str, Any]:
    """The columns of a SplitScore that follow from a score; `shown` is of the public split."""
    primary = float(score.metric(metric))
    return {
        "split": split,
        "n": int(score.n),
        "primary": primary,
        "shown": shown if split is Split.PUBLIC else primary,
        **{name: score.values[name] for name in _OWN_COLUMNS},
        "report": score.as_dict(),
    }


def _finish(
    session: Session,
    submission: Submission,
    job: Job,
    evaluation: Evaluation,
    *,
    claimed_by: str | None,
) -> None:
    """The one conditional UPDATE that ends an evaluation.

    Raises:
        Stale: it no longer holds.
    """
    session.flush()
    if submission.kind is Kind.CODE:
        live_logs.clear(session, submission.id)
    result: dict[str, Any] = {}
    if retries.replaces(evaluation.cause, evaluation.verdict):
        result = {
            "verdict": evaluation.verdict,
            "problems": evaluation.problems or [],
            "current_evaluation_id": evaluation.id,
        }
    finished = changed_rows(
        session,
        sa.update(Submission)
        .where(
            Submission.id == submission.id,
            Submission.evaluation_number == job.number,
            Submission.claimed_by.is_(None)
            if claimed_by is None
            else Submission.claimed_by == claimed_by,
            Submission.status.in_((SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)),
        )
        .values(
            status=SubmissionStatus.FINISHED,
            phase="",
            finished_at=utcnow(),
            claimed_by=None,
            revision=Submission.revision + 1,
            **result,
        ),
    )
    if not finished:
        raise Stale
    session.refresh(submission, _CHANGED)
    guarding.touch_object(session, submission)


def _is_current(submission: Submission, job: Job, claimed_by: str | None) -> bool:
    return (
        submission.evaluation_number == job.number
        and submission.failed_attempts == job.attempt
        and submission.status in (SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)
        and (claimed_by is None or submission.claimed_by == claimed_by)
    )
