"""Publishing grades: an act of its own, after the final results; everybody is told once."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.db import utcnow, writing
from leaderboard.errors import NotAllowedNow
from leaderboard.grades import reckoning
from leaderboard.grades.reckoning import PersonGrade
from leaderboard.messages import notifications
from leaderboard.models import Assignment, PublishedGrade, User


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What publishing did, in people: told something new, and those whose grade stays higher."""

    told: int
    stay: int


def publish(session: Session, assignment: Assignment, *, actor: User | None) -> Publication:
    """Publish what is ready; what is pending waits for the next time. Nobody is lowered.

    Opens its own write transaction. Repeating it changes nothing.

    Raises:
        NotAllowedNow: the final results are not published.
    """
    with writing(session):
        return publish_now(session, assignment, actor=actor, may_lower=False)


def publish_now(
    session: Session, assignment: Assignment, *, actor: User | None, may_lower: bool
) -> Publication:
    """The same within the caller's write transaction; `may_lower`: two have signed it.

    Raises:
        NotAllowedNow: the final results are not published.
    """
    hold(session, assignment)
    if assignment.released_at is None:
        raise NotAllowedNow(said("grade.not_released"))
    found = reckoning.of_assignment(session, assignment, may_lower=may_lower)
    news = [each for each in found if each.is_news]
    told: dict[int, list[User]] = {}
    for each in found:
        if each.is_news or each.is_corrected:
            row = _write(session, assignment, each)
            if each.is_news:
                told.setdefault(row.number, []).append(each.user)
    session.flush()
    if news:
        audit.record(
            session,
            action="grade.publish",
            subject=f"assignment:{assignment.id}",
            course=assignment.course,
            actor=actor,
            details={"people": len(news), "may_lower": may_lower},
        )
    for number, people in told.items():
        notifications.tell_grades(session, assignment, people, number=number)
    return Publication(told=len(news), stay=sum(each.stays for each in found))


def of_person(session: Session, assignment: Assignment, user: User) -> PublishedGrade | None:
    """What a person was told, while the final results are published."""
    if assignment.released_at is None:
        return None
    return session.scalars(
        sa.select(PublishedGrade).where(
            PublishedGrade.assignment_id == assignment.id, PublishedGrade.user_id == user.id
        )
    ).first()


def hold(session: Session, assignment: Assignment) -> None:
    """Keep others from publishing or signing until the transaction ends."""
    session.flush()
    session.refresh(assignment, with_for_update={"key_share": True})


def _write(session: Session, assignment: Assignment, found: PersonGrade) -> PublishedGrade:
    row = found.published
    if row is None:
        row = PublishedGrade(assignment_id=assignment.id, user_id=found.user.id, number=0)
        session.add(row)
    row.submission_id = found.submission.id if found.submission else None
    row.state = found.state
    row.score = found.grade.score if found.grade else None
    row.given, row.written, row.passed = found.given, found.written, found.passed
    row.explanation = reckoning.told(found)
    row.published_at = utcnow()
    row.number += found.is_news
    return row
