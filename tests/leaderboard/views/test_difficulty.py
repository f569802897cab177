"""An assignment's results: planted wrong labels are found, answers are for instructors alone."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from commands import run
from forms import app_of
from PIL import Image
from signing_in import signed_in
from small_site import CLASSES, Site, answers, make_site, predictions_csv, write_assignment

from leaderboard.models import Role
from leaderboard.views.staff import difficulty

PAGE = "/staff/c/dl-1/a/animals/difficulty/"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, set[str]]:
    """Three labels of the key are wrong; four teams predict the true ones, with errors."""
    folder = tmp_path_factory.mktemp("planted")
    right = write_assignment(folder / "right")
    site = make_site(folder, spoiled := write_assignment(folder / "animals"))
    truth = answers(right)
    wrong = set(sorted(truth)[10:40:10])
    rows = [f"{name},{(label + (name in wrong)) % len(CLASSES)}" for name, label in truth.items()]
    (spoiled / "answers.csv").write_text("id,label\n" + "\n".join(rows) + "\n")
    site.publish(spoiled)
    for number, name in enumerate(("ann", "bob", "cem", "dee")):
        site.score(site.hand_in(name, predictions_csv(right, wrong=4, seed=number)))
    site.person("ada", Role.INSTRUCTOR)
    site.person("tom", Role.ASSISTANT)
    yield site, wrong
    site.state.close()


def test_labels_that_are_wrong_come_first(planted: tuple[Site, set[str]]) -> None:
    site, wrong = planted
    with site.state.database.reading() as session:
        found = difficulty.examine(session, site.state, site.assignment(session)).found
    assert {each.id for each in found.images[:3]} == wrong
    assert found.nobody >= 3
    assert all(each.right == 0 for each in found.images[:3])
    assert (len(found.teams), found.predictors) == (4, 4)
    shares = [each.right for each in found.classes]
    assert shares == sorted(shares)
    assert sum(each.images for each in found.classes) == 80


def test_the_sheet_holds_the_very_pictures(planted: tuple[Site, set[str]]) -> None:
    site, _wrong = planted
    with site.state.database.reading() as session:
        assignment = site.assignment(session)
        examined = difficulty.examine(session, site.state, assignment)
        loaded = site.state.catalog.load(assignment)
    sheet = Image.open(io.BytesIO(examined.sheet.sheet)).convert("L")
    place = {name: row for row, name in enumerate(loaded.ids())}
    for number, each in enumerate(examined.found.images):
        left, top = number % 16 * 8, number // 16 * 8
        tile = np.asarray(sheet.crop((left, top, left + 8, top + 8)))
        assert (tile == loaded.test_images()[place[each.id]]).all(), each.id


def test_assistants_and_students_see_no_answer(planted: tuple[Site, set[str]]) -> None:
    site, wrong = planted
    app = app_of(site)
    ada, tom, ann = (signed_in(app, name) for name in ("ada", "tom", "ann"))
    page = ada.get(PAGE).text
    assert all(f'data-image="{name}"' in page for name in wrong)
    assert ada.get(f"{PAGE}pictures").mimetype == "image/png"
    for_tom = tom.get(PAGE)
    assert for_tom.status_code == 200
    assert "data-image" not in for_tom.text
    assert "data-nobody" not in for_tom.text
    assert tom.get(f"{PAGE}pictures").status_code == 404
    assert ann.get(PAGE).status_code == 404


def test_the_command_prints_the_same(planted: tuple[Site, set[str]]) -> None:
    site, wrong = planted
    told = json.loads(
        run(site.settings.state_dir, "difficulty", "dl-1", "animals", "--json").stdout
    )
    assert {each["id"] for each in told["images"][:3]} == wrong


def test_an_assignment_without_entries_says_so(tmp_path: Path) -> None:
    made = make_site(tmp_path, write_assignment(tmp_path / "animals"))
    made.person("ada", Role.INSTRUCTOR)
    assert "Nothing is scored yet" in signed_in(app_of(made), "ada").get(PAGE).text
    made.state.close()
