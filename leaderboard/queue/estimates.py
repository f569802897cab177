"""Where a submission stands in the queue and how long it will take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from leaderboard.models import Submission, SubmissionStatus
from leaderboard.queue.fair_share import _WAITING
from leaderboard.recent import recently

_NEWEST = 300  # submissions that an estimate is made from
_ESTIMATE_SECONDS = 2.0  # so old it may be: in a rush every hand-in would ask anew
_BEFORE = (
    sa.select(sa.func.count())
    .select_from(Submission)
    .where(
        Submission.status == SubmissionStatus.QUEUED,
        Submission.lane == sa.bindparam("lane", type_=Submission.lane.type),
        sa.or_(
            Submission.priority < sa.bindparam("priority"),
            sa.and_(
                Submission.priority == sa.bindparam("priority"),
                Submission.id < sa.bindparam("itself"),
            ),
        ),
    )
)
_OTHER = aliased(Submission)
_BEFORE_EACH = sa.select(
    Submission.id,
    sa.select(sa.func.count())
    .select_from(_OTHER)
    .where(
        _OTHER.status == SubmissionStatus.QUEUED,
        _OTHER.lane == Submission.lane,
        sa.or_(
            _OTHER.priority < Submission.priority,
            sa.and_(_OTHER.priority == Submission.priority, _OTHER.id < Submission.id),
        ),
    )
    .correlate(Submission)
    .scalar_subquery(),
).where(Submission.id.in_(sa.bindparam("these", expanding=True)))
_NEWEST_ONES = sa.select(Submission.id).order_by(Submission.id.desc()).limit(_NEWEST).subquery()
_DURATIONS = (
    sa.select(Submission.started_at, Submission.finished_at)
    .join(_NEWEST_ONES, _NEWEST_ONES.c.id == Submission.id)
    .where(
        Submission.assignment_id == sa.bindparam("assignment"),
        Submission.kind == sa.bindparam("kind", type_=Submission.kind.type),
        Submission.status == SubmissionStatus.FINISHED,
        Submission.started_at.is_not(None),
    )
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a queued submission stands: 1 is next. `eta_seconds` is None where nothing is known."""

    place: int
    eta_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Health:
    """What waits and what runs, and since when the longest wait lasts."""

    queued: int
    running: int
    oldest_queued_at: datetime | None


def before(session: Session, submissions: Iterable[Submission]) -> dict[int, int]:
    """How many go before each of those that are queued, by its number. Reads only."""
    queued = [each for each in submissions if each.status is SubmissionStatus.QUEUED]
    if len(queued) > 1:
        rows = session.execute(_BEFORE_EACH, {"these": [each.id for each in queued]})
        return dict(rows.all())
    return {each.id: _before_one(session, each) for each in queued}


def _before_one(session: Session, submission: Submission) -> int:
    about = {
        "lane": submission.lane,
        "priority": submission.priority,
        "itself": submission.id,
    }
    return session.connection().execute(_BEFORE, about).scalar_one()


def position(
    session: Session,
    submission: Submission,
    *,
    capacity: int = 1,
    ahead: Mapping[int, int] | None = None,
) -> Place | None:
    """The place of a queued submission; None once it is running or finished. Reads only.

    `eta_seconds` is until its end: what is before it and itself, at the median duration of the
    assignment's last evaluations of this kind, shared by `capacity` evaluations at once. `ahead` is
    what `before` said, for whoever asked already.
    """
    if submission.status is not SubmissionStatus.QUEUED:
        return None
    place = (ahead or before(session, [submission]))[submission.id] + 1
    median = _median_seconds(session, submission)
    if median is None:
        return Place(place=place, eta_seconds=None)
    rounds = -(-place // max(1, capacity))
    return Place(place=place, eta_seconds=round(rounds * median, 1))


def health(session: Session) -> Health:
    """What waits and what runs."""
    counted = dict(
        session.execute(
            sa.select(Submission.status, sa.func.count())
            .where(Submission.status.in_(_WAITING))
            .group_by(Submission.status)
        ).all()
    )
    oldest = session.scalar(
        sa.select(sa.func.min(Submission.accepted_at)).where(
            Submission.status == SubmissionStatus.QUEUED
        )
    )
    return Health(
        queued=counted.get(SubmissionStatus.QUEUED, 0),
        running=counted.get(SubmissionStatus.RUNNING, 0),
        oldest_queued_at=oldest,
    )


def _median_seconds(session: Session, submission: Submission) -> float | None:
    """The median duration of the last like evaluations, looked for among the newest only."""
    like = {"assignment": submission.assignment_id, "kind": submission.kind}

    def ask() -> float | None:
        found = session.execute(_DURATIONS, like).all()
        seconds = sorted((end - start).total_seconds() for start, end in found if start and end)
        return seconds[len(seconds) // 2] if seconds else None

    return recently(session, ("median", *like.values()), ask, seconds=_ESTIMATE_SECONDS)
