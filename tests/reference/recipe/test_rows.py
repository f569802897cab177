"""Every row of the reports is named by a recipe or by the module that does it."""

from __future__ import annotations

import importlib.util
import json

from click.testing import CliRunner

from reference import cli, models
from reference.recipe import recipe
from reference.recipe.rows import rows


def numbered(report: str, first: int, last: int) -> list[str]:
    return [f"{report}.{number}" for number in range(first, last + 1)]


# all that the course's inventory of the reports holds
INVENTORY = [
    *numbered("000", 1, 16),
    *numbered("001", 1, 10),
    *numbered("002", 1, 13),
    *numbered("003", 1, 16),
    *numbered("004", 1, 10),
]
OF_DATA_OR_RANKING = {"000.1", "001.1", "001.7"}
# what is put together of runs has no training of its own
OF_DATA_OR_RANKING |= {"003.14"}
# pictures of trained models
OF_DATA_OR_RANKING |= {"000.13", "002.11", "004.2"}
# what is measured, drawn or made smaller of any run, and what is read of a report
OF_DATA_OR_RANKING |= {"000.12", "000.14", "000.15", "000.16", "003.15", "003.16"}
MODELS = [
    *("linear", "mlp", "mlp_2", "lenet5_published", "lenet_tutorial"),
    *("lenet1", "lenet4", "lenet5", "simple_cnn", "mynet", "mynet_pro", "alexnet", "nin"),
    *(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
    "vgg16_small",
    *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
    *(f"se_resnet{depth}" for depth in (18, 34, 50)),
    *(f"resnext{depth}" for depth in (18, 50, 101)),
    *("wide_resnet50", "wide_resnet101", "shake_shake", "dlresnet18_a", "dlresnet18_b"),
    *("densenet121", "densenet161", "inception_v3"),
]


def test_every_row_of_the_inventory_is_listed():
    assert [row.name for row in rows()] == INVENTORY


def test_there_are_65_of_them():
    assert len(INVENTORY) == 65


def test_every_row_is_done_by_a_recipe_or_a_module():
    for row in rows():
        if row.name in OF_DATA_OR_RANKING:
            assert row.modules, row.name
        else:
            assert row.recipes, row.name


def test_every_named_module_is_there():
    for row in rows():
        for module in row.modules:
            assert importlib.util.find_spec(module), module


def test_recipes_name_known_rows_only():
    known = {row.name for row in rows()}

    for name in recipe.names():
        assert set(recipe.load(name).rows) <= known, name


def test_every_trained_row_of_a_report_is_there_as_reported_or_never_reported():
    variants = {row.name: set[str]() for row in rows()}
    for name in recipe.names():
        for row in recipe.load(name).rows:
            variants[row].add(recipe.load(name).variant)

    # rows that the report describes and does not train
    untrained = {"002.8", "002.10", "002.12", "002.13"}
    for row, found in variants.items():
        wanted = {"own"} if row in untrained else {"as_reported"}
        assert row in OF_DATA_OR_RANKING or wanted <= found, row


def test_list_shows_models_recipes_and_rows():
    shown = CliRunner().invoke(cli.cli, ["list"]).stdout
    listed = json.loads(CliRunner().invoke(cli.cli, ["list", "--json"]).stdout)

    assert set(MODELS) <= {each["name"] for each in listed["models"]} == set(models.names())
    assert [each["name"] for each in listed["rows"]] == INVENTORY
    by_name = {each["name"]: each for each in listed["models"]}
    assert by_name["resnet18"]["parameters"] == 11_689_512
    assert "arXiv:1512.03385" in by_name["resnet18"]["source"]
    for line in (
        "11,689,512",
        "3×224×224",
        "003.9",
        "schedules_cifar",
        "reference.data.resampling",
    ):
        assert line in shown
