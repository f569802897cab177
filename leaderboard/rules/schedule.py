"""What holds for a team in an assignment: dates, late days, daily limit. Their only reader.

Staff can extend each of them for a team (Extension). Of several extensions the most generous one
holds, part by part, and none makes anything shorter than it is for the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

import grader
from grader.words.message import said
from leaderboard.errors import (
    AssignmentClosed,
    BadRequest,
)
from leaderboard.models import (
    Assignment,
    Course,
    Extension,
    Team,
)
from leaderboard.rules import catalog

YEARS: Final = range(1900, 9000)
"""Of what people type: a day more or another zone's midnight is a date as well."""


class Phase(StrEnum):
    """Where an assignment is for a team, by the clock and by what staff published."""

    UPCOMING = "upcoming"  # not open yet
    OPEN = "open"
    LATE = "late"  # after the due date; taken all the same, for late days or a penalty
    CLOSED = "closed"
    RELEASED = "released"  # the final results are out, which ends handing in whatever the dates say


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The dates and allowances of one team in one assignment; times are aware."""

    opens: datetime | None
    due: datetime | None
    closes: datetime | None
    daily_limit: int | None  # submissions a day; None where there is no limit
    late_days: int  # of the whole course
    zone: str  # which the dates are shown in: the assignment's own, else the course's
    is_extended: bool  # whether a date or the daily limit is another than for most

    @property
    def end(self) -> datetime | None:
        """The last second in which something may be handed in."""
        return self.closes or self.due


def terms(assignment: Assignment, team: Team | None, *, settings_toml: str = "") -> Terms:
    """Tell what holds for a team; for whoever has none, what holds for most. `settings_toml`:
    what would hold by these settings in place of the published ones."""
    course, is_baseline = assignment.course, bool(team and team.is_baseline)
    settings = settings_toml or assignment.settings_toml
    usual = _usual(settings, course.time_zone, course.late_days, is_baseline)
    standing = _standing(team)
    if not standing:
        return usual
    given = [each for each in standing if _is_about(each, assignment)]
    due = _latest(usual.due, [_moved(usual.due, each.due, each) for each in given])
    closes = _latest(usual.closes, [_closing(usual.due, usual.closes, each) for each in given])
    extra = max((each.daily_limit for each in given), default=0)
    limit = usual.daily_limit
    return replace(
        usual,
        due=due,
        closes=max(closes, due) if closes and due else closes,
        daily_limit=None if limit is None else limit + extra,
        late_days=late_days(course, team),
        is_extended=(due, closes) != (usual.due, usual.closes) or bool(limit and extra),
    )


@lru_cache(maxsize=256)
def _usual(settings_toml: str, course_zone: str, late_days: int, is_baseline: bool) -> Terms:
    """What holds where nothing is extended. Kept, as every hand-in asks for it ten times."""
    rules = catalog.rules_of(settings_toml)
    dates, limit = rules.schedule, rules.submission.daily_limit or None
    closes, due = dates.closes, dates.due
    return Terms(
        opens=dates.opens,
        due=due,
        closes=max(closes, due) if closes and due else closes,
        daily_limit=None if is_baseline else limit,
        late_days=late_days,
        zone=dates.time_zone or course_zone,
        is_extended=False,
    )


def late_days(course: Course, team: Team | None) -> int:
    """How many late days a team has for all assignments of a course together."""
    return course.late_days + max((each.late_days for each in _standing(team)), default=0)


def _standing(team: Team | None) -> list[Extension]:
    return [each for each in team.extensions if each.revoked_at is None] if team else []


def _is_about(extension: Extension, assignment: Assignment) -> bool:
    """Whether it is of this assignment, or of all that were not over when it was given."""
    if extension.assignment_id is not None:
        return extension.assignment_id == assignment.id
    dates = catalog.rules(assignment).schedule
    end = dates.closes or dates.due
    return end is None or end > extension.granted_at


def _moved(
    date: datetime | None, instead: datetime | None, extension: Extension
) -> datetime | None:
    if date is None:
        return None
    return instead or date + timedelta(hours=extension.hours)


def _closing(
    due: datetime | None, closes: datetime | None, extension: Extension
) -> datetime | None:
    """A later due date keeps the time after it in which late hand-ins are taken."""
    later = extension.due - due if extension.due and due else timedelta(hours=extension.hours)
    return extension.closes or (closes + later if closes else None)


def _latest(usual: datetime | None, others: Iterable[datetime | None]) -> datetime | None:
    return max((each for each in (usual, *others) if each is not None), default=None)


def zone_of(course: Course) -> ZoneInfo:
    """The time zone that the course's days are counted in."""
    return ZoneInfo(course.time_zone)


def written(rules: grader.Assignment) -> dict[str, datetime]:
    """The dates that an assignment's settings give, for everybody: those of `opens`, `due` and
    `closes` that are set."""
    dates = rules.schedule
    found = {"opens": dates.opens, "due": dates.due, "closes": dates.closes}
    return {name: moment for name, moment in found.items() if moment is not None}


def zone_written(rules: grader.Assignment, course: Course) -> ZoneInfo:
    """The zone that an assignment's settings name, else the course's."""
    return ZoneInfo(rules.schedule.time_zone or course.time_zone)


def penalty_per_day(assignment: Assignment) -> float:
    """Points of the grade that a day late costs which no late day pays for."""
    return catalog.rules(assignment).schedule.late_penalty_per_day


def moment_of(text: str, zone: str) -> datetime:
    """A moment in ISO 8601; one without an offset is meant in the zone.

    >>> moment_of("2026-12-14T23:59", "Asia/Shanghai").isoformat()
    '2026-12-14T23:59:00+08:00'

    Raises:
        BadRequest: it is something else.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadRequest(said("extension.no_time")) from None
    if moment.year not in YEARS:
        raise BadRequest(said("extension.no_time"))
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


def local_text(moment: datetime | None, course: Course) -> str:
    """A moment as browsers' fields write it, in the course's time; "" for none."""
    return f"{moment.astimezone(zone_of(course)):%Y-%m-%dT%H:%M}" if moment else ""


def course_day(moment: datetime, zone: ZoneInfo) -> str:
    """The calendar day of a moment, YYYY-MM-DD."""
    return moment.astimezone(zone).date().isoformat()


def next_midnight(moment: datetime, zone: ZoneInfo) -> datetime:
    """The start of the next calendar day, in UTC; days of 23 or 25 hours are counted right."""
    tomorrow = moment.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).astimezone(UTC)


def midnight_before(moment: datetime, zone: ZoneInfo) -> datetime:
    today = moment.astimezone(zone).date()
    return datetime.combine(today, time(), zone).astimezone(UTC)


def week_began(moment: datetime, zone: ZoneInfo) -> datetime:
    """The Monday's midnight before a moment, in UTC.

    >>> week_began(datetime(2026, 11, 27, tzinfo=UTC), ZoneInfo("Asia/Shanghai")).isoformat()
    '2026-11-22T16:00:00+00:00'
    """
    today = moment.astimezone(zone).date()
    return datetime.combine(today - timedelta(days=today.weekday()), time(), zone).astimezone(UTC)


def days_late(due: datetime | None, started_at: datetime, zone: ZoneInfo) -> int:
    """How many days after `due` an upload began: each begun day counts, the named second does not.

    A day ends when the clocks of the course show the time of `due` again, be it 23 or 25 hours
    later.

    >>> berlin = ZoneInfo("Europe/Berlin")
    >>> due = datetime(2026, 10, 24, 23, 59, 59, tzinfo=berlin)  # clocks go back in the next night
    >>> days_late(due, datetime(2026, 10, 25, 23, 59, 59, tzinfo=berlin), berlin)
    1
    >>> days_late(due, datetime(2026, 10, 26, 0, 0, 0, tzinfo=berlin), berlin)
    2
    """
    if due is None:
        return 0
    moment, due = started_at.replace(microsecond=0).astimezone(zone), due.astimezone(zone)
    if moment.timestamp() <= due.timestamp():
        return 0
    days = max(0, (moment.date() - due.date()).days)
    # moments, not readings of a clock: an hour that comes twice has both its halves
    end = due + timedelta(days=days)
    return days + (moment.timestamp() > end.timestamp())


def check_open(assignment: Assignment, team: Team, started_at: datetime) -> None:
    """Refuse a hand-in whose upload started out of time; the second that is named is still in time.

    Raises:
        AssignmentClosed: it is not open yet, or closed.
    """
    held = terms(assignment, team)
    now = phase(assignment, team, started_at)
    if now is Phase.UPCOMING and held.opens is not None:
        raise AssignmentClosed(said("assignment.not_open_yet", opens=_local(held.opens, held)))
    if now is Phase.CLOSED and held.end is not None:
        raise AssignmentClosed(said("assignment.closed", closed=_local(held.end, held)))
    if now is Phase.RELEASED:
        raise AssignmentClosed(said("assignment.released"))


def phase(assignment: Assignment, team: Team | None, at: datetime) -> Phase:
    """Where the assignment is at a moment, for a team or, without one, for most.

    The named second still counts. To baselines it is always open.
    """
    if team is not None and team.is_baseline:
        return Phase.OPEN
    if assignment.released_at is not None:
        return Phase.RELEASED
    held, moment = terms(assignment, team), at.replace(microsecond=0)
    if held.opens is not None and moment < held.opens:
        return Phase.UPCOMING
    if held.end is not None and moment > held.end:
        return Phase.CLOSED
    return Phase.LATE if held.due is not None and moment > held.due else Phase.OPEN


def last_end(session: Session, assignment: Assignment) -> datetime | None:
    """When the last team's time ends, extensions included; None where there is no end."""
    extended = sa.select(Team).where(Team.course_id == assignment.course_id, Team.extensions.any())
    ends = [terms(assignment, team).end for team in (None, *session.scalars(extended))]
    return None if ends[0] is None else max(each for each in ends if each is not None)


def check_opened(assignment: Assignment, team: Team | None, now: datetime) -> None:
    """Refuse what is to be had from the opening on alone, such as the test images.

    Raises:
        AssignmentClosed: it is not open yet.
    """
    held = terms(assignment, team)
    if held.opens is not None and now < held.opens:
        raise AssignmentClosed(said("assignment.not_open_yet", opens=_local(held.opens, held)))


def _local(moment: datetime, held: Terms) -> str:
    return f"{moment.astimezone(ZoneInfo(held.zone)):%Y-%m-%d %H:%M:%S} ({held.zone})"


def is_late(assignment: Assignment, team: Team, started_at: datetime) -> bool:
    """Whether an upload began after the second in which it was due for its team."""
    due = terms(assignment, team).due
    return due is not None and started_at.replace(microsecond=0) > due
