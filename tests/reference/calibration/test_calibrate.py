"""`reference calibrate` as a whole: an assignment goes in, a scale that can be taken comes out."""

from __future__ import annotations

import dataclasses
import json
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from grader import Assignment
from grader.scoring.scale_file import load_scale
from reference import data
from reference.calibration import ladder
from reference.calibration.calibrate import calibrate
from reference.calibration.ladder import Rung
from reference.cli import cli
from reference.data import ImageSet
from reference.data.resampling import exponential_counts, long_tail
from reference.results import cards
from reference.submitting.assignments import write_assignment

TINY = (
    Rung(name="linear", recipe="linear_to_deep:linear", made_for=1),
    Rung(name="small", recipe="cnn_12s", made_for=1),
)


def reference(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def folder(digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as an assignment, with 250 images to train on."""
    few = dataclasses.replace(
        digits, train_images=digits.train_images[:250], train_labels=digits.train_labels[:250]
    )
    path = tmp_path_factory.mktemp("assignments") / "digits"
    write_assignment(few, path, seed=3)
    return path


@pytest.fixture(scope="module")
def calibrated(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a calibration with two small baselines left."""
    out = tmp_path_factory.mktemp("calibrations") / "digits"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ladder, "LADDER", TINY)
        calibrate(folder, out, minutes=60)
    return out


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "LADDER", TINY)


def test_every_seed_has_a_run_and_every_baseline_a_card(calibrated: Path):
    table = json.loads((calibrated / "calibration.json").read_text())

    assert [len(each["private"]) for each in table["baselines"]] == [10, 10]
    assert not table["ran_out"]
    for name in ("linear", "small"):
        card = json.loads((calibrated / "cards" / f"{name}.json").read_text())
        assert card["data"] == "digits"
        assert sorted(run["seed"] for run in card["entries"][0]["runs"]) == list(range(10))
        assert {"recipe", "title", "entries"} <= card.keys() & {
            each.name for each in dataclasses.fields(cards.Card)
        }


def test_scores_are_those_of_the_private_rows_alone(calibrated: Path, folder: Path):
    table = json.loads((calibrated / "calibration.json").read_text())
    key = Assignment.load(folder).answer_key()
    private = int((~key.public).sum())

    assert table["private_images"] == private
    for each in table["baselines"]:
        counts = np.array(each["private"]) * private
        assert np.allclose(counts, counts.round(), atol=1e-6)


def test_started_again_it_trains_nothing_and_says_the_same(
    calibrated: Path, folder: Path, tmp_path: Path, tiny: None
):
    shutil.copytree(calibrated, tmp_path / "again")
    told: list[str] = []

    calibrate(folder, tmp_path / "again", minutes=60, say=told.append)

    assert told == []
    for name in ("calibration.md", "scale.json", "grading.toml"):
        assert (tmp_path / "again" / name).read_text() == (calibrated / name).read_text()


@pytest.mark.parametrize("stated", ["", '\n[grading]  # ours\nsteps = "1.0-5.0"\n'])
def test_the_proposal_is_taken_once_and_makes_a_scale(
    calibrated: Path, folder: Path, tmp_path: Path, tiny: None, stated: str
):
    shutil.copytree(calibrated, tmp_path / "out")
    shutil.copytree(folder, tmp_path / "digits")
    settings = tmp_path / "digits" / "assignment.toml"
    settings.write_text(settings.read_text() + stated)
    how = ("--minutes", 60, "--out", tmp_path / "out", "--take")

    taken = reference("calibrate", tmp_path / "digits", *how)
    scale = load_scale(tmp_path / "digits", Assignment.open(tmp_path / "digits"))
    again = reference("calibrate", tmp_path / "digits", *how)

    assert taken.exit_code == 0, taken.output
    assert {knot.name for knot in scale.knots} == {"linear", "small"}
    assert settings.read_text().count("[grading]") == 1
    assert scale.ends == ((5.0, 1.0) if stated else (40.0, 100.0))
    assert "## Proposal" in taken.stdout
    assert again.exit_code == 2
    assert "has anchors already" in again.stderr


def test_what_takes_longer_than_students_may_train_is_no_anchor(
    calibrated: Path, folder: Path, tmp_path: Path, tiny: None
):
    shutil.copytree(folder, tmp_path / "digits")
    settings = tmp_path / "digits" / "assignment.toml"
    settings.write_text(f"{settings.read_text()}\n[grading]\ntraining_minutes = 0.00001\n")

    refused = reference("calibrate", tmp_path / "digits", "--out", tmp_path / "out")

    assert refused.exit_code == 2
    assert "two baselines don't fit" in refused.stderr
    assert not (tmp_path / "out" / "scale.json").exists()


def test_without_images_to_train_on_it_says_where_they_belong(folder: Path, tmp_path: Path):
    shutil.copytree(folder, tmp_path / "digits", ignore=shutil.ignore_patterns("train"))

    refused = reference("calibrate", tmp_path / "digits", "--out", tmp_path / "out")

    assert refused.exit_code == 5
    assert f"{tmp_path / 'digits' / 'train'} is not there" in refused.stderr


def test_a_long_tail_is_seen_in_the_training_images(digits: ImageSet):
    kept = long_tail(digits.train_labels, exponential_counts(10, 100, 10.0), seed=0)
    tailed = dataclasses.replace(
        digits, train_images=digits.train_images[kept], train_labels=digits.train_labels[kept]
    )

    names = {each.name for each in ladder.rungs(tailed, pretrained_allowed=False)}
    usual = {each.name for each in ladder.rungs(digits, pretrained_allowed=False)}

    assert names - usual == {"long_tail"}
    assert "fine_tuned" not in names


@pytest.mark.parametrize("rung", ladder.LADDER, ids=lambda each: each.name)
def test_each_rung_is_a_recipe_that_mirrors_nothing(rung: Rung, digits: ImageSet):
    recipe = ladder.recipe_of(rung, digits)

    assert recipe.name == rung.name
    assert not recipe.augmentation.flip
    assert recipe.training.epochs >= ladder.recipe_of(rung, digits, epochs=1).training.epochs


def three_assignments(home: Path) -> dict[str, Path]:
    """Digits, noisy Fashion-MNIST, and five of its classes as a long tail."""
    noisy, fashion = data.load("fashion-mnist-noisy"), data.load("fashion-mnist")
    train, test = fashion.train_labels < 5, fashion.test_labels < 5
    labels = fashion.train_labels[train]
    kept = long_tail(labels, exponential_counts(5, 5000, 50.0), seed=0)
    tail = dataclasses.replace(
        fashion,
        classes=fashion.classes[:5],
        train_images=fashion.train_images[train][kept],
        train_labels=labels[kept],
        test_images=fashion.test_images[test],
        test_labels=fashion.test_labels[test],
    )
    made = {}
    for name, images in {
        "digits": data.load("digits"),
        "noisy": dataclasses.replace(noisy, name="fashion-mnist"),
        "tail": tail,
    }.items():
        write_assignment(images, home / name, seed=1)
        made[name] = home / name
    return made


@pytest.mark.long
@pytest.mark.alone  # what fits into nine minutes depends on what else the machine does
@pytest.mark.timeout(3 * 900)
def test_three_assignments_are_calibrated_in_ten_minutes_each(fashion: ImageSet, tmp_path: Path):
    for name, path in three_assignments(tmp_path / "assignments").items():
        before = resource.getrusage(resource.RUSAGE_SELF)
        found = calibrate(path, tmp_path / "out" / name, minutes=9)
        after = resource.getrusage(resource.RUSAGE_SELF)

        assert found.proposal is not None, (name, found.why_none)
        assert len(found.proposal.anchors) >= 2, name
        assert after.ru_utime - before.ru_utime <= 2 * 600, name  # ten minutes on two cores
        assert ("long_tail" in {*found.left_out, *(b.name for b in found.baselines)}) == (
            name == "tail"
        )
