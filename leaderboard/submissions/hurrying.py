"""The teaching team puts a submission that waits before all others."""

from __future__ import annotations

from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.db import writing
from leaderboard.errors import NotAllowedNow
from leaderboard.models import Submission, SubmissionStatus, User
from leaderboard.state import State


def put_first(
    session: Session, state: State, submission: Submission, *, actor: User | None
) -> None:
    """Have it taken next in its lane. Opens its own write transaction.

    Raises:
        NotAllowedNow: it does not wait.
    """
    with writing(session):
        found = session.get_one(Submission, submission.id, with_for_update=True)
        if found.status is not SubmissionStatus.QUEUED:
            raise NotAllowedNow(said("submission.not_queued"))
        state.queue.put_first(session, found)
        audit.record(
            session,
            action="submission.first",
            subject=found.public_id,
            course=found.assignment.course,
            actor=actor,
            details={"evaluation": found.evaluation_number},
        )
