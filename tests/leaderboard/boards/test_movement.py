"""How far teams have moved since the day began."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from signing_in import signed_in
from small_site import Api, Site, predictions_csv

from leaderboard.assignments import release
from leaderboard.boards import movement, standings
from leaderboard.models import Split, User

BOARD = "/c/dl-1/a/animals/leaderboard"
# the course lives in Shanghai: its day begins at 16:00 of the day before in UTC
EVENING = datetime(2026, 10, 1, 15, 50, tzinfo=UTC)
MORNING = EVENING + timedelta(minutes=20)


def keep(site: Site, now: datetime) -> int:
    with site.state.database.session() as session:
        return movement.keep_ranks(session, now)


def scored(site: Site, who: str, wrong: int) -> None:
    site.score(site.hand_in(who, predictions_csv(site.folder, wrong=wrong)))


def moved(site: Site, split: Split = Split.PUBLIC) -> dict[str, int | None]:
    with site.state.database.reading() as session:
        board = standings.board(session, site.assignment(session), split)
        return {row.team_name: row.moved for row in board.rows}


@pytest.fixture
def raced(site: Site) -> Site:
    """Ann led in the evening; bob has overtaken her and cem since, and dan is new."""
    scored(site, "ann", 25)
    scored(site, "cem", 45)
    scored(site, "bob", 65)
    keep(site, EVENING)
    scored(site, "bob", 0)
    scored(site, "dan", 78)
    return site


def test_the_board_tells_who_moved_since_the_ranks_were_kept(raced: Site) -> None:
    assert moved(raced) == {"bob": 2, "ann": -1, "cem": -1, "dan": None}
    assert set(moved(raced, Split.PRIVATE).values()) == {None}


def test_ranks_are_kept_once_a_day_of_the_course(raced: Site) -> None:
    assert keep(raced, EVENING + timedelta(minutes=1)) == 0
    assert moved(raced)["bob"] == 2

    assert keep(raced, MORNING) == 1

    assert set(moved(raced).values()) == {0}


def test_a_released_board_is_left_alone(raced: Site) -> None:
    raced.person("ina")
    with raced.state.database.session() as session:
        actor = session.get_one(User, raced.person("ina").id)
        release.release(session, raced.assignment(session), actor=actor)

    assert keep(raced, MORNING) == 0


def test_keeping_takes_as_many_statements_for_many_teams_as_for_few(raced: Site) -> None:
    def statements(now: datetime) -> int:
        found: list[str] = []

        def note(_c: object, _u: object, statement: str, *_rest: object) -> None:
            found.append(statement)

        engine = raced.state.database.engine
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            keep(raced, now)
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        return len(found)

    few = statements(MORNING)
    for number in range(12):
        scored(raced, f"team{number}", number)
    assert statements(MORNING + timedelta(days=1)) == few


def test_page_and_api_tell_it(raced: Site, app: Flask) -> None:
    page = signed_in(app, "ann").get(BOARD).text
    assert page.count('class="since up"') == 1
    assert page.count('class="since down"') == 2
    assert "places moved since the day began" in page

    api = Api(client=app.test_client(), token=raced.token("ann"))
    rows = api.get("/courses/dl-1/assignments/animals/leaderboard").json["rows"]
    assert [row["moved"] for row in rows] == [2, -1, -1, None]
