"""Telling people what happened: a notice in the page and a mail, each of which they may switch off.

Both are rows written in the transaction of what they tell about: nothing is told that did not
happen, and nothing that happened goes untold when a process is killed. mail.py sends the mails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from leaderboard.db import changed_rows, utcnow, writing
from leaderboard.messages import mail
from leaderboard.models import (
    Assignment,
    CaseEntry,
    Cause,
    Enrolment,
    Evaluation,
    Extension,
    Letter,
    Notice,
    Notification,
    Role,
    Split,
    SplitScore,
    Submission,
    Team,
    TeamMember,
    User,
)
from leaderboard.rules import schedule

DEADLINE_IS_NEAR = timedelta(hours=24)
CHANNELS = ("page", "mail")
_SHOWN = 100
# made once, as every result asks them
_SHOWN_SCORE = sa.select(SplitScore.shown).where(
    SplitScore.evaluation_id == sa.bindparam("evaluation"), SplitScore.split == Split.PUBLIC
)
_MEMBERS = (
    sa.select(User)
    .join(TeamMember, TeamMember.user_id == User.id)
    .where(TeamMember.team_id == sa.bindparam("team"))
)


def tell(
    session: Session,
    people: Iterable[User],
    kind: Notice,
    *,
    key: str,
    path: str,
    details: dict[str, Any],
) -> None:
    """Tell people once, by every way they have not switched off, in the caller's transaction.

    `key` names what happened: telling it again does nothing.
    """
    keys = {f"{key}:{person.id}": person for person in people}
    if not keys:
        return
    for told in _told(session, keys):
        del keys[told]
    now = utcnow()
    for dedupe_key, person in keys.items():
        if wants(person, "page", kind):
            session.add(
                Notification(
                    user_id=person.id,
                    kind=kind,
                    dedupe_key=dedupe_key,
                    details=details,
                    path=path,
                    created_at=now,
                )
            )
        if wants(person, "mail", kind):
            mail.post_new(
                session, kind, dedupe_key=dedupe_key, user=person, details=details, path=path
            )


def wants(person: User, channel: str, kind: Notice) -> bool:
    """Whether a person has left a way of being told switched on."""
    return person.erased_at is None and f"{channel}:{kind.value}" not in (person.muted or ())


def choose(session: Session, person: User, wanted: Iterable[str]) -> None:
    """Keep which ways a person wants ("mail:scored" …). Opens its own write transaction."""
    every = {f"{channel}:{kind.value}" for channel in CHANNELS for kind in Notice}
    with writing(session):
        person.muted = sorted(every - set(wanted))


def tell_result(session: Session, submission: Submission, evaluation: Evaluation) -> None:
    """Tell a team the verdict of a hand-in, in the publishing transaction.

    What staff judge again is theirs to announce: a rejudge of a whole class is no news to most.
    """
    if submission.team.is_baseline or evaluation.cause in (Cause.RESCORE, Cause.RERUN):
        return
    whose = {"evaluation": evaluation.id}
    # what the public board may show of it, never more
    shown = session.scalars(_SHOWN_SCORE, whose).first()
    tell(
        session,
        _members(session, submission.team),
        Notice.FAILED if shown is None else Notice.SCORED,
        key=f"result:{submission.id}:{evaluation.number}",
        path=f"/s/{submission.public_id}",
        details={
            "assignment": submission.assignment.title,
            "submission": submission.message or submission.filename,
            "verdict": evaluation.verdict,
            "metric": submission.assignment.metric,
            "score": shown,
        },
    )


def tell_moved(
    session: Session, submission: Submission, *, key: str, facts: dict[str, Any]
) -> None:
    """Tell a team that staff's correction moved a score: old and new value, and why."""
    if submission.team.is_baseline:
        return
    tell(
        session,
        _members(session, submission.team),
        Notice.SCORED,
        key=key,
        path=f"/s/{submission.public_id}",
        details={
            "assignment": submission.assignment.title,
            "submission": submission.message or submission.filename,
            **facts,
        },
    )


def tell_release(session: Session, assignment: Assignment) -> None:
    """Tell every student that the private board is out, in the releasing transaction."""
    assert assignment.released_at is not None
    tell(
        session,
        _students(session, assignment),
        Notice.RELEASED,
        # once, though it is taken back and repeated
        key=f"released:{assignment.id}",
        path=f"{_path(assignment)}leaderboard?split=private",
        details={"assignment": assignment.title},
    )


def tell_grades(
    session: Session, assignment: Assignment, people: Iterable[User], *, number: int
) -> None:
    """Tell people that their grades are out, or others now; the page alone says which.

    `number` counts how often they were published or changed.
    """
    tell(
        session,
        people,
        Notice.RELEASED,
        key=f"grade:{assignment.id}:{number}",
        path=f"{_path(assignment)}grade",
        details={"assignment": assignment.title, "grade": number},
    )


def tell_team(session: Session, team: Team, what: str, *, but: User | None, number: int) -> None:
    """Tell a team that somebody joined, left or was moved. `number` is of the audit event."""
    people = [each for each in _members(session, team) if but is None or each.id != but.id]
    tell(
        session,
        people,
        Notice.TEAM,
        key=f"team:{team.course_id}:{number}:{team.id}",
        path=f"/c/{team.course.code}/team",
        details={"team": team.name, "what": what},
    )


def tell_extension(
    session: Session,
    team: Team,
    assignment: Assignment | None,
    *,
    number: int,
    what: dict[str, Any],
) -> None:
    """Tell a team what staff extended, never why. `number` is of the audit event.

    Args:
        what: hours, late_days, daily_limit, whether it moves_dates or was taken_back.
    """
    details = dict(what)
    if assignment is not None:
        held = schedule.terms(assignment, team)
        details |= {"assignment": assignment.title, "zone": held.zone}
        if held.end is not None:
            details["due"] = (held.due or held.end).isoformat()
    tell(
        session,
        _members(session, team),
        Notice.DEADLINE,
        key=f"extension:{team.course_id}:{number}:{team.id}",
        path=_path(assignment) if assignment else f"/c/{team.course.code}/",
        details={**details, "extension": True},
    )


def tell_missing(
    session: Session, assignment: Assignment, people: Iterable[User], *, number: int
) -> None:
    """Remind people that they have not handed in. `number` is of the audit event."""
    usual = schedule.terms(assignment, None)
    end = usual.due or usual.closes
    tell(
        session,
        people,
        Notice.DEADLINE,
        key=f"missing:{assignment.id}:{number}",
        path=_path(assignment),
        details={
            "assignment": assignment.title,
            "missing": True,
            "due": end.isoformat() if end else None,
            "zone": usual.zone,
        },
    )


def tell_words(
    session: Session, assignment: Assignment, people: Iterable[User], text: str, *, number: int
) -> None:
    """Tell people what the teaching team wrote; nobody can switch that off. `number` is of the
    audit event."""
    details = {"assignment": assignment.title, "words": text}
    for person in people:
        if person.erased_at is not None:
            continue
        key = f"words:{assignment.course_id}:{number}:{person.id}"
        session.add(
            Notification(
                user_id=person.id,
                kind=Notice.TEAM,
                dedupe_key=key,
                details=details,
                path=_path(assignment),
                created_at=utcnow(),
            )
        )
        mail.post_new(
            session,
            Letter.WORDS,
            dedupe_key=key,
            user=person,
            details=details,
            path=_path(assignment),
        )


def tell_case(
    session: Session,
    people: Iterable[User],
    entry: CaseEntry,
    *,
    path: str,
    details: dict[str, Any],
    by_mail: bool = True,
) -> None:
    """Tell people of a step of a case, in its transaction; nobody can switch that off.

    The mail reads the entry's text when it is sent, so that nothing of it is kept twice.
    """
    now = utcnow()
    for person in people:
        if person.erased_at is not None:
            continue
        key = f"case:{entry.id}:{person.id}"
        session.add(
            Notification(
                user_id=person.id,
                kind=Notice.TEAM,
                dedupe_key=key,
                details=details,
                path=path,
                created_at=now,
            )
        )
        if by_mail:
            mail.post_new(
                session, Letter.CASE, dedupe_key=key, user=person, details=details, path=path
            )


def remind(session: Session, now: datetime) -> None:
    """Tell students of deadlines within a day, once a deadline. Opens its own transactions."""
    for assignment in session.scalars(sa.select(Assignment).order_by(Assignment.id)).all():
        usual = schedule.terms(assignment, None)
        if usual.due is None or usual.due > now + DEADLINE_IS_NEAR:
            continue  # nobody's is earlier
        near: dict[datetime, list[User]] = {}
        for person, team in _with_teams(session, assignment, only_extended=usual.due <= now):
            due = schedule.terms(assignment, team).due
            if due is not None and now < due <= now + DEADLINE_IS_NEAR:
                near.setdefault(due, []).append(person)
        for due, people in near.items():
            _remind(session, assignment, people, due, usual.zone)


def _remind(
    session: Session, assignment: Assignment, people: Sequence[User], due: datetime, zone: str
) -> None:
    key = f"deadline:{assignment.id}:{due.timestamp():.0f}"
    if len(_told(session, [f"{key}:{person.id}" for person in people])) == len(people):
        return
    with writing(session):
        tell(
            session,
            people,
            Notice.DEADLINE,
            key=key,
            path=_path(assignment),
            details={"assignment": assignment.title, "due": due.isoformat(), "zone": zone},
        )


def recent(session: Session, person: User) -> Sequence[Notification]:
    """What a person was told lately, newest first."""
    return session.scalars(
        sa.select(Notification)
        .where(Notification.user_id == person.id)
        .order_by(Notification.id.desc())
        .limit(_SHOWN)
    ).all()


def one(session: Session, person: User, notification_id: int) -> Notification | None:
    """One of a person's notices."""
    found = session.get(Notification, notification_id)
    return found if found is not None and found.user_id == person.id else None


def unread(session: Session, person: User) -> int:
    """How many of a person's notices were not read yet."""
    return (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(Notification)
            .where(Notification.user_id == person.id, Notification.read_at.is_(None))
        )
        or 0
    )


def mark_read(session: Session, person: User, notification_id: int | None = None) -> None:
    """Mark one notice of a person as read, or all. Opens its own write transaction."""
    change = sa.update(Notification).where(
        Notification.user_id == person.id, Notification.read_at.is_(None)
    )
    if notification_id is not None:
        change = change.where(Notification.id == notification_id)
    with writing(session):
        changed_rows(session, change.values(read_at=utcnow()))


def _told(session: Session, keys: Iterable[str]) -> set[str]:
    """Which of these were told already, in the page or by mail."""
    wanted, found = list(keys), set[str]()
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        found |= set(
            session.scalars(
                sa.select(Notification.dedupe_key).where(Notification.dedupe_key.in_(part))
            )
        )
        found |= mail.posted(session, part)
    return found


def _members(session: Session, team: Team) -> Sequence[User]:
    return session.scalars(_MEMBERS, {"team": team.id}).all()


def _students(session: Session, assignment: Assignment) -> Sequence[User]:
    return session.scalars(
        sa.select(User)
        .join(Enrolment, Enrolment.user_id == User.id)
        .where(Enrolment.course_id == assignment.course_id, Enrolment.role == Role.STUDENT)
        .order_by(User.id)
    ).all()


def _with_teams(
    session: Session, assignment: Assignment, *, only_extended: bool
) -> list[tuple[User, Team | None]]:
    """The students with their teams; of those alone whose team has an extension, if wished."""
    query = (
        sa.select(User, Team)
        .join(Enrolment, Enrolment.user_id == User.id)
        .outerjoin(
            TeamMember,
            sa.and_(TeamMember.user_id == User.id, TeamMember.course_id == Enrolment.course_id),
        )
        .outerjoin(Team, Team.id == TeamMember.team_id)
        .where(Enrolment.course_id == assignment.course_id, Enrolment.role == Role.STUDENT)
        .options(selectinload(Team.extensions))
        .order_by(User.id)
    )
    if only_extended:
        query = query.where(Team.id.in_(sa.select(Extension.team_id)))
    return [(person, team) for person, team in session.execute(query)]


def _path(assignment: Assignment) -> str:
    return f"/c/{assignment.course.code}/a/{assignment.slug}/"
