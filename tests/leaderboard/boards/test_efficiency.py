"""What a model costs is measured in its run and stands on the board where that is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from flask.testing import FlaskClient
from needs import NEEDS_SANDBOX
from small_site import PASSWORD, Api, Site, bundle_zip, make_site, predictions_csv, write_assignment

from leaderboard import create_app
from leaderboard.boards import efficiency


def board_page(client: FlaskClient) -> str:
    """The board as ann reads it."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)
    assert token is not None
    fields = {"csrf_token": token[1], "email": "ann@example.edu", "password": PASSWORD}
    assert client.post("/sign-in", data=fields).status_code == 303
    return client.get("/c/dl-1/a/animals/leaderboard").text


@NEEDS_SANDBOX
def test_parameters_size_and_time_of_a_code_bundle_stand_on_the_board(tmp_path: Path) -> None:
    scoring = 'efficiency = ["parameters", "checkpoint_mb", "seconds_per_1000"]'
    site = make_site(tmp_path, write_assignment(tmp_path / "animals", scoring=scoring))
    code = site.hand_in("ann", bundle_zip(), filename="bundle.zip")
    table = site.hand_in("bob", predictions_csv(site.folder, wrong=9))
    with site.worker():
        assert site.wait(code, seconds=240).verdict == site.wait(table).verdict == "OK"

    api = Api(create_app(state=site.state).test_client(), site.token("ann"))
    board = api.get("/courses/dl-1/assignments/animals/leaderboard").get_json()
    costs = {row["team_name"]: row["efficiency"] for row in board["rows"]}
    mine = next(cost for cost in costs.values() if cost)
    assert mine["parameters"] == 4
    assert 0 <= mine["checkpoint_mb"] < 0.01  # 84 bytes
    assert re.fullmatch(r"[\d.e-]+", str(mine["seconds_per_1000"]))
    assert mine["seconds_per_1000"] > 0
    assert sorted(map(bool, costs.values())) == [False, True]  # a CSV has no model to weigh
    page = board_page(api.client)
    assert re.search(r'data-efficiency="parameters">4<', page)
    assert re.search(r'data-efficiency="checkpoint_mb">[\d.e-]+ MB<', page)
    assert re.search(r'data-efficiency="seconds_per_1000">[\d.e-]+ s<', page)
    assert page.count('data-efficiency="parameters">–<') == 1


def test_a_board_that_does_not_ask_shows_no_costs(api: Callable[..., Api], site: Site) -> None:
    site.score(site.hand_in("ann", predictions_csv(site.folder)))
    board = api("ann").get("/courses/dl-1/assignments/animals/leaderboard").get_json()
    assert [row["efficiency"] for row in board["rows"]] == [{}]


def test_a_time_is_shown_to_one_digit() -> None:
    facts = {"parameters": 61_706, "seconds_per_1000": 0.0437, "wall_seconds": 3.2}
    wanted = ("parameters", "seconds_per_1000")
    assert efficiency.coarse(facts, wanted) == {"parameters": 61_706, "seconds_per_1000": 0.04}
