"""The queue as a list: whose work, what, since when, where it runs, when it will be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from leaderboard.models import (
    Assignment,
    Cause,
    Course,
    Kind,
    Lane,
    Submission,
    SubmissionStatus,
    Worker,
)
from leaderboard.queue import estimates, workers

SHOWN: Final = 50
_UNDER_WAY: Final = (SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)


@dataclass(frozen=True, kw_only=True)
class StaffJob:
    """One submission that waits or runs.

    `since`: when it began to run, or was handed in; None for what waits to be judged again.
    `place`: 1 is next in its lane, of all courses together.
    """

    submission: str
    what: str
    assignment: str
    assignment_title: str
    team: str
    is_baseline: bool
    person: str
    kind: Kind
    lane: Lane | None
    cause: Cause
    status: SubmissionStatus
    phase: str
    since: datetime | None
    worker: str | None
    place: int | None
    eta_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class StaffWorker:
    """A worker with its last sign of life; `runs` are submissions of any course, by number."""

    name: str
    host: str
    device: str
    version: str
    lanes: tuple[str, ...]
    concurrency: int
    started_at: datetime
    beat_at: datetime
    is_alive: bool
    runs: int


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """What waits and runs in a course, the running first; the workers of the whole server."""

    total: int
    jobs: tuple[StaffJob, ...]
    workers: tuple[StaffWorker, ...]


def jobs(session: Session, course: Course, now: datetime, *, dead_after_seconds: float) -> Jobs:
    """The queue of a course and the server's workers, as many queries as there are lanes."""
    total, found = _under_way(session, course)
    live = workers.live(session, now=now, dead_after_seconds=dead_after_seconds)
    silent = workers.silent(session, now=now, dead_after_seconds=dead_after_seconds)
    every = sorted((*live, *silent), key=lambda each: each.executor_id)
    names = {each.incarnation: each.executor_id for each in every}
    ahead = estimates.before(session, found)
    room = {
        lane: workers.capacity(session, lane, now=now, dead_after_seconds=dead_after_seconds)
        for lane in Lane
    }
    return Jobs(
        total=total,
        jobs=tuple(_job(session, each, names, ahead, room) for each in found),
        workers=_shown(every, {each.id for each in live}, _running(session)),
    )


def _under_way(session: Session, course: Course) -> tuple[int, Sequence[Submission]]:
    of_course = sa.select(Assignment.id).where(Assignment.course_id == course.id)
    which = (Submission.status.in_(_UNDER_WAY), Submission.assignment_id.in_(of_course))
    total = session.scalar(sa.select(sa.func.count()).select_from(Submission).where(*which)) or 0
    found = session.scalars(
        sa.select(Submission)
        .where(*which)
        .options(
            joinedload(Submission.team),
            joinedload(Submission.user),
            joinedload(Submission.assignment),
        )
        .order_by(
            Submission.status.desc(),  # running before queued
            Submission.lane,
            Submission.priority,
            Submission.id,
        )
        .limit(SHOWN)
    ).all()
    return total, found


def _job(
    session: Session,
    found: Submission,
    names: Mapping[str, str],
    ahead: Mapping[int, int],
    room: Mapping[Lane, int],
) -> StaffJob:
    is_queued = found.status is SubmissionStatus.QUEUED
    lane_room = room.get(found.lane, 0) if found.lane else 0
    place = estimates.position(session, found, capacity=lane_room, ahead=ahead)
    is_known = found.started_at is not None or found.evaluation_cause is Cause.HAND_IN
    return StaffJob(
        submission=found.public_id,
        what=found.message or found.filename,
        assignment=found.assignment.slug,
        assignment_title=found.assignment.title,
        team=found.team.name,
        is_baseline=found.team.is_baseline,
        person=found.user.name,
        kind=found.kind,
        lane=found.lane,
        cause=found.evaluation_cause,
        status=found.status,
        phase=found.phase,
        since=(found.started_at or found.accepted_at) if is_known else None,
        worker=None if is_queued else names.get(found.claimed_by or "", found.claimed_by),
        place=place.place if place else None,
        eta_seconds=place.eta_seconds if place and lane_room else None,
    )


def _running(session: Session) -> Mapping[str, int]:
    rows = session.execute(
        sa.select(Submission.claimed_by, sa.func.count())
        .where(Submission.status == SubmissionStatus.RUNNING, Submission.claimed_by.is_not(None))
        .group_by(Submission.claimed_by)
    )
    return {claimed_by: count for claimed_by, count in rows if claimed_by}


def _shown(
    every: Sequence[Worker], alive: set[int], running: Mapping[str, int]
) -> tuple[StaffWorker, ...]:
    return tuple(
        StaffWorker(
            name=each.executor_id,
            host=str(each.facts.get("host", "")),
            device=_device(each.facts),
            version=str(each.facts.get("version", "")),
            lanes=tuple(map(str, each.facts.get("lanes", ()))),
            concurrency=each.concurrency,
            started_at=each.started_at,
            beat_at=each.beat_at,
            is_alive=each.id in alive,
            runs=running.get(each.incarnation, 0),
        )
        for each in every
    )


def _device(facts: Mapping[str, Any]) -> str:
    """What code runs on there: the graphics card's name, or the sandbox's kind; "" for none."""
    described = facts.get("sandbox_facts") or {}
    return str(described.get("gpu") or facts.get("sandbox") or "")
