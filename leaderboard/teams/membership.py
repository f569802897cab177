"""Teams: make, invite, join, leave, merge, rename. Everybody is in one team a course, alone or not.

What was handed in belongs to the team. So whoever is alone takes their submissions along into
another team (a merge), and a team of several that has handed in is left through staff only: a new
team with a fresh limit would otherwise be one click away. Whoever is moved keeps what they used of
the limit: it is counted by who was in which team when (rules/quotas.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import courses, names
from leaderboard.boards import placing
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.messages import notifications
from leaderboard.models import (
    Assignment,
    AuditEvent,
    Course,
    Enrolment,
    Extension,
    FormerMember,
    Invitation,
    QuotaEntry,
    Role,
    Standing,
    Submission,
    Team,
    TeamMember,
    Upload,
    User,
)
from leaderboard.rules import lateness, quotas
from leaderboard.teams import under_way


@dataclass(frozen=True, kw_only=True)
class Roster:
    """A team with its people, and whether they may change it now."""

    team: Team
    members: tuple[User, ...]
    has_submissions: bool
    frozen_since: datetime | None
    seats: int | None  # left; None where there is no limit

    @property
    def may_change(self) -> bool:
        return self.frozen_since is None

    @property
    def may_leave(self) -> bool:
        return self.may_change and len(self.members) > 1 and not self.has_submissions


def roster(session: Session, team: Team, now: datetime) -> Roster:
    """A team as its members see it. Reads only."""
    members = _members(session, team)
    limit = team.course.team_size
    return Roster(
        team=team,
        members=tuple(members),
        has_submissions=_has_submissions(session, team),
        frozen_since=frozen_since(team.course, now),
        seats=None if limit is None else max(0, limit - len(members)),
    )


def frozen_since(course: Course, now: datetime) -> datetime | None:
    """The moment after which students no longer change teams, if it has passed."""
    until = course.teams_until
    return until if until is not None and until < now else None


def rename(session: Session, team: Team, *, name: str, pseudonym: str, actor: User) -> None:
    """Give a team a name and, if wished, another one for the board. Opens its own transaction.

    Raises:
        BadRequest: a name is unfit or looks like another team's.
        NotAllowedNow: the course's rules hold the names.
    """
    wanted = names.clean(name)
    shown = names.clean(pseudonym) if pseudonym.strip() else None
    with writing(session):
        _lock(session, team.course)
        _check_open(team.course)
        _check_free(session, team, [wanted, *([shown] if shown else [])])
        team.name, team.pseudonym = wanted, shown
        event = _record(session, "team.rename", team, actor)
        notifications.tell_team(session, team, "renamed", but=actor, number=event.number)


def check_way_in(session: Session, invitation: Invitation, *, is_enrolled: bool) -> None:
    """Refuse what `join` would refuse whoever comes by a team's link, before an account is made.

    Reads only.

    Raises:
        NotAllowedNow: the team is full, teams are fixed, or the link is for the course's students.
    """
    if invitation.team is None:
        return
    if not is_enrolled and not invitation.course.team_links_enrol:
        raise NotAllowedNow(said("team.students_only"))
    _check_open(invitation.course)
    _check_seats(session, invitation.team, 1)


def join(session: Session, invitation: Invitation, user: User) -> Team:
    """Bring a user into the team that invited them, with what they handed in alone.

    Enrols them where the course lets its teams' links do that. Opens its own write transaction.

    Raises:
        NotAllowedNow: with the rule that stands against it.
    """
    with writing(session):
        team, course = invitation.team, invitation.course
        assert team is not None
        _lock(session, course)
        present = courses.team_of(session, course, user)
        if present is not None and present.id == team.id:
            return team
        is_enrolled = _is_enrolled(session, course, user)
        check_way_in(session, invitation, is_enrolled=is_enrolled)
        since: datetime | None = utcnow()
        if present is not None:
            if len(_members(session, present)) > 1:
                _check_may_leave(session, present)
                _take_out(session, present, user)
                event = _record(session, "team.leave", present, user)
                notifications.tell_team(session, present, "left", but=user, number=event.number)
            else:
                since = _stays(session, present)[user.id]
                _absorb(session, present, team)
        if not is_enrolled:
            _enrol(session, invitation, user)
        _put_in(session, team, user, since)
        invitation.uses += 1
        event = _record(session, "team.join", team, user)
        notifications.tell_team(session, team, "joined", but=user, number=event.number)
    return team


def merge(session: Session, invitation: Invitation, user: User) -> Team:
    """Bring a user's whole team, with all it handed in, into the team that invited them.

    The same rules and errors as `join`.
    """
    with writing(session):
        team, course = invitation.team, invitation.course
        assert team is not None
        _lock(session, course)
        _check_open(course)
        present = courses.team_of(session, course, user)
        if present is None or present.id == team.id:
            raise NotAllowedNow(said("team.no_other"))
        people = _members(session, present)
        _check_seats(session, team, len(people))
        stays = _stays(session, present)
        _absorb(session, present, team)
        for person in people:
            _put_in(session, team, person, stays[person.id])
        invitation.uses += 1
        event = _record(session, "team.merge", team, user, other=present.id)
        notifications.tell_team(session, team, "merged", but=user, number=event.number)
    return team


def leave(session: Session, team: Team, user: User) -> Team:
    """Leave a team for a new one of one's own. Opens its own write transaction.

    Raises:
        NotAllowedNow: the team has handed in, or teams are fixed.
    """
    with writing(session):
        _lock(session, team.course)
        _check_open(team.course)
        if len(_members(session, team)) < 2:
            raise NotAllowedNow(said("team.alone"))
        _check_may_leave(session, team)
        _take_out(session, team, user)
        event = _record(session, "team.leave", team, user)
        notifications.tell_team(session, team, "left", but=user, number=event.number)
        own = courses.give_team(session, team.course, user, courses.NEUTRAL, is_baseline=False)
        under_way.take_along(session, user, own)
        _record(session, "team.create", own, user)
    return own


def move(session: Session, course: Course, user: User, team: Team | None, *, actor: User) -> Team:
    """Staff move a student to another team, or to a new one (None). What the old team handed in
    stays with it; neither size nor deadline is held against staff. Opens its own transaction."""
    with writing(session):
        _lock(session, course)
        if team is not None and (team.course_id != course.id or team.is_baseline):
            raise NotFound
        present = courses.team_of(session, course, user)
        if present is not None and team is not None and present.id == team.id:
            return team
        if present is not None:
            _move_out(session, present, user, actor=actor)
        if team is None:
            target = courses.give_team(session, course, user, courses.NEUTRAL, is_baseline=False)
            under_way.take_along(session, user, target)
        else:
            target = team
            _put_in(session, target, user, utcnow())
        if present is not None:
            _drop_if_unused(session, present)
        event = _record(session, "team.move_in", target, actor, user=user.id)
        notifications.tell_team(session, target, "moved", but=None, number=event.number)
    return target


def take_out(session: Session, team: Team, user: User, *, actor: User | None) -> None:
    """Staff take a student out of a team for good, within the caller's write transaction."""
    _lock(session, team.course)
    under_way.end(session, user, team.course_id)
    _move_out(session, team, user, actor=actor)
    _drop_if_unused(session, team)


def all_of(session: Session, course: Course) -> Sequence[Team]:
    """The students' teams of a course, by name."""
    return session.scalars(
        sa.select(Team)
        .where(Team.course_id == course.id, Team.is_baseline.is_(False))
        .order_by(Team.name)
    ).all()


def _absorb(session: Session, source: Team, target: Team) -> None:
    """Make all that one team handed in the other's, and remove the first.

    Raises:
        NotAllowedNow: the two together handed in more than one team may.
    """
    session.execute(
        sa.update(Extension).where(Extension.team_id == source.id).values(team_id=target.id)
    )
    session.expire(target, ["extensions"])
    touched = session.scalars(
        sa.select(Assignment)
        .join(Submission, Submission.assignment_id == Assignment.id)
        .where(Submission.team_id == source.id)
        .distinct()
    ).all()
    for assignment in touched:
        if assignment.released_at is not None:
            raise NotAllowedNow(said("team.released", assignment=assignment.title))
        quotas.check_joint(session, assignment, source, target)
        placing.hold_rules(session, assignment)  # before the rows of its boards
    for model in (Submission, QuotaEntry):
        session.execute(
            sa.update(model).where(model.team_id == source.id).values(**_moved(model, target))
        )
    session.execute(sa.delete(Standing).where(Standing.team_id == source.id))
    session.execute(sa.delete(TeamMember).where(TeamMember.team_id == source.id))
    session.execute(
        sa.update(FormerMember).where(FormerMember.team_id == source.id).values(team_id=target.id)
    )
    session.execute(
        sa.update(Invitation).where(Invitation.team_id == source.id).values(team_id=target.id)
    )
    under_way.take_over(session, source, target)
    session.flush()
    session.expire_all()
    session.delete(source)
    session.flush()
    for assignment in touched:
        placing.refresh(session, assignment, target)
    lateness.recount(session, target.course, target)


def _moved(model: type[Submission] | type[QuotaEntry], target: Team) -> dict[str, object]:
    if model is QuotaEntry:
        return {"team_id": target.id}
    # two teams may have used one key; picks are made anew by the joint team
    return {"team_id": target.id, "idempotency_key": None, "is_final_pick": False}


def _check_open(course: Course) -> None:
    if frozen_since(course, utcnow()) is not None:
        raise NotAllowedNow(said("team.fixed"))


def _check_seats(session: Session, team: Team, people: int) -> None:
    limit = team.course.team_size
    if limit is not None and len(_members(session, team)) + people > limit:
        raise NotAllowedNow(said("team.too_large", most=limit))


def _check_may_leave(session: Session, team: Team) -> None:
    if _has_submissions(session, team):
        raise NotAllowedNow(said("team.handed_in"))


def _check_free(session: Session, team: Team, wanted: Sequence[str]) -> None:
    others = session.execute(
        sa.select(Team.name, Team.pseudonym).where(
            Team.course_id == team.course_id, Team.id != team.id
        )
    )
    taken = {names.same_key(name) for pair in others for name in pair if name}
    for name in wanted:
        if names.same_key(name) in taken:
            raise BadRequest(said("team.name_taken", name=name))


def _is_enrolled(session: Session, course: Course, user: User) -> bool:
    place = sa.select(Enrolment.id).filter_by(course_id=course.id, user_id=user.id)
    return session.scalars(place).first() is not None


def _enrol(session: Session, invitation: Invitation, user: User) -> None:
    """Enrol as a student whom a team's link lets in; the team is to come."""
    session.add(
        Enrolment(
            course_id=invitation.course_id,
            user_id=user.id,
            role=Role.STUDENT,
            section=invitation.section,
        )
    )
    audit.record(
        session,
        action="course.enrol",
        subject=f"user:{user.id}",
        course=invitation.course,
        actor=user,
        details={"role": Role.STUDENT.value},
    )


def _stays(session: Session, team: Team) -> dict[int, datetime | None]:
    """Since when each member is in the team: one that becomes part of another takes it along."""
    rows = session.execute(
        sa.select(TeamMember.user_id, TeamMember.joined_at).where(TeamMember.team_id == team.id)
    )
    return {row.user_id: row.joined_at for row in rows}


def _move_out(session: Session, team: Team, user: User, *, actor: User | None) -> None:
    _take_out(session, team, user)
    event = _record(session, "team.move_out", team, actor, user=user.id)
    notifications.tell_team(session, team, "moved", but=None, number=event.number)


def _take_out(session: Session, team: Team, user: User) -> None:
    courses.hold_team(session, team.id)  # what is handed in meanwhile was with them, or was not
    session.add(
        FormerMember(
            team_id=team.id,
            user_id=user.id,
            joined_at=_stays(session, team)[user.id],
            left_at=utcnow(),
        )
    )
    session.execute(
        sa.delete(TeamMember).where(TeamMember.team_id == team.id, TeamMember.user_id == user.id)
    )
    session.flush()
    session.expire(team)
    if not _members(session, team):
        placing.set_emptied(session, team, utcnow())


def _put_in(session: Session, team: Team, user: User, since: datetime | None) -> None:
    courses.hold_team(session, team.id)
    session.add(
        TeamMember(team_id=team.id, user_id=user.id, course_id=team.course_id, joined_at=since)
    )
    under_way.take_along(session, user, team)
    session.flush()
    session.expire(team)
    if team.emptied_at is not None:
        placing.set_emptied(session, team, None)


def _drop_if_unused(session: Session, team: Team) -> None:
    """Remove a team that nobody is in and that handed nothing in."""
    if _members(session, team) or _has_submissions(session, team):
        return
    session.execute(sa.delete(Invitation).where(Invitation.team_id == team.id))
    for model in (Standing, Extension, FormerMember, Upload):
        session.execute(sa.delete(model).where(model.team_id == team.id))
    session.delete(team)
    session.flush()


def _lock(session: Session, course: Course) -> None:
    """On PostgreSQL the changes of a course's teams queue up here; SQLite has one writer anyway."""
    session.execute(sa.select(Course.id).where(Course.id == course.id).with_for_update())


def _members(session: Session, team: Team) -> Sequence[User]:
    return session.scalars(
        sa.select(User)
        .join(TeamMember, TeamMember.user_id == User.id)
        .where(TeamMember.team_id == team.id)
        .order_by(TeamMember.id)
    ).all()


def _has_submissions(session: Session, team: Team) -> bool:
    found = session.scalars(sa.select(Submission.id).where(Submission.team_id == team.id).limit(1))
    return found.first() is not None


def _record(
    session: Session, action: str, team: Team, actor: User | None, **details: int
) -> AuditEvent:
    return audit.record(
        session,
        action=action,
        subject=f"team:{team.id}",
        course=team.course,
        actor=actor,
        details=details,
    )
