"""A late hand-in costs late days and penalty only where it is the one that counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from small_site import Site, make_site, predictions_csv, write_assignment
from tampering import differences

from leaderboard.db import utcnow
from leaderboard.models import Course, User
from leaderboard.rules import lateness
from leaderboard.submissions import accept

NOW = utcnow().replace(microsecond=0)


def schedule(due: datetime) -> str:
    closes = NOW + timedelta(days=20)
    return f"due = {due.isoformat()}\ncloses = {closes.isoformat()}\nlate_penalty_per_day = 0.1\n"


DUE = NOW - timedelta(days=2, hours=5)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Two assignments, the first due two days ago, the second yesterday; two late days."""
    made = make_site(tmp_path, write_assignment(tmp_path / "animals", schedule=schedule(DUE)))
    second = write_assignment(
        tmp_path / "second", slug="second", schedule=schedule(NOW - timedelta(days=1))
    )
    lines = (second / "answers.csv").read_text().splitlines()
    (second / "answers.csv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    with made.state.database.write() as session:
        session.get_one(Course, made.course.id).late_days = 2
    made.publish(second)
    yield made
    made.state.close()


def hand_in(site: Site, wrong: int, *, at: datetime, slug: str = "animals") -> str:
    content = predictions_csv(site.folder, wrong=wrong, seed=wrong)
    public_id = site.hand_in("ann", content, at=at, slug=slug)
    site.score(public_id)
    return public_id


def left(site: Site) -> int:
    with site.state.database.reading() as session:
        found = site.assignment(session)
        return lateness.left(session, found, site.team(session, "ann"))


def penalty(site: Site, public_id: str) -> int:
    return lateness.penalty_days(site.submission(public_id))


def test_a_late_hand_in_that_is_worse_spends_no_late_day(site: Site) -> None:
    hand_in(site, 2, at=DUE - timedelta(hours=1))
    hand_in(site, 60, at=NOW)

    assert left(site) == 2
    assert penalty(site, hand_in(site, 3, at=NOW, slug="second")) == 0
    assert differences(site) == ()


def test_a_late_hand_in_that_counts_spends_them_and_the_next_is_penalised(site: Site) -> None:
    hand_in(site, 60, at=DUE - timedelta(hours=1))
    hand_in(site, 2, at=NOW)

    assert left(site) == 0
    assert penalty(site, hand_in(site, 3, at=NOW, slug="second")) == 1


def test_picking_the_one_in_time_gives_the_late_days_to_the_next_assignment(site: Site) -> None:
    in_time = hand_in(site, 60, at=DUE - timedelta(hours=1))
    hand_in(site, 2, at=NOW)
    second = hand_in(site, 3, at=NOW, slug="second")
    assert penalty(site, second) == 1

    with site.state.database.session() as session:
        accept.pick_finals(
            session,
            site.assignment(session),
            site.team(session, "ann"),
            [in_time],
            actor=session.get_one(User, site.person("ann").id),
            now=NOW,
        )

    assert penalty(site, second) == 0
    assert differences(site) == ()


def test_one_that_waits_for_its_result_holds_its_late_days(site: Site) -> None:
    site.hand_in("ann", predictions_csv(site.folder), at=NOW)

    assert left(site) == 0
