"""A label is decided from the picture: before anybody is shown who would move by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

import grader
from grader.assignments.answers import absent_classes, answer_key
from grader.words.message import said
from leaderboard import audit
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.labels.corrected import check_current, labels_of
from leaderboard.models import Assignment, LabelChoice, LabelDecision, User
from leaderboard.rules import schedule, second_person
from leaderboard.state import State

LONGEST_REASON: Final = 1000


def decide(
    session: Session,
    state: State,
    assignment: Assignment,
    image: str,
    choice: LabelChoice,
    *,
    label: str | None = None,
    reason: str,
    actor: User,
) -> LabelDecision:
    """Say what an image shows, or that it counts in nobody's score, with a reason for the others.

    A label that the image has already keeps it. Opens its own write transaction.

    Raises:
        BadRequest: there is no such image, class or reason; or a split would be left without a
            class.
        NotAllowedNow: the image is decided already, and not published yet.
    """
    key = state.catalog.load(assignment).answer_key()
    before = labels_of(key).get(image)
    if before is None:
        raise BadRequest(said("label.no_image", image=repr(image)))
    if choice is LabelChoice.RELABEL and label not in key.classes:
        raise BadRequest(said("label.no_class"))
    if choice is LabelChoice.RELABEL and label == before:
        choice = LabelChoice.KEEP
    with writing(session):
        hold(session, assignment)
        decisions = waiting(session, assignment)
        if any(each.image == image for each in decisions):
            raise NotAllowedNow(said("label.decided_already", image=repr(image)))
        made = LabelDecision(
            assignment_id=assignment.id,
            image=image,
            choice=choice,
            label_before=before,
            label=label if choice is LabelChoice.RELABEL else None,
            reason=_reason(reason),
            decided_by=actor.id,
            decided_at=utcnow(),
        )
        if choice is not LabelChoice.KEEP:
            check_current(key, decisions)
            _check_classes(key, [*decisions, made], assignment, state)
        session.add(made)
        session.flush()
        record(session, "decide", made, actor)
    return made


def confirm(session: Session, found: LabelDecision, *, actor: User) -> None:
    """Confirm another instructor's decision. Opens its own write transaction.

    Raises:
        NotAllowedNow: it doesn't wait, it is one's own, or the only instructor's of today.
    """
    with writing(session):
        _hold_waiting(session, found)
        if found.confirmed_at is not None:
            return
        second_person.check(
            session,
            found.assignment.course_id,
            first=found.decided_by,
            since=found.decided_at,
            actor=actor,
        )
        found.confirmed_by, found.confirmed_at = actor.id, utcnow()
        session.flush()
        record(session, "confirm", found, actor)


def drop(session: Session, found: LabelDecision, reason: str, *, actor: User) -> None:
    """Take back a decision that is not published; the log says whether who would move was seen.

    Opens its own write transaction.

    Raises:
        BadRequest: no reason.
        NotAllowedNow: it doesn't wait.
    """
    why = _reason(reason)
    with writing(session):
        _hold_waiting(session, found)
        found.dropped_by, found.dropped_at = actor.id, utcnow()
        found.reason = f"{found.reason}\n— {why}"
        session.flush()
        record(session, "drop", found, actor)


def waiting(session: Session, assignment: Assignment) -> Sequence[LabelDecision]:
    """The decisions that change something and are not published, oldest first."""
    return session.scalars(
        sa.select(LabelDecision)
        .where(LabelDecision.assignment_id == assignment.id, *_WAITS)
        .order_by(LabelDecision.id)
    ).all()


def of_assignment(session: Session, assignment: Assignment) -> Sequence[LabelDecision]:
    """Every decision about an assignment's labels that was not taken back, newest first."""
    return session.scalars(
        sa.select(LabelDecision)
        .where(LabelDecision.assignment_id == assignment.id, LabelDecision.dropped_at.is_(None))
        .order_by(LabelDecision.id.desc())
    ).all()


def one(session: Session, assignment: Assignment, number: int) -> LabelDecision:
    """A decision of an assignment by its number.

    Raises:
        NotFound: there is none.
    """
    found = session.get(LabelDecision, number)
    if found is None or found.assignment_id != assignment.id:
        raise NotFound
    return found


def needs_confirming(assignment: Assignment) -> bool:
    """Whether a second person looks at decisions: from the moment that the assignment is due."""
    early = (schedule.Phase.UPCOMING, schedule.Phase.OPEN)
    return schedule.phase(assignment, None, utcnow()) not in early


def is_waiting(found: LabelDecision) -> bool:
    """Whether it changes something and is neither published nor taken back."""
    is_over = found.published_at is not None or found.dropped_at is not None
    return found.choice is not LabelChoice.KEEP and not is_over


def hold(session: Session, assignment: Assignment) -> None:
    """Keep others from deciding or publishing until the transaction ends."""
    session.flush()
    session.refresh(assignment, with_for_update={"key_share": True})


def record(session: Session, step: str, about: LabelDecision, actor: User | None) -> None:
    """Tell the course's log of a step; the label itself stays out of it, as the log is read by
    assistants too."""
    audit.record(
        session,
        action=f"label.{step}",
        subject=f"label:{about.id}",
        course=about.assignment.course,
        actor=actor,
        details={
            "assignment": about.assignment_id,
            "image": about.image,
            "choice": about.choice.value,
            "moves_seen": about.shown_at is not None,
        },
    )


_WAITS: Final = (
    LabelDecision.choice != LabelChoice.KEEP,
    LabelDecision.dropped_at.is_(None),
    LabelDecision.published_at.is_(None),
)


def _hold_waiting(session: Session, found: LabelDecision) -> None:
    hold(session, found.assignment)
    session.refresh(found)
    if not is_waiting(found):
        raise NotAllowedNow(said("label.not_waiting"))


def _reason(text: str) -> str:
    reason = text.strip()
    if not reason:
        raise BadRequest(said("label.no_reason"))
    if len(reason) > LONGEST_REASON:
        raise BadRequest(said("label.long_reason", most=LONGEST_REASON))
    return reason


def _check_classes(
    key: grader.AnswerKey,
    decisions: Sequence[LabelDecision],
    assignment: Assignment,
    state: State,
) -> None:
    """Refuse what would leave a split without a class, as publishing would."""
    wanted = {each.image: each for each in decisions}
    gone = {each.image for each in decisions if each.choice is LabelChoice.WITHDRAW}
    labels = key.labels.copy()
    for row, image in enumerate(key.ids):
        if image in wanted and wanted[image].label is not None:
            labels[row] = key.classes.index(str(wanted[image].label))
    stay = np.array([image not in gone for image in key.ids])
    ids = tuple(image for image in key.ids if image not in gone)
    after = answer_key(ids, labels[stay], key.public[stay], key.classes)
    problems = absent_classes(after, allowed=state.catalog.load(assignment).allow_absent)
    if problems:
        raise BadRequest(problems[0])
