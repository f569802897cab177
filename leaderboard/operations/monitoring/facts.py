"""How the server is at this moment: queue, workers, failures of ours, disk, backups, baselines.

All but disk and backup is asked of the database, so that each process says the same.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader import Verdict
from leaderboard.db import utcnow
from leaderboard.evaluations.publishing import FAULT
from leaderboard.models import (
    AuditEvent,
    Cause,
    Evaluation,
    Lane,
    NightlyRun,
    Submission,
    SubmissionStatus,
)
from leaderboard.operations import backup as backups
from leaderboard.queue import workers
from leaderboard.state import State

LATELY: Final = timedelta(hours=1)
_NEWEST: Final = 5_000  # evaluations among which failures are looked for
_TOLD = re.compile(r"(\w+): ")
_LOST: Final = "it ended without a verdict"
# what a failure's class is called: a few words, whatever programs raise
_CAUSES: Final[Mapping[str, str]] = {
    "StartFailed": "sandbox",
    "SandboxUnavailable": "sandbox",
    "PlatformFault": "platform",
    "BlobMissing": "files",
    "BlobDamaged": "files",
    "BlobsAway": "files",
    "OSError": "system",
    "MemoryError": "system",
    "OperationalError": "database",
}
FAULT_CAUSES: Final = (*dict.fromkeys(_CAUSES.values()), "lost", "other")


@dataclass(frozen=True, kw_only=True)
class LaneFacts:
    """One lane: what waits and runs, how long the oldest hand-in waits, who could take it."""

    waiting: int
    running: int
    oldest_seconds: float
    workers: int


@dataclass(frozen=True, kw_only=True)
class BackupFacts:
    """The last backup of this machine: its age, the server's where none was made; whether a later
    one failed."""

    age_seconds: float
    failed: bool


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything looked at. `backup` is None on a machine that isn't the one which makes them;
    `drifted` where the baselines are not handed in again at night."""

    lanes: Mapping[Lane, LaneFacts]
    warm_sandboxes: int
    faults_lately: Mapping[str, int]
    disk_free_bytes: int
    disk_limit_bytes: int
    backup: BackupFacts | None
    drifted: bool | None


def look(session: Session, state: State) -> Facts:
    """Everything at once. Reads only."""
    now = utcnow()
    live = workers.live(session, now=now, dead_after_seconds=state.settings.dead_after_seconds)
    able = Counter(lane for worker in live for lane in worker.facts.get("lanes", ()))
    free = min(state.blobs.free_bytes(), shutil.disk_usage(state.settings.state_dir).free)
    return Facts(
        lanes=_lanes(session, now, able),
        warm_sandboxes=sum(worker.facts.get(workers.WARM, 0) for worker in live),
        faults_lately=_faults(session, now),
        disk_free_bytes=free,
        disk_limit_bytes=state.settings.min_free_mb << 20,
        backup=_backup(session, state, now),
        drifted=_drifted(session, state),
    )


def fault_cause(facts: Mapping[str, object]) -> str:
    """One of FAULT_CAUSES, from what an IE's evaluation keeps of its failure.

    >>> fault_cause({"fault": "StartFailed: no namespace"})
    'sandbox'
    >>> fault_cause({"fault": "it ended without a verdict"})
    'lost'
    """
    reason = str(facts.get(FAULT, ""))
    if reason == _LOST:
        return "lost"
    named = _TOLD.match(reason)
    return _CAUSES.get(named[1], "other") if named else "other"


def _lanes(session: Session, now: datetime, able: Mapping[str, int]) -> dict[Lane, LaneFacts]:
    rows = session.execute(
        sa.select(Submission.lane, Submission.status, sa.func.count())
        .where(Submission.status.in_((SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)))
        .group_by(Submission.lane, Submission.status)
    )
    counted = {(lane, status): count for lane, status, count in rows}
    # of a hand-in alone it is known when it was queued
    oldest = dict(
        session.execute(
            sa.select(Submission.lane, sa.func.min(Submission.accepted_at))
            .where(
                Submission.status == SubmissionStatus.QUEUED,
                Submission.evaluation_cause == Cause.HAND_IN,
            )
            .group_by(Submission.lane)
        ).all()
    )
    return {
        lane: LaneFacts(
            waiting=counted.get((lane, SubmissionStatus.QUEUED), 0),
            running=counted.get((lane, SubmissionStatus.RUNNING), 0),
            oldest_seconds=max(0.0, (now - oldest.get(lane, now)).total_seconds()),
            workers=able.get(lane.value, 0),
        )
        for lane in Lane
    }


def _faults(session: Session, now: datetime) -> dict[str, int]:
    newest = session.scalar(sa.select(sa.func.max(Evaluation.id))) or 0
    found = session.scalars(
        sa.select(Evaluation.facts).where(
            Evaluation.id > newest - _NEWEST,
            Evaluation.verdict == Verdict.IE.value,
            Evaluation.created_at > now - LATELY,
        )
    )
    counted = Counter(fault_cause(facts) for facts in found)
    return {cause: counted.get(cause, 0) for cause in FAULT_CAUSES}


def _backup(session: Session, state: State, now: datetime) -> BackupFacts | None:
    last, failed = backups.last(state), backups.has_failed(state)
    if last is None and not failed and not state.database.is_sqlite:
        return None  # another machine makes them
    since = _first_event(session, now) if last is None else last.made_at
    return BackupFacts(
        age_seconds=max(0.0, (now - since).total_seconds()),
        failed=failed or bool(last and last.bad),
    )


def _first_event(session: Session, now: datetime) -> datetime:
    """Since when there is anything to lose."""
    first = sa.select(AuditEvent.at).order_by(AuditEvent.id).limit(1)
    return session.scalar(first) or now


def _drifted(session: Session, state: State) -> bool | None:
    """Whether the last rerun of the baselines that ended says that something moved, or failed."""
    if not state.settings.nightly_command:
        return None
    last = session.scalar(
        sa.select(NightlyRun.exit_code)
        .where(NightlyRun.exit_code.is_not(None))
        .order_by(NightlyRun.id.desc())
        .limit(1)
    )
    return bool(last)
