"""Deadlines, late days and limits, decided in the accepting transaction; on both databases."""

from __future__ import annotations

import doctest
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from databases import EACH_DATABASE
from hypothesis import given
from hypothesis import strategies as st
from small_site import Site, initialised_site, make_site, predictions_csv, write_assignment

from leaderboard.errors import AssignmentClosed, QuotaExceeded
from leaderboard.models import Course, QuotaEntry, Submission
from leaderboard.rules import lateness, schedule

BERLIN = ZoneInfo("Europe/Berlin")
SECOND = timedelta(seconds=1)


@pytest.fixture(params=EACH_DATABASE)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes a site on either database; its assignment as the arguments say."""
    made: list[Site] = []

    def site(*, zone: str = "Asia/Shanghai", late_days: int = 0, **assignment: Any) -> Site:
        folder = write_assignment(tmp_path / "animals", **assignment)
        if request.param == "sqlite":
            made.append(make_site(tmp_path, folder))
        else:
            url = request.getfixturevalue("new_database")()
            made.append(initialised_site(tmp_path, folder, database_url=url))
        with made[0].state.database.write() as session:
            course = session.get_one(Course, made[0].course.id)
            course.time_zone, course.late_days = zone, late_days
        return made[0]

    yield site
    for each in made:
        each.state.close()


def late(site: Site, public_id: str) -> tuple[int, int]:
    found = site.submission(public_id)
    return found.days_late, found.late_days_spent


def days_left(site: Site, name: str, slug: str = "animals") -> int:
    site.person(name)
    with site.state.database.reading() as session:
        return lateness.left(session, site.assignment(session, slug), site.team(session, name))


def test_the_examples_of_the_documentation_hold() -> None:
    assert doctest.testmod(lateness).failed == 0


def test_the_second_before_and_after_every_deadline(make: Callable[..., Site]) -> None:
    site = make(
        late_days=1,
        schedule="opens = 2026-10-01T00:00:00+08:00\ndue = 2026-10-05T23:59:59+08:00\n"
        "closes = 2026-10-07T23:59:59+08:00",
    )
    opens = datetime(2026, 9, 30, 16, tzinfo=UTC)
    due, closes = (datetime(2026, 10, day, 15, 59, 59, tzinfo=UTC) for day in (5, 7))
    content = [predictions_csv(site.folder, wrong=number) for number in range(8)]

    with pytest.raises(AssignmentClosed):
        site.hand_in("ann", content[0], at=opens - SECOND)
    assert late(site, site.hand_in("ann", content[0], at=opens)) == (0, 0)
    assert late(site, site.hand_in("ann", content[1], at=due)) == (0, 0)
    assert late(site, site.hand_in("ann", content[2], at=due + 0.999 * SECOND)) == (0, 0)
    assert late(site, site.hand_in("ann", content[3], at=due + SECOND)) == (1, 1)
    assert late(site, site.hand_in("ann", content[4], at=due + timedelta(days=1))) == (1, 1)
    assert late(site, site.hand_in("ann", content[5], at=due + timedelta(days=1) + SECOND)) == (
        2,
        1,
    )
    assert late(site, site.hand_in("ann", content[6], at=closes)) == (2, 1)
    with pytest.raises(AssignmentClosed):
        site.hand_in("ann", content[7], at=closes + SECOND)


@pytest.mark.parametrize(
    ("due", "hours"),
    [
        (datetime(2026, 3, 28, 23, 59, 59, tzinfo=BERLIN), 23),  # clocks go forward
        (datetime(2026, 10, 24, 23, 59, 59, tzinfo=BERLIN), 25),  # and back
        (datetime(2026, 10, 24, 2, 30, tzinfo=BERLIN), 24),  # the next day has 2:30 twice
    ],
)
def test_a_late_day_ends_when_the_clocks_show_the_same_time_again(
    due: datetime, hours: int
) -> None:
    begin, day = due.astimezone(UTC), timedelta(hours=hours)

    assert schedule.days_late(due, begin, BERLIN) == 0
    assert schedule.days_late(due, begin + SECOND, BERLIN) == 1
    assert schedule.days_late(due, begin + day, BERLIN) == 1
    assert schedule.days_late(due, begin + day + SECOND, BERLIN) == 2


@given(
    due=st.integers(0, 365 * 86_400).map(
        lambda seconds: datetime.fromtimestamp(1_767_222_000 + seconds, BERLIN)
    ),
    first=st.integers(0, 10 * 86_400),
    more=st.integers(0, 86_400),
)
def test_later_is_never_less_late_and_a_day_is_23_to_25_hours(
    due: datetime, first: int, more: int
) -> None:
    begin = due.astimezone(UTC)
    earlier = schedule.days_late(due, begin + first * SECOND, BERLIN)
    later = schedule.days_late(due, begin + (first + more) * SECOND, BERLIN)

    assert earlier <= later <= earlier + 2
    assert abs(earlier - first / 86_400) < 1 + 1.01 / 24


def test_late_days_are_a_teams_own_and_pay_each_assignment_once(
    make: Callable[..., Site], tmp_path: Path
) -> None:
    schedule = "due = 2026-10-05T23:59:59+08:00\ncloses = 2026-10-20T23:59:59+08:00"
    site = make(late_days=3, schedule=schedule)
    site.publish(write_assignment(tmp_path / "second", slug="second", schedule=schedule))
    due = datetime(2026, 10, 5, 15, 59, 59, tzinfo=UTC)
    content = [predictions_csv(site.folder, wrong=number) for number in range(5)]

    first = site.hand_in("ann", content[0], at=due + timedelta(hours=3))
    again = site.hand_in("ann", content[1], at=due + timedelta(hours=30))
    assert (late(site, first), late(site, again)) == ((1, 1), (2, 2))
    assert days_left(site, "ann") == 1  # two for the assignment, not three

    other = site.hand_in("ann", content[2], at=due + timedelta(hours=60), slug="second")
    assert late(site, other) == (3, 1)
    assert days_left(site, "ann") == 0
    assert days_left(site, "bob") == 3


def test_a_rejected_hand_in_costs_no_late_day(make: Callable[..., Site]) -> None:
    site = make(
        late_days=1,
        schedule="due = 2026-10-05T23:59:59+08:00\ncloses = 2026-10-20T23:59:59+08:00",
    )
    at = datetime(2026, 10, 6, 12, tzinfo=UTC)

    rejected = site.submission(site.hand_in("ann", b"id,label\nnonsense,1\n", at=at))

    assert rejected.verdict == "REJ"
    assert days_left(site, "ann") == 1


def test_fifty_parallel_uploads_of_one_team_take_exactly_the_limit(
    make: Callable[..., Site],
) -> None:
    site = make(daily_limit=5)
    site.person("ann")
    content = [predictions_csv(site.folder, wrong=number) for number in range(50)]
    outcomes: list[str] = []
    gate = threading.Barrier(50)

    def upload(number: int) -> None:
        gate.wait()
        try:
            site.hand_in("ann", content[number])
            outcomes.append("accepted")
        except QuotaExceeded:
            outcomes.append("refused")

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["accepted"] * 5 + ["refused"] * 45
    with site.state.database.reading() as session:
        assert session.scalar(sa.select(sa.func.sum(QuotaEntry.amount))) == 5
        assert session.scalar(sa.select(sa.func.count()).select_from(Submission)) == 5


def test_the_day_of_the_limit_is_the_courses_over_a_change_of_the_clocks(
    make: Callable[..., Site],
) -> None:
    site = make(daily_limit=1, zone="Europe/Berlin")
    content = [predictions_csv(site.folder, wrong=number) for number in range(3)]
    midnight = datetime(2026, 10, 26, tzinfo=BERLIN).astimezone(UTC)  # ends a day of 25 hours

    site.hand_in("ann", content[0], at=midnight - timedelta(hours=25))
    with pytest.raises(QuotaExceeded):
        site.hand_in("ann", content[1], at=midnight - SECOND)
    site.hand_in("ann", content[2], at=midnight)
