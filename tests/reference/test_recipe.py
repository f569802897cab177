"""Recipes: those that are shipped, and what is said of a mistake in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference import models, recipe
from reference.errors import RecipeError

GOOD = """\
title = "A recipe"
row = "1"
variant = "own"
data = "digits"

[model]
name = "lenet5"
kernel = 3

[training]
epochs = 1
batch_size = 8
lr = 0.1

[augmentation]
flip = true

[on.fashion-mnist.training]
epochs = 4
"""


def parse(text: str, *, data: str | None = None) -> recipe.Recipe:
    return recipe.parse(text, Path("recipes/own/tried.toml"), data=data)


@pytest.mark.parametrize("name", recipe.names())
def test_shipped_recipe_is_valid_and_its_model_can_be_built(name: str):
    shipped = recipe.load(name)

    assert models.find(shipped.model.name).build(10, **shipped.model.options)
    assert shipped.title
    assert bool(shipped.reason) == (shipped.variant == "corrected")
    assert bool(shipped.reported) == (shipped.variant == "as_reported")


def test_recipe_names_are_not_used_twice():
    assert len(set(recipe.names())) == len(recipe.names())


def test_each_corrected_recipe_has_one_as_reported():
    shipped = [recipe.load(name) for name in recipe.names()]

    corrected = {each.row for each in shipped if each.variant == "corrected"}
    assert corrected <= {each.row for each in shipped if each.variant == "as_reported"}


def test_lenet5_as_reported_is_the_reports():
    reported = recipe.load("002/lenet5_as_reported")

    assert reported.model.options == {"activation": "sigmoid", "pooling": "avg"}
    assert (reported.training.lr, reported.training.batch_size, reported.training.epochs) == (
        0.9,
        256,
        10,
    )
    assert (reported.training.optimiser, reported.training.momentum) == ("sgd", 0.0)
    assert (reported.training.init, reported.training.schedule) == ("xavier", "none")
    assert reported.reported["test_accuracy"] == 0.809


def test_a_recipe_is_read_as_it_is_written():
    read = parse(GOOD)

    assert (read.name, read.report) == ("tried", "own")
    assert read.model.options == {"kernel": 3}
    assert (read.training.epochs, read.training.select) == (1, "best")
    assert read.augmentation.flip


def test_a_recipe_says_how_it_differs_on_other_data():
    read = parse(GOOD, data="fashion-mnist")

    assert (read.data, read.training.epochs, read.training.lr) == ("fashion-mnist", 4, 0.1)


def test_data_that_a_recipe_says_nothing_of_is_refused():
    with pytest.raises(RecipeError, match="does not say how to train on 'cifar-10'"):
        parse(GOOD, data="cifar-10")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs = 1", "epoch = 1", r"tried.toml:11: unknown key 'epoch'; did you mean epochs\?"),
        ("flip = true", "flop = true", r":16: unknown key 'flop'; did you mean flip\?"),
        ("kernel = 3", "kernl = 3", r":8: lenet5 has no option 'kernl'; did you mean kernel\?"),
        ("kernel = 3", 'kernel = "3"', r":8: option 'kernel' of lenet5 takes int"),
        ('"lenet5"', '"lenet"', r":7: there is no model 'lenet'; did you mean lenet5\?"),
        ("lr = 0.1", 'lr = "0.1"', r":13: lr takes a number, not '0.1'"),
        ("lr = 0.1", "lr = 0", ":13: lr must be positive"),
        ("lr = 0.1", "", "'lr' is missing"),
        ("epochs = 1", "epochs = true", ":11: epochs takes a whole number, not True"),
        ("lr = 0.1", 'lr = 1\nschedule = "cosin"', "schedule takes 'none' or 'step' or"),
        ("lr = 0.1", "lr = 1\nvalidation = 0.0", 'or select = "last"'),
        ('variant = "own"', 'variant = "mine"', ":3: variant takes 'as_reported' or"),
        ('row = "1"', 'row = "1"\nname = "x"', "'name' is the file's own"),
        ("[training]", "[trainig]", r":10: unknown key 'trainig'; did you mean training"),
        ("[model]", "[[model]]", "model must be a table"),
        ('name = "lenet5"', "", "needs a name"),
        ("lr = 0.1", "lr = ", "Invalid value"),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, message: str):
    assert GOOD.count(old) == 1

    with pytest.raises(RecipeError, match=message):
        parse(GOOD.replace(old, new))


def test_unknown_recipe_is_told_the_nearest():
    with pytest.raises(RecipeError, match="did you mean small_cnn"):
        recipe.load("smal_cnn")


def test_recipe_of_ones_own_can_be_given_by_path(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD, encoding="utf-8")

    assert recipe.load(str(path)).name == "mine"
    with pytest.raises(RecipeError, match="there is no file"):
        recipe.load(str(tmp_path / "other.toml"))
