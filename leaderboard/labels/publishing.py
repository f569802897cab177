"""Who would move by the decisions that wait; then the corrected answers, and everybody's score."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

import grader
from grader.words.message import said
from leaderboard import audit
from leaderboard.assignments import editions
from leaderboard.assignments.changes import Changes
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.evaluations import rescoring
from leaderboard.evaluations.rescoring import Move, Progress
from leaderboard.labels import deciding
from leaderboard.labels.corrected import corrected
from leaderboard.models import Assignment, Rescore, Split, User
from leaderboard.state import State


def show(session: Session, assignment: Assignment, *, actor: User) -> None:
    """Note that somebody is about to see who would move by the decisions that wait.

    Opens its own write transaction.

    Raises:
        NotAllowedNow: no decision waits.
    """
    with writing(session):
        deciding.hold(session, assignment)
        decisions = deciding.waiting(session, assignment)
        if not decisions:
            raise NotAllowedNow(said("label.nothing_waits"))
        for each in decisions:
            if each.shown_at is None:
                each.shown_at = utcnow()
        session.flush()
        audit.record(
            session,
            action="label.preview",
            subject=f"assignment:{assignment.id}",
            course=assignment.course,
            actor=actor,
            details={"decisions": [each.id for each in decisions]},
        )


def moves(
    session: Session, state: State, assignment: Assignment, progress: Progress
) -> Mapping[Split, list[Move]]:
    """Who would move on which board. Changes nothing; see `rescoring.preview`.

    Raises:
        NotAllowedNow: who would move is to be asked for first (`show`); or the answers are others.
    """
    decisions = deciding.waiting(session, assignment)
    if not decisions or any(each.shown_at is None for each in decisions):
        raise NotAllowedNow(said("label.not_shown"))
    with corrected(state, assignment, decisions) as folder:
        edition = grader.Assignment.load(folder)
        return {
            split: rescoring.preview(session, state, assignment, split, progress, edition=edition)
            for split in Split
        }


def changes(session: Session, state: State, assignment: Assignment) -> Changes:
    """What publishing the decisions that wait would change for those who have handed in.

    Raises:
        NotAllowedNow: the answers are no longer those that were decided about.
    """
    decisions = deciding.waiting(session, assignment)
    with corrected(state, assignment, decisions) as folder:
        return editions.changes(session, state, folder, assignment.course)


def publish(
    session: Session, state: State, assignment: Assignment, *, seen: str, actor: User
) -> Rescore:
    """Publish the answers with all decisions that wait, as a new edition, and queue the rescore.

    Whoever moves is told when that is over. `seen`: the edition (its folder's hash) that the reader
    decided about.

    Raises:
        NotAllowedNow: nothing waits, who would move was not looked at, a second person has not
            confirmed, a rescore goes on, or the assignment was published anew meanwhile.
        BadRequest: the answers would not be fit to be published.
    """
    session.refresh(assignment)
    decisions = deciding.waiting(session, assignment)
    if seen != assignment.folder_sha256:
        raise NotAllowedNow(said("label.published_meanwhile"))
    if not decisions or any(each.shown_at is None for each in decisions):
        raise NotAllowedNow(said("label.not_shown"))
    if deciding.needs_confirming(assignment) and not all(each.confirmed_at for each in decisions):
        raise NotAllowedNow(said("label.not_confirmed"))
    if rescoring.current(session, assignment) is not None:
        raise NotAllowedNow(said("assignment.rescoring"))
    with corrected(state, assignment, decisions) as folder:
        try:
            editions.publish(session, state, folder, assignment.course, actor=actor)
        except grader.AssignmentError as error:
            raise BadRequest(said("label.unfit", problems="; ".join(error.problems))) from error
    with writing(session):
        now = utcnow()
        for each in decisions:
            each.published_at = now
        session.flush()
        for each in decisions:
            deciding.record(session, "publish", each, actor)
    return rescoring.start(session, state, assignment, actor=actor)
