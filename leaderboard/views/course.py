"""The shapes of a course: whom a token speaks for, and what the assignments ask."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.settings.tables import Limits, Rules
from leaderboard.accounts.access import Access
from leaderboard.db import utcnow
from leaderboard.models import Assignment, Extension, Kind, Reason, Role, Team, User
from leaderboard.rules import catalog, schedule
from leaderboard.rules.quota_ledger import LedgerLine
from leaderboard.rules.quotas import Quota
from leaderboard.rules.schedule import Phase
from leaderboard.views.shapes import OMITTED


@dataclass(frozen=True, kw_only=True)
class Membership:
    """A course of a person, with their role and team in it."""

    code: str
    title: str
    role: Role
    team: str | None


@dataclass(frozen=True, kw_only=True)
class Account:
    """The person a token speaks for."""

    name: str
    email: str
    courses: tuple[Membership, ...]


@dataclass(frozen=True, kw_only=True)
class Dates:
    """When it can be handed in, for the reader's team; `time_zone` is what the dates are meant
    in."""

    opens: datetime | None
    due: datetime | None
    closes: datetime | None
    time_zone: str
    is_extended: bool


@dataclass(frozen=True, kw_only=True)
class Pack:
    """The public pack: what a student downloads."""

    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class AssignmentEntry:
    """One assignment: what is asked, until when, within which limits."""

    course: str
    slug: str
    title: str
    group: str | None
    classes: tuple[str, ...]
    metric: str
    kinds: tuple[Kind, ...]
    schedule: Dates
    phase: Phase
    daily_limit: int  # 0: none
    final_picks: int
    max_upload_mb: int
    test_images: str
    feedback: str
    public_board: str
    rules: Rules
    limits: Limits
    pack: Pack
    is_released: bool
    readme: Annotated[str | None, OMITTED] = None  # Markdown; not in lists


@dataclass(frozen=True, kw_only=True)
class QuotaOfDay(Quota):
    """What is left of a team's daily limit, and where the rest of it went."""

    time_zone: str  # the course's, whose day counts
    entries: tuple[LedgerLine, ...]


@dataclass(frozen=True, kw_only=True)
class ExtensionEntry:
    """More time, late days or submissions a day for a team, and why: for instructors."""

    id: int
    team: str
    person: str | None  # by e-mail address: whom it was given to
    assignment: Annotated[str | None, {"description": "null: every one that is not over"}]
    due: datetime | None
    closes: datetime | None
    hours: Annotated[int, {"description": "after everybody's dates, in place of dates"}]
    late_days: Annotated[int, {"description": "on top of the course's"}]
    daily_limit: Annotated[int, {"description": "on top of the assignment's"}]
    reason: Reason
    reference: Annotated[str, {"description": "of the office that vouches"}]
    granted_at: datetime
    revoked_at: datetime | None


def account(user: User, accesses: Sequence[Access]) -> Account:
    """A person with their courses."""
    return Account(
        name=user.name,
        email=user.address,
        courses=tuple(
            Membership(
                code=each.course.code,
                title=each.course.title,
                role=each.role,
                team=each.team.name if each.team else None,
            )
            for each in accesses
        ),
    )


def assignment_entry(
    found: Assignment, team: Team | None, *, max_upload_bytes: int, readme: bool = False
) -> AssignmentEntry:
    """An assignment as a team's members see it, or, without one, as it is for most."""
    rules, terms = catalog.rules(found), schedule.terms(found, team)
    return AssignmentEntry(
        course=found.course.code,
        slug=found.slug,
        title=found.title,
        group=rules.group,
        classes=tuple(rules.classes),
        metric=found.metric,
        kinds=tuple(map(Kind, rules.submission.kinds)),
        schedule=Dates(
            opens=terms.opens,
            due=terms.due,
            closes=terms.closes,
            time_zone=terms.zone,
            is_extended=terms.is_extended,
        ),
        phase=schedule.phase(found, team, utcnow()),
        daily_limit=terms.daily_limit or 0,
        final_picks=rules.submission.final_picks,
        max_upload_mb=max_upload_bytes >> 20,
        test_images=rules.data.test_images,
        feedback=rules.scoring.feedback,
        public_board=rules.scoring.public_board,
        rules=rules.rules,
        limits=rules.limits,
        pack=Pack(sha256=found.pack_sha256, bytes=found.pack_bytes),
        is_released=found.released_at is not None,
        readme=found.readme if readme else None,
    )


def extension_entries(session: Session, found: Sequence[Extension]) -> tuple[ExtensionEntry, ...]:
    """Extensions with their reasons."""
    slugs = _slugs(session, {each.assignment_id for each in found})
    return tuple(
        ExtensionEntry(
            id=each.id,
            team=each.team.name,
            person=(each.user.address or each.user.name) if each.user else None,
            assignment=slugs.get(each.assignment_id),
            due=each.due,
            closes=each.closes,
            hours=each.hours,
            late_days=each.late_days,
            daily_limit=each.daily_limit,
            reason=each.reason,
            reference=each.reference,
            granted_at=each.granted_at,
            revoked_at=each.revoked_at,
        )
        for each in found
    )


def _slugs(session: Session, numbers: Set[int | None]) -> dict[int | None, str]:
    """The assignments' slugs by their numbers; for all assignments (None) there is none."""
    if numbers <= {None}:
        return {}
    rows = session.execute(
        sa.select(Assignment.id, Assignment.slug).where(Assignment.id.in_(numbers - {None}))
    )
    return dict(rows.all())
