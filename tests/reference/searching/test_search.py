"""Searches: that one which was killed ends as it would have, and that a winner is measured anew."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import warnings
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reference import cli
from reference.data import ImageSet
from reference.errors import RecipeError, RunError
from reference.recipe import recipe
from reference.recipe.recipe import Recipe, with_settings
from reference.recipe.settings import Range

optuna = pytest.importorskip("optuna")

from reference.searching import confirming, plots  # noqa: E402
from reference.searching import search as searching  # noqa: E402
from reference.searching.search import STORAGE, ended, search  # noqa: E402

SEED = 5


class Killed(BaseException):
    """What ends a process in the middle of a trial."""


@pytest.fixture(scope="module")
def few(digits: ImageSet) -> ImageSet:
    """So few digits that a trial is a fraction of a second."""
    return dataclasses.replace(
        digits, train_images=digits.train_images[:300], train_labels=digits.train_labels[:300]
    )


@pytest.fixture(scope="module")
def settings() -> Recipe:
    return recipe.load("search")


def seen(study: Any) -> list[tuple[Any, ...]]:
    return [(each.user_attrs["place"], each.params, each.value) for each in ended(study)]


def kill_in(monkeypatch: pytest.MonkeyPatch, trials: set[int]) -> None:
    """Let the training of these trials, counted from when this is called, die after an epoch."""
    begun = iter(range(10_000))
    whole = searching.train

    def train(*given: Any, watch: Any, **named: Any) -> Any:
        dies = next(begun) in trials

        def dying(measured: dict[str, Any]) -> None:
            try:
                watch(measured)
            finally:
                if dies:
                    raise Killed

        return whole(*given, watch=dying, **named)

    monkeypatch.setattr(searching, "train", train)


@pytest.mark.parametrize(
    ("trials", "killed"),
    [(13, {2, 12}), pytest.param(40, {3, 11, 12, 30, 41}, marks=pytest.mark.long)],
)
def test_a_search_that_was_killed_ends_with_the_same_trials(
    trials: int,
    killed: set[int],
    few: ImageSet,
    settings: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    whole = search(settings, few, tmp_path / "whole", trials=trials, seed=SEED)
    kill_in(monkeypatch, killed)
    died = 0
    while True:
        try:
            resumed = search(settings, few, tmp_path / "resumed", trials=trials, seed=SEED)
            break
        except Killed:
            died += 1

    assert died == len(killed)
    assert len(ended(resumed)) == trials
    assert seen(resumed) == seen(whole)
    assert resumed.best_trial.user_attrs["place"] == whole.best_trial.user_attrs["place"]
    assert resumed.best_params == whole.best_params
    assert resumed.best_value == whole.best_value
    early = [each for each in ended(whole) if each.state == optuna.trial.TrialState.PRUNED]
    assert early or trials < 40
    drawn = plots.plot(resumed, tmp_path)
    assert all(path.stat().st_size > 5_000 for path in drawn)
    assert sum(plots.importances(resumed).values()) == pytest.approx(1.0)
    assert [path.name for path in drawn] == ["importance.png", "parallel.png"]


def test_a_search_of_something_else_is_not_gone_on_with(
    few: ImageSet, settings: Recipe, tmp_path: Path
):
    searching.open_study(settings, few, tmp_path, seed=0)
    other = with_settings(settings, {"training.epochs": 3})

    with pytest.raises(RunError, match=r"its recipe differs\): give another --out"):
        searching.open_study(other, few, tmp_path, seed=0)
    with pytest.raises(RunError, match=r"its seed differs"):
        searching.open_study(settings, few, tmp_path, seed=1)
    assert sqlite3.connect(tmp_path / STORAGE).execute("select count(*) from studies").fetchone()


def test_what_can_not_be_searched_says_why(few: ImageSet, settings: Recipe, tmp_path: Path):
    with pytest.raises(RecipeError, match=r"has no \[search\] table"):
        search(recipe.load("lenet5"), few, tmp_path, trials=1, seed=0)
    blind = with_settings(settings, {"training.select": "last", "training.validation": 0.0})
    with pytest.raises(RecipeError, match="no validation images to judge trials on"):
        search(blind, few, tmp_path, trials=1, seed=0)


def test_settings_are_changed_by_name_and_checked():
    known = recipe.load("mynet_pro")

    changed = with_settings(known, {"training.lr": 0.5, "model.dropout": 0.1, "model.size": 64})

    assert (changed.training.lr, changed.model.size) == (0.5, 64)
    assert changed.model.options["dropout"] == 0.1
    with pytest.raises(RecipeError, match=r"\[training\] has no setting 'rate'"):
        with_settings(known, {"training.rate": 0.5})
    with pytest.raises(RecipeError, match="lr must be positive"):
        with_settings(known, {"training.lr": -1.0})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('"lr" = { low = 1.0, high = 2.0 }', r'names settings as "training.lr", not .lr.'),
        ('"training.lr" = { low = 2.0, high = 1.0 }', "low must be below high"),
        ('"training.lr" = { high = 1.0, log = true }', "low must be positive with log"),
        ('"training.lr" = { low = 1.0, choices = [1, 2] }', "choices go without low"),
        ('"training.lr" = { lowest = 1.0 }', "unknown key 'lowest'; did you mean low"),
    ],
)
def test_a_range_that_makes_no_sense_names_its_line(table: str, message: str):
    text = recipe._find("search").read_text(encoding="utf-8")
    broken = f"{text.partition('[search]')[0]}[search]\n{table}\n"

    with pytest.raises(RecipeError, match=message):
        recipe.parse(broken, Path("recipes/own/tried.toml"))


def test_every_searched_setting_is_one_that_its_recipe_has():
    for name in recipe.names():
        known = recipe.load(name)
        for key, within in known.search.items():
            assert isinstance(within, Range)
            whole = int(within.low) if within.whole else within.low
            with_settings(known, {key: within.choices[0] if within.choices else whole})


def test_a_winner_is_measured_with_fresh_seeds_beside_the_recipe(
    few: ImageSet, settings: Recipe, tmp_path: Path
):
    found = confirming.confirm(settings, {"training.lr": 1e-5}, 0.93, few, tmp_path, seeds=(7, 8))
    again = confirming.confirm(settings, {"training.lr": 1e-5}, 0.93, few, tmp_path, seeds=(7, 8))

    assert found == again
    assert found.gain.mean == pytest.approx(found.winner.mean - found.recipe.mean)
    assert found.gain.mean < -0.1  # nothing is learnt at this rate, whatever the search said
    assert "a validation accuracy of .9300. With fresh seeds it has" in str(found)


def test_the_command_searches_and_confirms(tmp_path: Path):
    with warnings.catch_warnings():
        arguments = ["search", "search", "--trials", "2", "--fresh", "0", "--json"]
        ran = CliRunner().invoke(cli.cli, [*arguments, "--out", str(tmp_path)])

    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    assert found["trials"] == 2
    assert 0 < found["validation_accuracy"] <= 1
    assert set(found["settings"]) == set(recipe.load("search").search)
