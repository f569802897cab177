"""What a run is made of, its ROC curves, and its smaller forms."""

from __future__ import annotations

import ast
import copy
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from reference import cli, models
from reference.data import ImageSet
from reference.inspecting import roc, smaller
from reference.inspecting.show import plan
from reference.recipe import recipe
from reference.training.runs import Answers, load_model

ROOT = Path(__file__).parents[3]


def test_show_prints_model_loop_recipe_and_plan_in_order():
    shown = CliRunner().invoke(cli.cli, ["show", "lenet5"]).stdout

    heads = ["# lenet.py", "class LeNet5(", "# loop.py", "def fit(", "# lenet5.toml", "[training]"]
    places = [shown.index(each) for each in (*heads, "# What will happen", "1. Load fashion-mnist")]
    assert places == sorted(places)
    assert "def prepare(" not in shown


def test_the_loop_stands_alone_and_is_short():
    from reference.inspecting.show import LOOP

    text = LOOP.read_text(encoding="utf-8")
    assert text.count("\ndef ") == 1
    assert len(text[text.index("\ndef fit") :].splitlines()) <= 70


def opened_by(path: Path) -> set[Path]:
    """The files of the reference that importing one of them imports, itself included."""
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        for node in ast.parse(each.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reference"):
                place = ROOT.joinpath(*str(node.module).split("."))
                named = [place / f"{alias.name}.py" for alias in node.names]
                named += [place / alias.name / "__init__.py" for alias in node.names]
                folders = [ROOT.joinpath(*place.relative_to(ROOT).parts[:k]) for k in range(1, 5)]
                inits = [folder / "__init__.py" for folder in folders]
                waiting += [
                    file for file in (*named, place.with_suffix(".py"), *inits) if file.is_file()
                ]
    return seen


def test_a_plain_run_opens_no_more_files_than_it_needs():
    # what the command `train` imports when it runs, and the model's family
    starts = ["cli", "recipe/stand_in", "results/collection", "results/curves", "training/train"]
    files = [ROOT / "reference" / f"{name}.py" for name in (*starts, "models/lenet")]
    opened = set[Path]().union(*(opened_by(path) for path in files))
    read = [path for path in opened if len(path.read_text(encoding="utf-8").splitlines()) > 1]

    assert len(read) <= 33, sorted(path.relative_to(ROOT).as_posix() for path in read)
    names = {path.name for path in read}
    assert {"loop.py", "learner.py", "steps.py", "parts.py", "lenet.py", "idx.py"} <= names
    assert not names & {"pretrained.py", "freezing.py", "cifar.py", "resampling.py", "commands.py"}


@pytest.mark.parametrize("name", recipe.names())
def test_every_recipe_has_a_plan(name: str):
    told = plan(recipe.load(name))

    assert told[0].startswith("Load ")
    assert told[-2].endswith("read the test images once.")
    for step in recipe.load(name).augmentation.steps:
        assert any(f"{step} " in each for each in told), step


def test_steps_are_told_in_the_recipes_order():
    told = plan(recipe.load("mynet_pro_as_reported"))

    batch = next(each for each in told if each.startswith("Each batch"))
    names = [each.split()[0] for each in batch.split(": ")[1].split(" → ")]
    assert names == ["enlarge", "crop_scale", "flip", "rotate", "grayscale", "normalise"]


def test_curves_are_scikit_learns(run: Path, digits: ImageSet):
    from sklearn.metrics import auc, roc_curve

    chances = torch.softmax(Answers.read(run).test.double(), dim=1).numpy()

    for k, ours in enumerate(roc.curves(run)):
        theirs = roc_curve(digits.test_labels == k, chances[:, k], drop_intermediate=True)
        assert ours is not None
        area = auc(ours.false_positive_rate, ours.true_positive_rate)
        assert area == pytest.approx(auc(theirs[0], theirs[1]), abs=1e-12)


def test_classes_are_told_best_first_and_the_worst_on_validation_weighs_most(run: Path):
    told = roc.told(run)

    assert [each.area for each in told] == sorted((each.area for each in told), reverse=True)
    assert sum(each.weight for each in told) == pytest.approx(10, abs=1e-4)
    shown = CliRunner().invoke(cli.cli, ["roc", str(run)])
    assert shown.exit_code == 0, shown.output
    assert (run / roc.CURVES).stat().st_size > 10_000
    assert (run / roc.EPOCHS).stat().st_size > 10_000
    assert len(shown.stdout.splitlines()) == 10


def test_eight_bits_are_a_quarter_and_answer_alike(run: Path):
    whole, *others = smaller.smaller(run)

    forms = {each.how: each for each in others}
    assert forms["8 bits"].size_bytes / whole.size_bytes == pytest.approx(0.25, abs=0.02)
    assert forms["8 bits"].accuracy == pytest.approx(whole.accuracy, abs=0.01)
    assert forms["90% pruned"].size_bytes < 0.2 * whole.size_bytes
    assert len(others) == 9


def test_each_form_changes_weights_as_it_says(run: Path):
    model = load_model(run)

    rounded, few = copy.deepcopy(model), copy.deepcopy(model)
    smaller.quantise(rounded, 4)
    smaller.prune(few, 0.5)
    for each in rounded.modules():
        if isinstance(each, nn.Conv2d):
            assert all(len(channel.unique()) <= 15 for channel in each.weight.flatten(1))
    weights = torch.cat([each.flatten() for each in smaller._weights(few)])
    assert weights.eq(0).float().mean().item() == pytest.approx(0.5, abs=0.01)


def test_a_matrix_is_cut_to_the_nearest_of_its_rank():
    torch.manual_seed(0)
    model = models.find("mlp").build(10, size=8)
    extra = nn.Sequential(model, nn.Linear(64, 48))
    before = extra[1].weight.detach().clone()

    bits = smaller.factorise(extra, 0.25)

    values = torch.linalg.svdvals(before)
    assert int(torch.linalg.matrix_rank(extra[1].weight)) == 12
    lost = (extra[1].weight - before).norm()
    assert torch.allclose(lost, values[12:].norm(), rtol=1e-4)
    assert bits < 32 * sum(each.numel() for each in extra.parameters())
