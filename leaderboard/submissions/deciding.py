"""What decides about a hand-in, read inside the accepting transaction: few statements, each made
once, as putting one together takes longer than asking it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager

from grader.words.message import said
from leaderboard.accounts import courses
from leaderboard.db import utcnow
from leaderboard.errors import NotAllowedNow
from leaderboard.models import Assignment, Course, Kind, Submission, Team, Upload, User
from leaderboard.queue import fair_share
from leaderboard.queue.fair_share import Neighbours
from leaderboard.rules import quotas
from leaderboard.rules.quotas import Spent

_TWIN = (
    sa.select(Submission.public_id)
    .where(
        Submission.assignment_id == sa.bindparam("assignment"),
        Submission.team_id == sa.bindparam("team"),
        Submission.content_sha256 == sa.bindparam("sha256"),
    )
    .limit(1)
    .scalar_subquery()
)
# several rows where the team has several extensions
_INVOLVED = (
    sa.select(Team, Assignment, Course, User, _TWIN.label("twin"))
    .select_from(Team)
    .join(Assignment, Assignment.id == sa.bindparam("assignment"))
    .join(Course, Course.id == Assignment.course_id)
    .join(User, User.id == sa.bindparam("user"))
    .outerjoin(Team.extensions)
    .options(contains_eager(Team.extensions))
    .where(Team.id == sa.bindparam("team"))
)
_STANDING = sa.select(*quotas.USED_AND_FREE, *fair_share.ABOUT_TAGS)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a team has used of its day, and what else waits in the queue."""

    spent: Spent
    neighbours: Neighbours


@dataclass(frozen=True, kw_only=True)
class Involved:
    """What a hand-in is about, by ids: in a new transaction its rows are still to be read."""

    team: int
    assignment: int
    user: int
    sha256: str


def hold(session: Session, involved: Involved) -> str | None:
    """Read anew everything that rules are about, the team's extensions too, and hold the team.

    Gives the public id of an earlier submission of the same bytes, if there is one.
    """
    # before anything is read: what a statement sees is older than the lock that it waits for
    courses.hold_team(session, involved.team)
    twin: str | None = session.execute(_INVOLVED, vars(involved)).unique().one().twin
    return twin


def twin_of(
    session: Session, assignment: Assignment, team: Team, sha256: str, *, key: str = ""
) -> Submission | None:
    """The team's newest submission of the same bytes that was charged, but for the one of this key:
    sent twice it is one. Reads only."""
    same = sa.select(Submission).where(
        Submission.assignment_id == assignment.id,
        Submission.team_id == team.id,
        Submission.content_sha256 == sha256,
        Submission.counted,
        sa.func.coalesce(Submission.idempotency_key, "") != key,
    )
    return session.scalars(same.order_by(Submission.id.desc()).limit(1)).first()


def close(session: Session, upload_id: int) -> None:
    """Close a commitment that becomes a submission.

    Raises:
        NotAllowedNow: it was closed meanwhile.
    """
    still_open = sa.update(Upload).where(Upload.id == upload_id, Upload.closed_at.is_(None))
    closed = session.execute(still_open.values(closed_at=utcnow()).returning(Upload.id))
    if closed.first() is None:
        raise NotAllowedNow(said("upload.closed"))


def standing(
    session: Session, assignment: Assignment, team: Team, person: User, kind: Kind, at: datetime
) -> Standing:
    """What is left of the day of a person's hand-in of this moment, and who waits beside it."""
    asked = {
        **quotas.asked(assignment, team, at),
        "person": person.id,
        **fair_share.asked(assignment, team, fair_share.lane_of(assignment, kind)),
    }
    used, free, *others = session.connection().execute(_STANDING, asked).one()
    return Standing(
        spent=Spent(used=int(used), free=free), neighbours=fair_share.neighbours(others)
    )
