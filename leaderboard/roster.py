"""Class lists: a CSV of people, enrolled in one go.

A list is often older than its people's addresses. Whoever has an address now is meant by it; an
address that nobody has any more means who had it last.
"""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from leaderboard import courses, mail
from leaderboard.auth import former_addresses, service
from leaderboard.db import writing
from leaderboard.errors import BadRequest
from leaderboard.models import Course, Letter, Role, User

_COLUMNS = frozenset({"email", "name", "section", "role"})


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a class list."""

    email: str
    name: str
    section: str
    role: Role


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A line of a class list, and the account that it led to."""

    entry: Entry
    user: User
    password: str | None = None  # the first of a new account that is not mailed a link

    @property
    def is_under_another_address(self) -> bool:
        """Whether the list has an address that the person changed since."""
        return self.user.email != self.entry.email


def read(text: str) -> list[Entry]:
    """The people of a CSV with a header: email, name and, if wished, section, role.

    Raises: BadRequest, naming every wrong line.
    """
    lines = csv.DictReader(io.StringIO(text))
    columns = {name.strip().lower() for name in lines.fieldnames or ()}
    if not {"email", "name"} <= columns or not columns <= _COLUMNS:
        raise BadRequest("The roster's columns are email, name and, if wished, section and role.")
    entries, problems = [], []
    for number, row in enumerate(lines, start=2):
        cells = {(name or "").strip().lower(): (cell or "").strip() for name, cell in row.items()}
        role = cells.get("role") or Role.STUDENT.value
        if "@" not in cells["email"] or role not in set(Role):
            problems.append(f"line {number}: {cells['email'] or 'no e-mail address'}, role {role}")
            continue
        entries.append(
            Entry(
                email=cells["email"].lower(),
                name=cells["name"],
                section=cells.get("section", ""),
                role=Role(role),
            )
        )
    if problems:
        raise BadRequest("The roster cannot be read:\n" + "\n".join(problems))
    return entries


def enrol_all(session: Session, course: Course, entries: Sequence[Entry]) -> Iterator[Listed]:
    """Enrol everybody, one by one; new accounts come with their first password. Repeatable."""
    for entry in entries:
        user, password = _account(session, entry.email), None
        if user is None:
            password = secrets.token_urlsafe(9)
            user = service.create_user(
                session, email=entry.email, name=entry.name, password=password
            )
        yield Listed(entry=entry, user=user, password=password)
        courses.enrol(session, course, user, entry.role, section=entry.section)


def enrol_by_mail(
    session: Session, course: Course, entries: Sequence[Entry], *, actor: User | None
) -> tuple[Listed, ...]:
    """Enrol everybody; each new account gets a mail with a link to choose a password by.

    Who has an account already gets nothing. Repeatable.
    """
    return tuple(_enrol_by_mail(session, course, entry, actor) for entry in entries)


def _enrol_by_mail(session: Session, course: Course, entry: Entry, actor: User | None) -> Listed:
    user = _account(session, entry.email)
    if user is None:
        user = service.create_user(session, email=entry.email, name=entry.name, password=None)
        with writing(session):
            mail.post(
                session,
                Letter.WELCOME,
                dedupe_key=f"welcome:{user.id}",
                user=user,
                locale=actor.locale if actor else "",
                details={"course": course.title},
            )
    courses.enrol(session, course, user, entry.role, section=entry.section, actor=actor)
    return Listed(entry=entry, user=user)


def _account(session: Session, email: str) -> User | None:
    return service.user_of_email(session, email) or former_addresses.holder(session, email)
