"""The table of an assignment's submissions: filtered, searched, sorted, a page after another.

A page is found by its last row's sort key and id, so that the thousandth costs as much as the
first; the number of queries is the same for any number of submissions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, joinedload, load_only

from grader import Verdict
from leaderboard.accounts.rights import sections as rights
from leaderboard.boards.outdated import OUTDATED, flags_of, measured_alike
from leaderboard.evaluations.publishing import FAULT
from leaderboard.models import (
    Assignment,
    Course,
    Enrolment,
    Evaluation,
    Kind,
    Split,
    SplitScore,
    Submission,
    SubmissionStatus,
    Team,
    User,
)

PAGE: Final = 50
COUNTED: Final = 5_000
"""So many are counted; what has more says so."""
FLAGS: Final = ("ND", "MEM", "DATA", OUTDATED)
_Query = TypeVar("_Query", bound="sa.Select[Any]")
# scores of the evaluation that stands; one alias each, so that statements share their text
_PUBLIC = aliased(SplitScore, name="public")
_PRIVATE = aliased(SplitScore, name="private")
_SORTED = aliased(SplitScore, name="sorted")


class Order(StrEnum):
    """What a table is sorted by; scores from the highest down, and unscored ones are left out."""

    NEWEST = "newest"
    OLDEST = "oldest"
    PUBLIC = "public"
    PRIVATE = "private"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which submissions are shown; whatever is empty or None holds for all.

    `search` is part of a team's or person's name, message, file or the whole id. `verdict` may be a
    status as well. `since` and `until` are moments at which the upload began; scores are of the
    private part.
    """

    search: str = ""
    team: str = ""
    person: str = ""
    verdict: str = ""
    kind: str = ""
    flag: str = ""
    section: str = ""
    since: datetime | None = None
    until: datetime | None = None
    score_from: float | None = None
    score_to: float | None = None
    only_sections: Sequence[str] = ()  # of teams; what the reader is confined to
    order: Order = Order.NEWEST


@dataclass(frozen=True, kw_only=True)
class StaffRow:
    """One submission with both of its scores, as the list for staff shows it."""

    id: str
    filename: str
    message: str
    kind: Kind
    declared: Sequence[str] | None
    status: SubmissionStatus
    verdict: str | None
    upload_started_at: datetime
    team_name: str
    is_baseline: bool
    person: str
    flags: tuple[str, ...]
    is_voided: bool
    is_final_pick: bool
    public: float | None
    private: float | None
    fault: str  # why the server failed, where it did (IE)


@dataclass(frozen=True, kw_only=True)
class StaffPage:
    """One page; `after` continues it. `total` is at most COUNTED + 1, and told on the first."""

    rows: tuple[StaffRow, ...]
    total: int | None
    after: str | None

    @property
    def is_counted(self) -> bool:
        return self.total is not None and self.total <= COUNTED


def page(
    session: Session, assignment: Assignment, wanted: Wanted, *, after: str = "", limit: int = PAGE
) -> StaffPage:
    """One page of an assignment's submissions with both scores.

    Args:
        after: what the page before said; anything else is the first page.
    """
    which = _filtered(sa.select(Submission.id), assignment, wanted)
    # the first page counts as well: one reading of what a filter has to read through
    most = limit + 1 if after else COUNTED + 1
    ids = list(session.scalars(_ordered(which, wanted.order, after).limit(most)))
    rows = {row.number: row for row in session.execute(_shown(ids[:limit]))} if ids else {}
    shown = [rows[each] for each in ids[:limit] if each in rows]
    return StaffPage(
        rows=tuple(_row(each, assignment) for each in shown),
        total=None if after else len(ids),
        after=_cursor(shown[-1], wanted.order) if len(ids) > limit and shown else None,
    )


def submissions(
    session: Session, assignment: Assignment, wanted: Wanted, *, after: str = "", limit: int = PAGE
) -> tuple[Sequence[Submission], str | None]:
    """The same as rows, and what continues them."""
    which = _filtered(sa.select(Submission.id), assignment, wanted)
    ids = list(session.scalars(_ordered(which, wanted.order, after).limit(limit + 1)))
    query = sa.select(Submission).where(Submission.id.in_(ids[:limit]))
    query = query.options(
        joinedload(Submission.user), joinedload(Submission.team).selectinload(Team.extensions)
    )
    rows = {each.id: each for each in session.scalars(query)}
    page = [rows[each] for each in ids[:limit] if each in rows]
    if len(ids) <= limit or not page:
        return page, None
    last = session.execute(_shown([page[-1].id])).one()
    return page, _cursor(last, wanted.order)


def sections(session: Session, course: Course) -> tuple[str, ...]:
    """The sections of a course's people, in order."""
    found = sa.select(Enrolment.section).where(
        Enrolment.course_id == course.id, Enrolment.section != ""
    )
    return tuple(sorted(session.scalars(found.distinct())))


def _filtered(query: _Query, assignment: Assignment, wanted: Wanted) -> _Query:
    query = query.where(Submission.assignment_id == assignment.id)
    if wanted.search:
        query = query.where(_found_by(wanted.search, assignment))
    if wanted.team:
        query = query.where(Submission.team_id.in_(_teams(wanted.team, assignment)))
    if wanted.person:
        query = query.where(Submission.user_id.in_(_people(wanted.person)))
    if wanted.section:
        theirs = sa.select(Enrolment.user_id).where(
            Enrolment.course_id == assignment.course_id, Enrolment.section == wanted.section
        )
        query = query.where(Submission.user_id.in_(theirs))
    if wanted.only_sections:
        teams = rights.teams(assignment.course_id, wanted.only_sections)
        query = query.where(Submission.team_id.in_(teams))
    if wanted.kind in set(Kind):
        query = query.where(Submission.kind == Kind(wanted.kind))
    if wanted.verdict in set(SubmissionStatus):
        query = query.where(Submission.status == SubmissionStatus(wanted.verdict))
    elif wanted.verdict:
        query = query.where(Submission.verdict == wanted.verdict)
    if wanted.since:
        query = query.where(Submission.upload_started_at >= wanted.since)
    if wanted.until:
        query = query.where(Submission.upload_started_at < wanted.until)
    return _scored_as(_flagged(query, wanted.flag), wanted)


def _found_by(text: str, assignment: Assignment) -> sa.ColumnElement[bool]:
    return sa.or_(
        Submission.public_id == text,
        Submission.team_id.in_(_teams(text, assignment)),
        Submission.user_id.in_(_people(text)),
        Submission.message.icontains(text, autoescape=True),
        Submission.filename.icontains(text, autoescape=True),
    )


def _teams(text: str, assignment: Assignment) -> sa.Select[int]:
    named = Team.name.icontains(text, autoescape=True)
    return sa.select(Team.id).where(Team.course_id == assignment.course_id, named)


def _people(text: str) -> sa.Select[int]:
    named = User.name.icontains(text, autoescape=True)
    return sa.select(User.id).where(sa.or_(named, User.email == text.lower()))


def _flagged(query: _Query, flag: str) -> _Query:
    if flag not in FLAGS:
        return query
    query = query.join(Evaluation, Evaluation.id == Submission.current_evaluation_id)
    if flag != OUTDATED:
        # a list of words as JSON: a word stands in quotation marks
        return query.where(sa.cast(Evaluation.flags, sa.Text).contains(f'"{flag}"'))
    return query.join(Assignment, Assignment.id == Submission.assignment_id).where(
        Evaluation.verdict == Verdict.OK.value, sa.not_(measured_alike())
    )


def _scored_as(query: _Query, wanted: Wanted) -> _Query:
    if wanted.order in (Order.PUBLIC, Order.PRIVATE):
        query = query.where(Submission.verdict == Verdict.OK.value)
    if wanted.score_from is not None or wanted.score_to is not None:
        query = query.join(_PRIVATE, _of_current(_PRIVATE, Split.PRIVATE))
    if wanted.score_from is not None:
        query = query.where(_PRIVATE.primary >= wanted.score_from)
    if wanted.score_to is not None:
        query = query.where(_PRIVATE.primary <= wanted.score_to)
    return query


def _of_current(score: type[SplitScore], split: Split) -> sa.ColumnElement[bool]:
    return sa.and_(score.evaluation_id == Submission.current_evaluation_id, score.split == split)


def _ordered(query: _Query, order: Order, after: str) -> _Query:
    """Sorted, from behind the row that `after` names."""
    if order in (Order.NEWEST, Order.OLDEST):
        last = int(after) if after.isdecimal() and len(after) < 10 else None
        if order is Order.NEWEST:
            query = query if last is None else query.where(Submission.id < last)
            return query.order_by(Submission.id.desc())
        query = query if last is None else query.where(Submission.id > last)
        return query.order_by(Submission.id)
    by, split = (_PUBLIC, Split.PUBLIC) if order is Order.PUBLIC else (_SORTED, Split.PRIVATE)
    query, score = query.join(by, _of_current(by, split)), by.primary
    place = _place(after)
    if place is not None:
        value, number = place
        query = query.where(sa.or_(score < value, sa.and_(score == value, Submission.id < number)))
    return query.order_by(score.desc(), Submission.id.desc())


def _place(after: str) -> tuple[float, int] | None:
    value, _colon, number = after.partition(":")
    try:
        return float.fromhex(value), int(number)
    except (ValueError, OverflowError):
        return None


def _cursor(row: sa.Row[*tuple[Any, ...]], order: Order) -> str:
    if order in (Order.NEWEST, Order.OLDEST):
        return str(row.number)
    score: float = row.public if order is Order.PUBLIC else row.private
    return f"{score.hex()}:{row.number}"


def _shown(ids: Sequence[int]) -> sa.Select[*tuple[Any, ...]]:
    """What the table shows of these submissions."""
    return (
        sa.select(
            Submission.id.label("number"),
            Submission.public_id,
            Submission.filename,
            Submission.message,
            Submission.kind,
            Submission.declared,
            Submission.status,
            Submission.verdict,
            Submission.upload_started_at,
            Submission.voided_at,
            Submission.is_final_pick,
            Team.name.label("team_name"),
            Team.is_baseline,
            User.name.label("person"),
            Evaluation,
            _PUBLIC.primary.label("public"),
            _PRIVATE.primary.label("private"),
        )
        .join(Team, Team.id == Submission.team_id)
        .join(User, User.id == Submission.user_id)
        .outerjoin(Evaluation, Evaluation.id == Submission.current_evaluation_id)
        .outerjoin(_PUBLIC, _of_current(_PUBLIC, Split.PUBLIC))
        .outerjoin(_PRIVATE, _of_current(_PRIVATE, Split.PRIVATE))
        .options(
            load_only(
                Evaluation.verdict,
                Evaluation.flags,
                Evaluation.facts,
                Evaluation.answers_sha256,
                Evaluation.measure_sha256,
                Evaluation.images_sha256,
            )
        )
        .where(Submission.id.in_(ids))
    )


def _row(found: sa.Row[*tuple[Any, ...]], assignment: Assignment) -> StaffRow:
    evaluation: Evaluation | None = found.Evaluation
    return StaffRow(
        id=found.public_id,
        filename=found.filename,
        message=found.message,
        kind=found.kind,
        declared=found.declared,
        status=found.status,
        verdict=found.verdict,
        upload_started_at=found.upload_started_at,
        team_name=found.team_name,
        is_baseline=found.is_baseline,
        person=found.person,
        flags=tuple(flags_of(assignment, found.kind, evaluation)),
        is_voided=found.voided_at is not None,
        is_final_pick=found.is_final_pick,
        public=found.public,
        private=found.private,
        fault=evaluation.facts.get(FAULT, "") if evaluation else "",
    )
