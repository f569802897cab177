"""Recipes: those that are shipped, and what is said of a mistake in one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reference import models
from reference.errors import RecipeError
from reference.recipe import recipe

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


# rows for which the report says how something was trained and gives no figure
WITHOUT_FIGURES = {"001.8", "001.9", "001.10", "001.3", "001.4", "001.6", "004.6"}


def every_case(name: str) -> list[recipe.Recipe]:
    whole = recipe.load(name)
    return [whole, *(recipe.load(f"{name}:{case.name}") for case in whole.cases)]


@pytest.mark.parametrize("name", recipe.names())
def test_shipped_recipe_is_valid_and_its_models_can_be_built(name: str):
    for shipped in every_case(name):
        entry = models.find(shipped.model.name)
        with torch.device("meta"):
            model = entry.build(
                10,
                channels=shipped.model.channels or entry.channels,
                size=shipped.model.size or entry.size,
                **shipped.model.options,
            )
        assert model, shipped.full_name


@pytest.mark.parametrize("name", recipe.names())
def test_shipped_recipe_says_why_it_differs_and_what_was_reported(name: str):
    cases = every_case(name)
    whole = cases[0]

    assert whole.title
    assert bool(whole.reason) == (whole.variant == "corrected")
    has_figures = any(each.reported for each in cases)
    silent = set(whole.rows) <= WITHOUT_FIGURES
    assert has_figures == (whole.variant == "as_reported" and not silent)


def test_recipe_names_are_not_used_twice():
    assert len(set(recipe.names())) == len(recipe.names())


def test_each_corrected_recipe_has_one_as_reported():
    shipped = [recipe.load(name) for name in recipe.names()]

    corrected = {row for each in shipped if each.variant == "corrected" for row in each.rows}
    assert corrected <= {
        row for each in shipped if each.variant == "as_reported" for row in each.rows
    }


@pytest.mark.parametrize("name", recipe.names())
def test_data_of_a_shipped_recipe_can_be_loaded_by_name(name: str):
    from reference import data

    whole = recipe.load(name)
    known = set(data.names())
    assert whole.data in known
    assert whole.stand_in in {"", *known}
    if whole.data in {"marine", "eurosat", "competition", "cifar-100", "cifar-100-coarse"}:
        assert recipe.load(name, data=whole.stand_in).data == whole.stand_in


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


CASES = """
[[case]]
name = "small"
model = { kernel = 4 }
training = { lr = 0.2 }
reported = { test_accuracy = 0.7 }

[[case]]
name = "long"
training = { epochs = 9, milestones = [0.3, 0.6], schedule = "multistep" }
"""


def test_a_case_changes_what_it_names_and_nothing_else():
    text = GOOD + CASES

    whole = parse(text)
    small = recipe.parse(text, Path("recipes/own/tried.toml"), case="small")
    long = recipe.parse(text, Path("recipes/own/tried.toml"), case="long", data="fashion-mnist")

    assert [case.name for case in whole.cases] == ["small", "long"]
    assert (whole.full_name, small.full_name) == ("tried", "tried-small")
    assert (small.model.options, small.training.lr) == ({"kernel": 4}, 0.2)
    assert small.training.epochs == whole.training.epochs == 1
    assert (whole.reported, small.reported) == ({}, {"test_accuracy": 0.7})
    # what a case says comes after what the data say
    assert (long.training.epochs, long.training.milestones) == (9, (0.3, 0.6))
    assert long.data == "fashion-mnist"


def test_figures_of_other_data_are_not_mixed_with_the_recipes_own():
    text = GOOD.replace(
        "[on.fashion-mnist.training]",
        "[on.fashion-mnist]\nreported = { test_accuracy = 0.9 }\n[on.fashion-mnist.training]",
    )
    text += "[reported]\ntrain_loss = 0.3\n"

    assert parse(text).reported == {"train_loss": 0.3}
    assert parse(text, data="fashion-mnist").reported == {"test_accuracy": 0.9}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[[case]]\nname = 'x'\ntraining = { lrr = 1 }", "unknown key 'lrr'; did you mean lr"),
        ("[[case]]\nname = 'x'\nmodel = { kernl = 1 }", "no option 'kernl'; did you mean"),
        ("[[case]]\nnam = 'x'", r"tried.toml:\d+: unknown key 'nam'; did you mean name"),
        ("[[case]]\ntraining = { lr = 1.0 }", "'name' is missing"),
        ("[[case]]\nname = 'x'\n[[case]]\nname = 'x'", "case names must not repeat"),
        ("[case]\nname = 'x'", "case must be a list of tables"),
        ("[on.mnist.training]\nepoch = 2", "unknown key 'epoch'; did you mean epochs"),
        ("[on.mnist.trainig]\nepochs = 2", "unknown key 'trainig'"),
    ],
)
def test_cases_and_other_data_are_checked_even_when_not_chosen(written: str, message: str):
    with pytest.raises(RecipeError, match=message):
        parse(f"{GOOD}\n{written}\n")


def test_an_unknown_case_is_told_the_nearest():
    with pytest.raises(RecipeError, match=r"no case '0\.8'; did you mean"):
        recipe.load("lenet5_lr_as_reported:0.8")
    with pytest.raises(RecipeError, match="no case 'x'"):
        recipe.load("lenet5:x")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ('schedule = "step"', "period"),
        ("period = 0.3", 'goes with schedule = "step"'),
        ('schedule = "step"\nperiod = 30', "period must be a share"),
        ('schedule = "multistep"', "milestones"),
        ('schedule = "multistep"\nmilestones = [0.4, 0.2]', "milestones must be shares"),
        ('schedule = "multistep"\nmilestones = [60, 80]', "milestones must be shares"),
        ('schedule = "multistep"\nmilestones = 0.4', "milestones takes a list, each a number"),
        ('schedule = "one_cycle"', "warmup must be positive"),
        ('schedule = "plateau"\nvalidation = 0.0\nselect = "last"', "needs validation images"),
        ('early_stopping = 3\nvalidation = 0.0\nselect = "last"', "needs validation images"),
        ('optimiser = "sgdm"', "optimiser takes 'sgd' or 'adam' or 'adam_beta2_099'"),
        ('loss = "hinge"', "loss takes 'cross_entropy' or 'class_weighted'"),
        ("gamma = 1.5", "gamma must be between"),
        ("momentum = -0.9", "momentum must be from 0 to below 1"),
        ("momentum = nan", "momentum must be from 0 to below 1"),
        ("weight_decay = -1.0", "weight_decay must not be negative"),
    ],
)
def test_training_settings_that_contradict_each_other_are_refused(changed: str, message: str):
    with pytest.raises(RecipeError, match=message):
        parse(GOOD.replace("lr = 0.1", f"lr = 0.1\n{changed}"))


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
        ("lr = 0.1", "lr = inf", ":13: lr must be positive"),
        ("kernel = 3", "kernel = 0", r":8: option 'kernel' of lenet5 can't be 0"),
        ("kernel = 3", "stride = -1", r":8: option 'stride' of lenet5 can't be -1"),
        ("kernel = 3", "channels = -1", ":8: channels must not be negative"),
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
        ("lr = 0.1", f"lr = {'[' * 5000}", "tried.toml: maximum recursion depth"),
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
