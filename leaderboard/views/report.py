"""What a person may see. The only functions that turn submissions into what students read.

Before release nothing here depends on a private score: changing one leaves every byte as it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

from sqlalchemy.orm import Session

import grader
from leaderboard.accounts.access import Access
from leaderboard.boards import efficiency
from leaderboard.boards.outdated import flags_of
from leaderboard.db import utcnow
from leaderboard.evaluations import publishing, retries
from leaderboard.models import (
    Assignment,
    Case,
    Evaluation,
    Role,
    Split,
    Step,
    Submission,
    SubmissionStatus,
)
from leaderboard.queue import estimates, fair_share, live_logs, workers
from leaderboard.rules import catalog, lateness
from leaderboard.rules.schedule import is_late
from leaderboard.submissions import cancelling, claims
from leaderboard.views import evidence, scores, stored
from leaderboard.views.stored import Stored
from leaderboard.views.submission import (
    ClaimFinding,
    Declared,
    EvaluationEntry,
    Person,
    Phase,
    Pulse,
    QueuePlace,
    Score,
    StaffReport,
    SubmissionReport,
    Voided,
)

_MEMORY_STEP_MB = 16


def report(
    session: Session, submission: Submission, viewer: Access, *, read: Stored | None = None
) -> SubmissionReport:
    """The report of a submission for this viewer, staff's or the student's; `read` is what belongs
    to it, if that was read already."""
    make = staff_report if reads_as_staff(viewer) else student_report
    return make(session, submission, read=read)


def reports(
    session: Session, submissions: Sequence[Submission], viewer: Access
) -> tuple[SubmissionReport, ...]:
    """The reports of many for this viewer; what belongs to them is read together."""
    if not reads_as_staff(viewer):
        return student_reports(session, submissions)
    read = stored.read(session, submissions, staff=True)
    return tuple(staff_report(session, each, read=read) for each in submissions)


def student_reports(
    session: Session, submissions: Sequence[Submission]
) -> tuple[SubmissionReport, ...]:
    """Many submissions as their teams may see them."""
    read = stored.read(session, submissions)
    return tuple(student_report(session, each, read=read) for each in submissions)


def reads_as_staff(viewer: Access) -> bool:
    """Staff see everything of their course; the baseline account sees its own hand-ins so, since
    the rerun compares both splits."""
    return viewer.is_staff or viewer.role is Role.BASELINE


def student_report(
    session: Session, submission: Submission, *, read: Stored | None = None
) -> SubmissionReport:
    """A submission as its team may see it. Pages, API and event streams use this.

    Scores go as far as the assignment's `feedback` and `public_board` allow.
    """
    read = read or stored.read(session, [submission])
    assignment, evaluation = submission.assignment, read.evaluation(submission)
    verdict = grader.Verdict(submission.verdict) if submission.verdict else None
    case = read.cases.get(submission.id)
    return SubmissionReport(
        id=submission.public_id,
        assignment=assignment.slug,
        assignment_title=assignment.title,
        course=assignment.course.code,
        time_zone=assignment.course.time_zone,
        team=submission.team.name,
        kind=submission.kind,
        filename=submission.filename,
        size_bytes=submission.size_bytes,
        message=submission.message,
        status=submission.status,
        phase=cast(Phase, submission.phase),
        verdict=submission.verdict,
        verdict_title=verdict.title if verdict else "",
        verdict_owner=verdict.whose if verdict else None,
        detail=evaluation.detail if evaluation else "",
        detail_said=evaluation.detail_said if evaluation else None,
        failed_in=evaluation.failed_in if evaluation else None,
        problems=submission.problems,
        flags=evidence.for_students(flags_of(assignment, submission.kind, evaluation)),
        metric=assignment.metric,
        public=_visible(session, submission, read, Split.PUBLIC),
        private=_visible(session, submission, read, Split.PRIVATE),
        queue=_queue(session, submission, read.ahead),
        retry=retries.state_of(submission),
        can_cancel=cancelling.may_cancel(submission, is_staff=False),
        quota=read.quota(submission),
        sample_log=read.logs.get(submission.id) or (evaluation.sample_log if evaluation else ""),
        timing=_timing(evaluation),
        facts=_facts(assignment, evaluation),
        upload_started_at=submission.upload_started_at,
        accepted_at=submission.accepted_at,
        finished_at=submission.finished_at,
        is_late=is_late(assignment, submission.team, submission.upload_started_at),
        days_late=submission.days_late,
        late_days_spent=submission.late_days_spent,
        penalty_days=lateness.penalty_days(submission),
        counted=submission.counted,
        is_final_pick=submission.is_final_pick,
        voided=_voided(submission, case),
        case=case.id if case else None,
        claims=submission.claims,
        declared=cast("list[Declared] | None", submission.declared),
        claim_findings=_claim_findings(submission, read),
        receipt=submission.receipt,
        revision=submission.revision,
    )


def staff_report(
    session: Session, submission: Submission, *, read: Stored | None = None
) -> StaffReport:
    """The same with both splits in full, the person, the history, and the flags for staff only;
    `facts.order_seed` is what the last run's secret order was drawn with."""
    read = read or stored.read(session, [submission], staff=True)
    evaluation = read.evaluation(submission)
    of_team = student_report(session, submission, read=read)
    return StaffReport(
        **{
            **vars(of_team),
            "public": scores.whole(session, read.score(submission, Split.PUBLIC)),
            "private": scores.whole(session, read.score(submission, Split.PRIVATE)),
            "timing": dict(evaluation.timing) if evaluation else {},
            "facts": dict(evaluation.facts) if evaluation else {},
            "flags": flags_of(submission.assignment, submission.kind, evaluation),
            "can_cancel": cancelling.may_cancel(submission, is_staff=True),
        },
        user=Person(name=submission.user.name, email=submission.user.address),
        failed_attempts=submission.failed_attempts,
        evaluations=tuple(map(_entry, read.histories.get(submission.id, ()))),
    )


def pulse(session: Session, submission: Submission) -> Pulse:
    """What of a report changes while it is waited for."""
    return Pulse(
        revision=submission.revision,
        status=submission.status,
        phase=cast(Phase, submission.phase),
        queue=_queue(session, submission),
        log=live_logs.read(session, [submission]).get(submission.id, ""),
    )


def _entry(evaluation: Evaluation) -> EvaluationEntry:
    return EvaluationEntry(
        number=evaluation.number,
        cause=evaluation.cause,
        verdict=evaluation.verdict,
        fault=evaluation.facts.get(publishing.FAULT, ""),
        created_at=evaluation.created_at,
        code_version=evaluation.code_version,
        environment=evaluation.environment,
        answers_sha256=evaluation.answers_sha256,
        predictions_sha256=evaluation.predictions_sha256,
    )


def _visible(session: Session, submission: Submission, read: Stored, split: Split) -> Score | None:
    """The public score, and the private one once it is released."""
    if split is Split.PRIVATE and submission.assignment.released_at is None:
        return None
    row = read.score(submission, split)
    return scores.visible(session, submission.assignment, row) if row else None


def _voided(submission: Submission, case: Case | None) -> Voided | None:
    if submission.voided_at is None:
        return None
    reasons = [each.text for each in case.entries if each.step is Step.VOIDED] if case else []
    return Voided(at=submission.voided_at, reason=reasons[-1] if reasons else "")


def _claim_findings(submission: Submission, read: Stored) -> tuple[ClaimFinding, ...]:
    """The team's claims held against what it may see: a public score in full, later the private.

    Where the board keeps figures back, so do the findings: they would give them away.
    """
    scoring = catalog.rules(submission.assignment).scoring
    is_released = submission.assignment.released_at is not None
    if not submission.claims or not (
        is_released or (scoring.public_board == "exact" and scoring.feedback != "aggregate")
    ):
        return ()
    wanted = (Split.PRIVATE, Split.PUBLIC) if is_released else (Split.PUBLIC,)
    rows = [row for split in wanted if (row := read.score(submission, split)) is not None]
    if not rows:
        return ()
    found = claims.findings(submission.claims, *(row.report for row in rows))
    return tuple(ClaimFinding(**each.as_dict()) for each in found)


def _queue(
    session: Session, submission: Submission, ahead: Mapping[int, int] | None = None
) -> QueuePlace | None:
    if submission.status is not SubmissionStatus.QUEUED:
        return None
    lane = submission.lane or fair_share.lane_of(submission.assignment, submission.kind)
    capacity = workers.capacity(session, lane, now=utcnow(), dead_after_seconds=60)
    place = estimates.position(session, submission, capacity=capacity, ahead=ahead)
    if place is None:
        return None
    return QueuePlace(
        place=place.place,
        eta_seconds=place.eta_seconds if capacity else None,
        nobody=None if capacity else lane,
    )


def _timing(evaluation: Evaluation | None) -> dict[str, int]:
    """What a run took, rounded up: exact times of a hidden run could carry out what it saw."""
    facts = evaluation.facts if evaluation else {}
    found = {}
    if "wall_seconds" in facts:
        found["wall_seconds"] = math.ceil(facts["wall_seconds"])
    if "peak_memory_mb" in facts:
        steps = math.ceil(facts["peak_memory_mb"] / _MEMORY_STEP_MB)
        found["peak_memory_mb"] = steps * _MEMORY_STEP_MB
    return found


def _facts(assignment: Assignment, evaluation: Evaluation | None) -> dict[str, float]:
    """What the model costs, coarse as well."""
    wants_speed = efficiency.TIMED in catalog.rules(assignment).scoring.efficiency
    told = ("parameters", "checkpoint_mb", *([efficiency.TIMED] if wants_speed else []))
    return efficiency.coarse(evaluation.facts if evaluation else {}, told)
