"""One evaluation: claim, run, publish. Each may happen twice; the result appears once.

A worker claims a submission by one conditional UPDATE, and publishes by another that holds only
while the claim is still its own. So a worker that was cut off, and whose work another took over,
comes back to find its claim gone, and its result is dropped.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session, joinedload

import grader
from grader.scoring.significance import SHARES
from grader.words.message import with_data
from leaderboard.agents.remote import Agents
from leaderboard.blobs import BlobsAway, BlobStore
from leaderboard.boards import intervals
from leaderboard.db import changed_rows, outlast, utcnow
from leaderboard.evaluations import carrying, hardware, parsed, publishing, sample_answers
from leaderboard.evaluations.publishing import Outcome, Stale
from leaderboard.evaluations.retries import Quiet
from leaderboard.evaluations.run_watch import RunWatch
from leaderboard.models import Assignment, Cause, Kind, Lane, Split, Submission, SubmissionStatus
from leaderboard.queue import live_logs
from leaderboard.queue.durable import Job
from leaderboard.state import State

log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
# within which everybody hears a signal that is sent to a worker and to all that it started
_SETTLE_SECONDS = 0.5
# made once: putting a statement together takes longer than asking it
_ABOUT = sa.select(Submission.kind, Submission.evaluation_cause, Submission.lane).where(
    Submission.id == sa.bindparam("submission")
)
# with all that the run needs, so that no transaction stays open while it runs
_CLAIMED = (
    sa.select(Submission)
    .options(
        joinedload(Submission.assignment, innerjoin=True).joinedload(
            Assignment.course, innerjoin=True
        ),
        joinedload(Submission.team, innerjoin=True),
        joinedload(Submission.current_evaluation),
    )
    .where(Submission.id == sa.bindparam("submission"))
)


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Who evaluates: a name for this start of the process, and what runs code, if anything."""

    incarnation: str
    runner: grader.Runner | Agents | None
    # asked after a run that failed: why no code can be started here at the moment, "" if it can
    refusal: Callable[[], str] = lambda: ""
    quiet: Quiet = field(default_factory=Quiet)
    # set as soon as the process is asked to stop: what it runs may be asked as well, and fail of it
    stopping: threading.Event = field(default_factory=threading.Event)

    def runner_for(self, submission: Submission) -> grader.Runner | None:
        """What runs its bundle, if anything."""
        return self.runner.of(submission) if isinstance(self.runner, Agents) else self.runner


def evaluate(state: State, worker: Worker, job: Job) -> None:
    """Carry one job through to its published verdict, or queue its next attempt.

    A failure of ours never becomes the student's: it is retried, then published as IE, refunded.
    """
    with outlast(lambda: _turn(state, worker, job)):
        _evaluate(state, worker, job)


def _evaluate(state: State, worker: Worker, job: Job) -> None:
    submission = outlast(lambda: claim(state, worker, job))
    if submission is None:
        return
    try:
        outcome = _run_patiently(state, worker, job, submission)
        if _may_be_our_stop(worker, submission, outcome.made):
            raise grader.PlatformFault("it failed while its worker was stopping")
        outlast(lambda: _publish(state, worker, job, outcome))
        verdict, seconds = outcome.made.verdict.value, outcome.seconds
        log.info("evaluation of %s ended: %s, %.1f s", submission.public_id, verdict, seconds)
    except (Stale, IntegrityError) as error:
        # it was withdrawn, or another worker took it over or published this very evaluation first
        log.warning("the result of %s is not published here: %r", submission.public_id, error)
    except Exception as error:  # the worker's loop: any fault of ours is retried
        if worker.stopping.wait(_SETTLE_SECONDS):
            # nothing is to be noted: the worker hands it on when it ends
            log.warning("%s is handed on: %r", submission.public_id, error)
            threading.Event().wait()
        log.exception("evaluation of %s failed, attempt %d", submission.public_id, job.attempt + 1)
        reason = f"{type(error).__name__}: {error}"
        outlast(
            lambda: publishing.note_fault(state, job, reason, claimed_by=worker.incarnation),
        )


def _may_be_our_stop(worker: Worker, submission: Submission, made: grader.Evaluation) -> bool:
    """Whether code failed while its worker is told to stop, as is every process beside it.

    A signal reaches the parts of a service one after the other, so a failure waits a moment to see.
    """
    if submission.kind is not Kind.CODE or made.failed_in not in ("sample", "hidden"):
        return False
    return worker.stopping.wait(_SETTLE_SECONDS)


def _publish(state: State, worker: Worker, job: Job, outcome: Outcome) -> None:
    with state.database.write() as session:
        publishing.publish(session, state, job, outcome, claimed_by=worker.incarnation)


def _run_patiently(state: State, worker: Worker, job: Job, submission: Submission) -> Outcome:
    """As `run`; a file store or a runner environment that is away is waited for, and is nobody's
    failed attempt.

    Raises:
        Stale: the work was taken over meanwhile.
    """
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return run(state, worker, job, submission)
        except (grader.PlatformFault, OSError, RuntimeError) as error:
            reason = str(error) if isinstance(error, BlobsAway) else _why_wait(worker, submission)
            if not reason:
                raise
            log.warning("%s waits: %s", submission.public_id, reason)
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            with state.database.write() as session:
                if not changed_rows(session, _still_ours(worker, job).values(phase="checking")):
                    raise Stale from error


def _why_wait(worker: Worker, submission: Submission) -> str:
    """Why a run that failed is to be begun again by itself; "" if it is not."""
    return worker.refusal() if submission.kind is Kind.CODE and worker.runner else ""


def _turn(state: State, worker: Worker, job: Job) -> AbstractContextManager[None]:
    """Wait, unclaimed, until this may run here, a retry alone, or until an agent is there."""
    with state.database.reading() as session:
        kind, cause, lane = session.execute(_ABOUT, {"submission": job.submission_id}).one()
    if kind is not Kind.CODE or lane is Lane.CSV:
        return nullcontext()
    if lane is not None and isinstance(worker.runner, Agents):
        worker.runner.wait_for_one(lane)
        return nullcontext()
    return worker.quiet.alone() if cause is Cause.RETRY else worker.quiet.side_by_side()


def claim(state: State, worker: Worker, job: Job) -> Submission | None:
    """Mark the submission as running here; None if the job is not current any more."""
    with state.database.write() as session:
        claimed = changed_rows(
            session,
            sa.update(Submission)
            .where(*_is_under_way(job))
            .values(
                status=SubmissionStatus.RUNNING,
                phase="checking",
                claimed_by=worker.incarnation,
                started_at=utcnow(),
                revision=Submission.revision + 1,
            ),
        )
        if not claimed:
            return None
        submission = session.scalars(_CLAIMED, {"submission": job.submission_id}).one()
        if submission.kind is Kind.CODE:
            live_logs.clear(session, submission.id)
        session.expunge_all()
        return submission


def hand_over(session: Session, *, incarnation: str) -> int:
    """Give back what a worker that ends still runs, within the caller's transaction; how much."""
    return changed_rows(
        session,
        sa.update(Submission)
        .where(Submission.claimed_by == incarnation, Submission.status == SubmissionStatus.RUNNING)
        .values(
            status=SubmissionStatus.QUEUED,
            phase="",
            claimed_by=None,
            started_at=None,
            revision=Submission.revision + 1,
        ),
    )


def run(state: State, worker: Worker, job: Job, submission: Submission) -> Outcome:
    assignment = state.catalog.load(submission.assignment)
    began = time.monotonic()
    predictions = parsed.read(state, job, submission)
    runner = worker.runner_for(submission)
    if submission.evaluation_cause is Cause.RESCORE:
        made = _rescore(state, submission, assignment)
    elif predictions is not None:
        made = grader.evaluate_predictions(predictions, assignment)
    else:
        with (
            state.blobs.local(submission.content_sha256) as path,
            live_logs.LogWriter(state.database, submission.id, _still_ours(worker, job)) as writer,
            _watch(state, job, submission) as watch,
        ):
            made = grader.evaluate(
                grader.Submission(path=path, kind=submission.kind.value),
                assignment,
                runner,
                on_phase=lambda phase: _note_phase(state, worker, job, submission, phase),
                on_log=writer.take,
                on_wait=watch.check if watch else None,
            )
    if made.verdict is grader.Verdict.IE:
        raise grader.PlatformFault(made.detail or "the evaluation ended with IE")
    if predictions is not None and job.parsed is not None:
        kept: str | None = job.parsed.predictions_sha256 if made.predictions else None
    else:
        kept = _keep_predictions(state.blobs, made.predictions)
    return Outcome(
        made=made,
        edition=submission.assignment,
        predictions_sha256=kept,
        intervals=_intervals(made, assignment.scoring.metric),
        right=_right(made, assignment),
        environment=_environment(worker, runner, submission),
        seconds=time.monotonic() - began,
    )


def _rescore(
    state: State, submission: Submission, assignment: grader.Assignment
) -> grader.Evaluation:
    """The stored predictions against the present key; everything else as it was measured."""
    current = submission.current_evaluation
    if current is None:
        raise grader.PlatformFault("there are no stored predictions")
    predictions = carrying.carry(state, current, assignment).predictions
    return grader.Evaluation(
        verdict=grader.Verdict.OK,
        predictions=predictions,
        scores=grader.score(predictions, assignment.answer_key()),
        problems=(),
        flags=tuple(current.flags),
        detail=with_data(current.detail, current.detail_said),
        sample_log=current.sample_log,
        sample=sample_answers.read(current.sample_answers),
        failed_in=None,
        timing=dict(current.timing),
        facts=dict(current.facts),
    )


def _keep_predictions(blobs: BlobStore, predictions: grader.Predictions | None) -> str | None:
    if predictions is None:
        return None
    return blobs.put(io.BytesIO(predictions.to_bytes())).sha256


def _intervals(made: grader.Evaluation, metric: str) -> Mapping[Split, dict[str, list[float]]]:
    """95 % intervals of the metrics; seeded by the predictions, so that a rescore repeats them.

    Those of the private split, which nobody sees before the release, are drawn when looked at,
    unless teams are ranked by one of them.
    """
    if made.scores is None or made.predictions is None:
        return {}
    scores, seed = made.scores, made.predictions.seed
    return {
        Split.PUBLIC: intervals.of_score(scores.public, seed),
        Split.PRIVATE: intervals.at_once(scores.private)
        if metric in SHARES
        else intervals.of_score(scores.private, seed),
    }


def _right(made: grader.Evaluation, assignment: grader.Assignment) -> Mapping[Split, bytes]:
    """One bit an image of each split, in the key's order: whether the prediction is right."""
    if made.predictions is None or made.scores is None:
        return {}
    public, private = grader.right_images(made.predictions, assignment.answer_key())
    return {Split.PUBLIC: public, Split.PRIVATE: private}


def _environment(
    worker: Worker, runner: grader.Runner | None, submission: Submission
) -> dict[str, str]:
    described = runner.describe() if runner and submission.kind is Kind.CODE else {}
    return {**hardware.facts(), **described, "worker": worker.incarnation}


def _note_phase(state: State, worker: Worker, job: Job, submission: Submission, phase: str) -> None:
    """Show how far it is; and stop early where the work was taken over."""
    if phase == "checking" or submission.kind is Kind.CSV:
        return  # the claim said so, or it is over before anyone could read it
    shown = _still_ours(worker, job).values(phase=phase, revision=Submission.revision + 1)
    try:
        with state.database.write() as session:
            noted = changed_rows(session, shown)
    except OperationalError as error:
        log.warning("the database is away; the run goes on: %s", error)
        return
    if not noted:
        raise Stale


def _watch(
    state: State, job: Job, submission: Submission
) -> AbstractContextManager[RunWatch | None]:
    """Whoever took the work over does not end the run here: its end would be theirs in the queue.
    A CSV is over before anyone could withdraw it."""
    if submission.kind is Kind.CSV:
        return nullcontext()
    return RunWatch(state.database, sa.select(Submission.id).where(*_is_under_way(job)))


def _still_ours(worker: Worker, job: Job) -> sa.Update:
    """An UPDATE of the submission that changes nothing once the claim is another's."""
    return sa.update(Submission).where(
        *_is_under_way(job),
        Submission.claimed_by == worker.incarnation,
        Submission.status == SubmissionStatus.RUNNING,
    )


def _is_under_way(job: Job) -> tuple[sa.ColumnElement[bool], ...]:
    """Whether the job is current, whoever has it."""
    return (
        Submission.id == job.submission_id,
        Submission.evaluation_number == job.number,
        Submission.failed_attempts == job.attempt,
        Submission.status.in_((SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)),
    )
