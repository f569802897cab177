"""Class lists: people enrolled in one go, all of them or nobody.

A list is often older than its people's addresses. Whoever has an address now is meant by it; an
address that nobody has any more means who had it last. A list never takes from anybody what they
are or the team they have.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.accounts import (
    accounts,
    courses,
    former_addresses,
    mailboxes,
    names,
    new_account,
)
from leaderboard.boards import placing
from leaderboard.db import writing
from leaderboard.errors import BadRequest
from leaderboard.messages import mail
from leaderboard.models import Course, Enrolment, Letter, Role, Team, TeamMember, User
from leaderboard.teams import class_list, numbers, proofs
from leaderboard.teams.class_list import Entry

_RANKS = {Role.STUDENT: 0, Role.BASELINE: 1, Role.ASSISTANT: 2, Role.INSTRUCTOR: 3}


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A line of a class list, and the account that it led to."""

    entry: Entry
    user: User
    is_new: bool
    password: str | None = None  # the first of a new account that is not mailed a link
    # the account may be anybody's who typed the address: it was left as it is (proofs.py)
    is_unproved: bool = False

    @property
    def is_under_another_address(self) -> bool:
        """Whether the list has an address that the person changed since."""
        return not self.is_new and self.entry.email not in ("", self.user.email)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What enrolling a list would do, by line of the list."""

    new: tuple[Entry, ...]
    known: tuple[tuple[Entry, User], ...]
    higher: tuple[tuple[Entry, Role], ...]  # who keeps a role that the list does not give them
    teams: tuple[str, ...]  # that it would form
    renumbered: tuple[tuple[Entry, str], ...]  # whose student number is another one so far


def preview(session: Session, course: Course, entries: Sequence[Entry]) -> Preview:
    """Look up everybody; nothing is written.

    Raises:
        BadRequest: student numbers are other people's, who are named.
    """
    found = [(entry, _account(session, course, entry)) for entry in entries]
    _check_numbers(session, course, found)
    roles = [
        (entry, role)
        for entry, user in found
        if user is not None and (role := _role(session, course, user)) is not None
    ]
    named = {entry.team for entry in entries if entry.team}
    there = set(session.scalars(sa.select(Team.name).where(Team.course_id == course.id)))
    return Preview(
        new=tuple(entry for entry, user in found if user is None),
        known=tuple((entry, user) for entry, user in found if user is not None),
        higher=tuple(
            (entry, role)
            for entry, role in roles
            if _RANKS[role] > _RANKS[entry.role or Role.STUDENT]
        ),
        teams=tuple(sorted(named - there)),
        renumbered=_renumbered(session, course, found),
    )


def enrol_all(
    session: Session, course: Course, entries: Sequence[Entry], *, actor: User | None = None
) -> tuple[Listed, ...]:
    """Enrol everybody; new accounts come with their first password. Repeatable.

    Whose address is unproved is not enrolled, and told.

    Raises:
        BadRequest: student numbers are other people's, who are named; nobody is enrolled.
    """
    passwords = {
        entry.login: secrets.token_urlsafe(9)
        for entry in entries
        if _account(session, course, entry) is None
    }
    # slow on purpose, so never under the write lock
    hashes = {login: accounts.hash_password(each) for login, each in passwords.items()}
    with writing(session):
        listed = tuple(
            _enrol(session, course, entry, actor, passwords.get(entry.login), hashes)
            for entry in entries
        )
        _number(session, course, listed)
    return listed


def enrol_without_passwords(
    session: Session, course: Course, entries: Sequence[Entry], *, actor: User | None
) -> tuple[Listed, ...]:
    """Enrol everybody; who is new chooses a password by a link that staff hand out. Repeatable."""
    with writing(session):
        listed = tuple(_enrol(session, course, entry, actor) for entry in entries)
        _number(session, course, listed)
    return listed


def enrol_by_mail(
    session: Session, course: Course, entries: Sequence[Entry], *, actor: User | None
) -> tuple[Listed, ...]:
    """Enrol everybody; each new account gets a mail with a link to choose a password by.

    Who has an account already, or no address, gets nothing; whose address is unproved is mailed the
    link to prove it by, and is not enrolled. Repeatable.
    """
    with writing(session):
        listed = tuple(_enrol(session, course, entry, actor) for entry in entries)
        _number(session, course, listed)
        for each in listed:
            if (each.is_new or each.is_unproved) and each.user.address:
                # whoever reads the address's mail proves it, and has the account from then on
                _welcome(session, course, each.user, actor)
    return listed


def _number(session: Session, course: Course, listed: Sequence[Listed]) -> None:
    """Keep the list's student numbers. Whom it gives none keeps theirs."""
    numbered = [each for each in listed if each.entry.number and not each.is_unproved]
    _check_numbers(session, course, [(each.entry, each.user) for each in numbered])
    numbers.assign(session, course, {each.user.id: each.entry.number for each in numbered})


def _check_numbers(
    session: Session, course: Course, found: Sequence[tuple[Entry, User | None]]
) -> None:
    wanted = {
        entry.login: (entry.number, user.id if user else None)
        for entry, user in found
        if entry.number
    }
    if problems := tuple(numbers.conflicts(session, course, wanted)):
        raise BadRequest(class_list.unreadable(problems))


def _renumbered(
    session: Session, course: Course, found: Sequence[tuple[Entry, User | None]]
) -> tuple[tuple[Entry, str], ...]:
    present = {row.user_id: row.number or "" for row in numbers.held(session, course).values()}
    return tuple(
        (entry, present[user.id])
        for entry, user in found
        if user is not None and entry.number and present.get(user.id, entry.number) != entry.number
    )


def _welcome(session: Session, course: Course, user: User, actor: User | None) -> None:
    mail.post(
        session,
        Letter.WELCOME,
        dedupe_key=f"welcome:{user.id}",
        user=user,
        locale=actor.locale if actor else "",
        details={"course": course.title},
    )


def _enrol(
    session: Session,
    course: Course,
    entry: Entry,
    actor: User | None,
    password: str | None = None,
    hashes: Mapping[str, str] = MappingProxyType({}),
) -> Listed:
    user = _account(session, course, entry)
    if user is not None and not proofs.is_proved(user):
        return Listed(entry=entry, user=user, is_new=False, is_unproved=True)
    is_new = user is None
    if user is None:
        password_hash = hashes.get(entry.login, new_account.NO_PASSWORD)
        email = entry.email or new_account.no_address()
        user = new_account.add_user(
            session, email=email, name=_name(entry), password_hash=password_hash
        )
    standing = _role(session, course, user)
    wanted = entry.role or Role.STUDENT
    role = wanted if standing is None else max(standing, wanted, key=_RANKS.__getitem__)
    if entry.team and role is Role.STUDENT:
        _join_named(session, course, user, entry.team)
    courses.enrol_within(session, course, user, role, section=entry.section, actor=actor)
    return Listed(entry=entry, user=user, is_new=is_new, password=password if is_new else None)


def _join_named(session: Session, course: Course, user: User, name: str) -> None:
    """Put somebody without a team into the team of this name, which is made if need be."""
    if courses.team_of(session, course, user) is not None:
        return
    team = session.scalars(
        sa.select(Team).where(
            Team.course_id == course.id, Team.name == name, Team.is_baseline.is_(False)
        )
    ).first()
    if team is None:
        courses.give_team(session, course, user, name, is_baseline=False)
        return
    session.add(TeamMember(team_id=team.id, user_id=user.id, course_id=course.id))
    session.flush()
    if team.emptied_at is not None:
        placing.set_emptied(session, team, None)


def _role(session: Session, course: Course, user: User) -> Role | None:
    return session.scalars(
        sa.select(Enrolment.role).filter_by(course_id=course.id, user_id=user.id)
    ).first()


def _account(session: Session, course: Course, entry: Entry) -> User | None:
    if not entry.email:
        return _of_number(session, course, entry)
    return (
        accounts.user_of_email(session, entry.email)
        or former_addresses.holder(session, entry.email)
        or mailboxes.user_of_person(session, entry.email)
    )


def _of_number(session: Session, course: Course, entry: Entry) -> User | None:
    """Who has the number in this course; else who has it and the name in another, and no address:
    two institutions may give one number to two people."""
    numbered = session.execute(
        sa.select(User, Enrolment.course_id)
        .join(Enrolment, Enrolment.user_id == User.id)
        .where(sa.func.lower(Enrolment.number) == entry.number.lower())
        .order_by(User.id)
    ).all()
    here = [user for user, course_id in numbered if course_id == course.id]
    elsewhere = [user for user, _ in numbered if not user.address and user.name == _name(entry)]
    return next(iter([*here, *elsewhere]), None)


def _name(entry: Entry) -> str:
    return names.tidy(
        entry.name, instead=entry.login.partition("@")[0], longest=names.LONGEST_OF_PERSON
    )
