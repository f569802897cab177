"""In which order waiting work is taken: no team starves another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.models import Assignment, Cause, Kind, Lane, Submission, SubmissionStatus, Team
from leaderboard.rules import catalog

FIRST = 0
"""The tag of what the teaching team puts first: of no class, so that no other tag follows it."""

LAST = 2_100_000_000
"""The tag of what is done when nothing else waits: above all classes of work."""

_CLASS_SIZE = 500_000_000  # tags of one class of work; four classes fit DBOS's 31 bits
_STEPS = 8  # of two with one tag the one goes first whose team has less waiting
_LOOK_AHEAD = 500
_WAITING = (SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)
# The statements are made once: putting one together takes longer than asking it.
_SAME_CLASS = (
    Submission.lane == sa.bindparam("lane", type_=Submission.lane.type),
    Submission.priority >= sa.bindparam("low"),
    Submission.priority < sa.bindparam("high"),
    Submission.id != sa.bindparam("itself"),
)
_OWN = (Submission.team_id == sa.bindparam("team"), Submission.status.in_(_WAITING))
# looked for among those that go next, so that it costs no more in a long queue than in a short one
_NEXT_ONES = (
    sa.select(Submission.team_id, Submission.assignment_id)
    .where(Submission.status == SubmissionStatus.QUEUED, *_SAME_CLASS)
    .order_by(Submission.priority)
    .limit(_LOOK_AHEAD)
    .subquery()
)
# the columns of `Neighbours`, for statements that ask for more (submissions/deciding.py)
ABOUT_TAGS = (
    sa.select(sa.func.max(Submission.priority))
    .where(Submission.status == SubmissionStatus.RUNNING, *_SAME_CLASS)
    .scalar_subquery(),
    sa.select(sa.func.min(Submission.priority))
    .where(Submission.status == SubmissionStatus.QUEUED, *_SAME_CLASS)
    .scalar_subquery(),
    sa.select(sa.func.max(Submission.priority)).where(*_OWN, *_SAME_CLASS).scalar_subquery(),
    sa.select(sa.func.count()).where(*_OWN, *_SAME_CLASS).scalar_subquery(),
    sa.select(sa.func.count(sa.distinct(_NEXT_ONES.c.team_id)))
    .join(Assignment, Assignment.id == _NEXT_ONES.c.assignment_id)
    .where(
        Assignment.course_id == sa.bindparam("course"),
        _NEXT_ONES.c.team_id != sa.bindparam("team"),
    )
    .scalar_subquery(),
)
_ABOUT_TAGS = sa.select(*ABOUT_TAGS)


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """What else is in a lane, of one class: tags, and what waits."""

    running: int | None  # the largest tag that is served
    queued: int | None  # the smallest that waits
    own: int | None  # the team's own last
    own_count: int
    teams: int  # others of the course that wait


def neighbours(row: Sequence[Any]) -> Neighbours:
    """Read the columns of ABOUT_TAGS."""
    running, queued, own, own_count, teams = row
    return Neighbours(running=running, queued=queued, own=own, own_count=own_count, teams=teams)


def asked(
    assignment: Assignment,
    team: Team,
    lane: Lane,
    cause: Cause = Cause.HAND_IN,
    *,
    itself: int = 0,
) -> dict[str, Any]:
    """What ABOUT_TAGS is asked with: about a lane, from the view of one who is to wait there."""
    base = _base(team, cause)
    return {
        "lane": lane,
        "low": base,
        "high": base + _CLASS_SIZE,
        "itself": itself,
        "team": team.id,
        "course": assignment.course_id,
    }


def lane_of(assignment: Assignment, kind: Kind, cause: Cause = Cause.HAND_IN) -> Lane:
    """Which queue an evaluation waits in. A rescore reads stored predictions: any worker can."""
    if kind is Kind.CSV or cause is Cause.RESCORE:
        return Lane.CSV
    return Lane.GPU if catalog.rules(assignment).limits.gpu_memory_mb > 0 else Lane.CODE


def find_neighbours(
    session: Session, submission: Submission, lane: Lane, cause: Cause
) -> Neighbours:
    """Who waits beside a submission that is about to."""
    about = asked(submission.assignment, submission.team, lane, cause, itself=submission.id or 0)
    return neighbours(session.execute(_ABOUT_TAGS, about).one())


def tag_of(team: Team, cause: Cause, beside: Neighbours) -> int:
    """The fair-share tag: hand-ins, their retries, rejudges, baselines; within, as above."""
    base = _base(team, cause)
    serving = ((beside.running or beside.queued or base) - base) // _STEPS
    first = serving + beside.teams
    slot = max(first, (beside.own - base) // _STEPS + 1) if beside.own else first
    return base + min(slot * _STEPS + min(beside.own_count, _STEPS - 1), _CLASS_SIZE - 1)


def _base(team: Team, cause: Cause) -> int:
    """The smallest tag of a class of work."""
    classes = {Cause.HAND_IN: 0, Cause.RETRY: 1}
    return 1 + _CLASS_SIZE * (3 if team.is_baseline else classes.get(cause, 2))
