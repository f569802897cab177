"""The command `reference`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reference import cli, models
from reference.recipe import recipe
from reference.results import cards


def reference(*arguments: object) -> Result:
    return CliRunner().invoke(cli.cli, [str(each) for each in arguments])


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["rerun", "--help"]])
def test_help_and_list_need_no_training_library(arguments: list[str]):
    program = (
        "import sys; from reference.cli import cli; cli(sys.argv[1:], standalone_mode=False);"
        "sys.exit([name for name in ('torch', 'numpy', 'sklearn') if name in sys.modules] or 0)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60
    )

    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("name", sorted(cli.cli.commands))
def test_each_command_says_what_it_does_and_the_working_ones_give_an_example(name: str):
    shown = reference(name, "--help")

    assert shown.exit_code == 0
    assert "Example: " in shown.output or name == "list"


def test_list_names_every_model_and_recipe():
    text, listed = reference("list").stdout, json.loads(reference("list", "--json").stdout)

    assert [each["name"] for each in listed["models"]] == list(models.names())
    assert [each["name"] for each in listed["recipes"]] == list(recipe.names())
    assert all(name in text for name in (*models.names(), *recipe.names()))


def test_train_then_bundle_then_nothing_is_missing(tmp_path: Path):
    out = tmp_path / "run"

    trained = reference("train", "lenet5", "--data", "digits", "--quick", "--out", out, "--json")
    packed = reference("bundle", "lenet5", "--run", out, "--out", tmp_path / "bundles")

    assert trained.exit_code == 0, trained.output
    assert json.loads(trained.stdout)["test_images"] == 539
    assert "epoch 2/2" in trained.stderr
    assert packed.exit_code == 0, packed.output
    assert packed.stdout.split() == [
        str(tmp_path / "bundles" / "lenet5"),
        str(tmp_path / "bundles" / "lenet5.zip"),
    ]


def test_assignment_warns_staff_that_labels_can_be_looked_up(tmp_path: Path):
    written = reference("assignment", "digits", tmp_path / "digits", "--json")

    assert json.loads(written.stdout)["slug"] == "digits"
    assert "can look the hidden labels up" in written.stderr


def test_without_a_given_seed_two_folders_differ(tmp_path: Path):
    for name in ("one", "other"):
        reference("assignment", "digits", tmp_path / name)

    assert (tmp_path / "one/answers.csv").read_bytes() != (
        tmp_path / "other/answers.csv"
    ).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["train", "lenet"], 2, "did you mean lenet5"),
        (["train", "lenet5_as_reported", "--data", "digits"], 2, "does not say how to train"),
        (["train", "lenet5", "--data", "digit"], 2, "did you mean digits"),
        (["bundle", "lenet5", "--run", "nowhere"], 2, "no finished run"),
        (["assignment", "cifar-11", "x"], 5, "fashion-mnist, mnist, digits"),
        (["assignment", "generated-competition-form", "x"], 2, "fashion-mnist or digits"),
        (["assignment", "digits", "/dev/null/x"], 2, "/dev/null/x: Not a directory"),
        (["compare", "000.1"], 2, "no figure of a report is of row 000.1"),
        (["sweep", "lenet5_lr:0.5"], 2, "`reference train lenet5_lr:0.5` trains one"),
    ],
)
def test_refusals_are_one_sentence_and_an_exit_code(
    arguments: list[str], exit_code: int, words: str
):
    ended = reference(*arguments)

    assert ended.exit_code == exit_code
    assert words in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["assignment", "digits", "x", "--seed", "-1"], "-1 is not in the range"),
        (["sweep", "lenet5", "--plot", "x.docx"], "must end in .png, .svg, .pdf"),
        (["train", "lenet5", "--seed", "4294967296"], "4294967296 is not in the range"),
    ],
)
def test_wrong_options_are_told_before_anything_is_done(arguments: list[str], words: str):
    ended = reference(*arguments)

    assert ended.exit_code == 2
    assert words in ended.stderr


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path):
    (tmp_path / "file").touch()

    ended = reference(
        "train", "lenet5", "--data", "digits", "--quick", "--out", tmp_path / "file/x"
    )

    assert ended.exit_code == 2
    assert ended.stderr.splitlines()[-1].endswith("file/x: Not a directory")


def test_a_finished_run_is_neither_trained_over_nor_again(tmp_path: Path, run: Path):
    out = tmp_path / "run"
    shutil.copytree(run, out)  # small_cnn on the digits, seed 3, a smoke run
    record = json.loads((out / "run.json").read_text())
    told = ["train", "small_cnn", "--data", "digits", "--quick", "--out", out]
    before = (out / "run.json").stat().st_mtime_ns

    again = reference(*told, "--seed", "3", "--resume", "--json")
    assert "finished already" in again.stderr
    assert json.loads(again.stdout)["test_accuracy"] == record["result"]["test_accuracy"]
    assert (out / "run.json").stat().st_mtime_ns == before

    (out / "run.json").write_text(json.dumps({**record, "quick": False}))
    refused = reference(*told, "--seed", "4")
    assert refused.exit_code == 2
    assert "holds a finished run (small_cnn on digits, seed 3) of another" in refused.stderr

    (out / "run.json").write_text(json.dumps(record))
    assert reference(*told, "--seed", "4").exit_code == 0


def test_each_card_is_in_the_list_for_scripts():
    listed = json.loads(reference("card", "--json").stdout)

    assert sorted(each["recipe"] for each in listed) == list(cards.names())


def test_a_row_is_found_where_a_recipe_stands_for_two():
    shown = json.loads(reference("compare", "000.3", "--json").stdout)

    assert {each["recipe"] for each in shown["figures"]} == {"mynet_pro_augmentation_as_reported"}


def test_a_missing_extra_is_named(tmp_path: Path):
    program = (
        "import sys; sys.modules['tqdm'] = None; from reference.cli import main;"
        "sys.argv[1:] = ['train', 'lenet5', '--data', 'digits', '--out', sys.argv[1]]; main()"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, timeout=60
    )

    assert ended.returncode == 2
    extras = "reference,explain,search"
    assert f"this command needs tqdm: pip install 'gradewright[{extras}]'" in ended.stderr
