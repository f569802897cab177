"""The joint grade over an assignment group, by weights."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import run
from graded import scored, staff, write_graded
from signing_in import signed_in
from small_site import Site, make_site

from grader.scoring.grading import GERMAN, Steps
from grader.scoring.joint import Part, joint_grade
from leaderboard import create_app

GRADES = "/staff/courses/dl-1/grades"


def write_part(folder: Path, slug: str, weight: float) -> Path:
    made = write_graded(folder / slug, slug=slug)
    toml = made / "assignment.toml"
    text = toml.read_text().replace("\n[data]", '\ngroup = "homework-1"\n[data]', 1)
    toml.write_text(text + f"weight = {weight}\n")
    return made


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = make_site(tmp_path, write_part(tmp_path, "animals", 1))
    made.publish(write_part(tmp_path, "birds", 3))
    yield made
    made.state.close()


def test_a_joint_grade_is_the_weighted_mean_made_a_step(site: Site) -> None:
    boss = staff(create_app(state=site.state), site)
    scored(site, "ann", 5)
    scored(site, "ann", 40, slug="birds")
    scored(site, "bob", 5)  # nothing in the other part

    [group] = boss.get(GRADES).get_json()["items"]
    ann, bob = group["items"]

    one, other = (float(part["written"]) for part in ann["parts"])
    assert (group["group"], ann["mean"]) == ("homework-1", pytest.approx((one + 3 * other) / 4))
    assert float(ann["written"]) == min(GERMAN, key=lambda step: abs(step - ann["mean"]))
    assert ann["explanation"]["text"].startswith(
        f"(1 × {ann['parts'][0]['written']} + 3 × {ann['parts'][1]['written']}) / 4 = "
    )
    assert (bob["state"], bob["written"], bob["mean"]) == ("missing", "", None)


def test_what_is_excused_weighs_nothing(site: Site) -> None:
    boss = staff(create_app(state=site.state), site)
    scored(site, "ann", 5)
    boss.post(
        "/staff/courses/dl-1/assignments/birds/grades/decisions",
        whom="ann@example.edu",
        kind="excused",
        reason="Ill.",
    )

    [ann] = boss.get(GRADES).get_json()["items"][0]["items"]

    assert ann["written"] == ann["parts"][0]["written"]
    assert ann["parts"][1]["state"] == "excused"


def test_the_page_and_the_command_say_the_same(site: Site) -> None:
    app = create_app(state=site.state)
    staff(app, site)
    scored(site, "ann", 5)
    scored(site, "ann", 40, slug="birds")
    boss = signed_in(app, "boss")

    page = boss.get("/staff/c/dl-1/grades/").text
    file = boss.get("/staff/c/dl-1/grades/homework-1.csv").data
    told = run(site.settings.state_dir, "joint-grades", "dl-1", "homework-1").stdout

    [row] = csv.DictReader(io.StringIO(told))
    assert f"<strong>{row['grade']}</strong>" in page
    assert file == told.encode("utf-8-sig")
    assert boss.get("/staff/c/dl-1/grades/homework-9.csv").status_code == 404


def test_a_mean_of_nothing_is_none_and_weights_are_no_debts() -> None:
    steps = Steps(grades=GERMAN, best_is_high=False)
    part = Part(given=2.0, written="2", weight=0)

    assert joint_grade([part], steps) is None
    assert joint_grade([], None) is None
    with pytest.raises(ValueError, match="not negative"):
        joint_grade([Part(given=2.0, written="2", weight=-1)], steps)
