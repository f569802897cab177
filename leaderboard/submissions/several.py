"""What the teaching team does to several submissions at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.db import writing
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.messages import notifications
from leaderboard.models import Assignment, Cause, Submission, TeamMember, User
from leaderboard.state import State
from leaderboard.submissions import accept, cancelling

MOST: Final = 50
LONGEST: Final = 2000


def chosen(
    session: Session, assignment: Assignment, public_ids: Sequence[str]
) -> Sequence[Submission]:
    """Those of an assignment's submissions that are named.

    Raises:
        BadRequest: none is, or too many are.
    """
    wanted = list(dict.fromkeys(public_ids))
    if len(wanted) > MOST:
        raise BadRequest(said("several.too_many", most=MOST))
    found = session.scalars(
        sa.select(Submission)
        .where(Submission.assignment_id == assignment.id, Submission.public_id.in_(wanted))
        .order_by(Submission.id)
    ).all()
    if not found:
        raise BadRequest(said("several.none"))
    return found


def judge_again(
    session: Session,
    state: State,
    submissions: Sequence[Submission],
    *,
    cause: Cause,
    actor: User | None,
) -> int:
    """Judge each again that can be; how many are. Opens a write transaction for each."""
    count = 0
    for each in submissions:
        try:
            accept.rejudge(session, state, each, cause=cause, actor=actor)
        except NotAllowedNow:
            continue  # it is not finished, or has nothing stored
        count += 1
    return count


def cancel(session: Session, submissions: Sequence[Submission], *, actor: User | None) -> int:
    """Withdraw each that waits or runs; how many. Opens a write transaction for each."""
    count = 0
    for each in submissions:
        if cancelling.may_cancel(each, is_staff=True):
            try:
                cancelling.cancel(session, each, actor=actor, is_staff=True)
            except NotAllowedNow:
                continue  # its result was there first
            count += 1
    return count


def write_to(
    session: Session, submissions: Sequence[Submission], text: str, *, actor: User | None
) -> int:
    """Tell the members of the submissions' teams something, in the page and by mail; how many.

    A person is told once, however many of theirs are chosen. Opens its own write transaction.

    Raises:
        BadRequest: there is no text, or too much.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise BadRequest(said("several.text", most=LONGEST))
    assignment = submissions[0].assignment
    with writing(session):
        teams = {each.team_id for each in submissions}
        people = session.scalars(
            sa.select(User)
            .join(TeamMember, TeamMember.user_id == User.id)
            .where(TeamMember.team_id.in_(teams))
            .order_by(User.id)
        ).all()
        event = audit.record(
            session,
            action="assignment.write",
            subject=f"assignment:{assignment.id}",
            course=assignment.course,
            actor=actor,
            details={"teams": sorted(teams), "people": len(people)},
        )
        notifications.tell_words(session, assignment, people, text, number=event.number)
    return len(people)
