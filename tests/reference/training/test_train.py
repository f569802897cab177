"""The loop: what a run leaves, and that a seed decides it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from reference.data import ImageSet
from reference.errors import ModelError, RecipeError, RunError
from reference.recipe import recipe
from reference.recipe.recipe import ModelSettings, TrainingSettings
from reference.results.curves import plot_curves
from reference.training import evaluation
from reference.training.learner import is_better, new_model
from reference.training.parts import batches, divide
from reference.training.runs import CHECKPOINT, RECORD, RESULTS, RunRecord, load_model
from reference.training.train import train

CPU = torch.device("cpu")


def with_numbers(images: np.ndarray, *, first: int) -> np.ndarray:
    """The images, the first two pixels of each its number."""
    numbered = images.copy()
    numbers = np.arange(first, first + len(images))
    numbered[:, 0, 0, 0], numbered[:, 0, 0, 1] = numbers // 256, numbers % 256
    return numbered


def numbers_of(images: torch.Tensor) -> list[int]:
    return [256 * int(image[0, 0, 0]) + int(image[0, 0, 1]) for image in images]


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / CHECKPOINT)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, second[name]) for name, value in first.items())


def test_the_same_seed_gives_the_same_bits(run: Path, digits: ImageSet, tmp_path: Path):
    settings = recipe.load("small_cnn", data="digits")

    train(settings, digits, seed=3, out=tmp_path / "again", smoke=True)
    train(settings, digits, seed=4, out=tmp_path / "other", smoke=True)

    assert same(weights_of(run), weights_of(tmp_path / "again"))
    assert not same(weights_of(run), weights_of(tmp_path / "other"))


def test_run_leaves_what_it_measured(run: Path, record: RunRecord, digits: ImageSet):
    epochs = [json.loads(line) for line in (run / RESULTS).read_text().splitlines()]

    assert [each["epoch"] for each in epochs] == [1, 2]
    assert record.result["validation_accuracy"] == max(
        each["validation_accuracy"] for each in epochs
    )
    assert record.data["sha256"] == digits.fingerprint
    assert record.settings["training"]["optimiser"] == "sgd"
    assert record.environment["threads"] == 1


def test_test_accuracy_is_that_of_the_weights_that_are_kept(
    run: Path, record: RunRecord, digits: ImageSet
):
    scores = evaluation.predict(
        load_model(run), torch.from_numpy(digits.test_images.copy()), record.transform
    )

    right = scores.numpy().argmax(axis=1) == digits.test_labels
    assert record.result["test_accuracy"] == pytest.approx(right.mean(), abs=1e-12)


def test_training_learns(record: RunRecord):
    assert record.result["test_accuracy"] > 0.5


def test_validation_images_are_kept_from_training_and_the_test_set_from_both(digits: ImageSet):
    numbered = dataclasses.replace(
        digits,
        train_images=with_numbers(digits.train_images, first=0),
        test_images=with_numbers(digits.test_images, first=len(digits.train_images)),
    )

    parts = divide(numbered, recipe.load("lenet5"), seed=0, device=CPU, smoke=False)
    trained, validated, tested = (
        numbers_of(each.images) for each in (parts.training, parts.validation, parts.test)
    )

    every = range(len(digits.train_images) + len(digits.test_images))
    assert sorted([*trained, *validated, *tested]) == list(every)
    assert tested == list(every[len(digits.train_images) :])
    assert sorted(validated) == sorted(parts.validation_rows.tolist())
    assert len(validated) == pytest.approx(126, abs=5)
    for part, numbers in ((parts.training, trained), (parts.validation, validated)):
        assert np.array_equal(part.labels.numpy(), digits.train_labels[numbers])
    assert np.array_equal(parts.test.labels.numpy(), digits.test_labels)


def test_selection_looks_at_validation_only():
    best = TrainingSettings(epochs=1, batch_size=1, lr=1.0)
    last = dataclasses.replace(best, select="last", validation=0.0)
    kept = {"validation_accuracy": 0.8, "train_accuracy": 0.5}

    assert is_better({"validation_accuracy": 0.81, "train_accuracy": 0.1}, kept, best)
    assert not is_better({"validation_accuracy": 0.8, "train_accuracy": 0.9}, kept, best)
    assert is_better({"validation_accuracy": None}, {"validation_accuracy": None}, last)


def test_recipe_without_validation_trains_on_everything(digits: ImageSet, tmp_path: Path):
    settings = recipe.load("lenet5", data="digits")
    training = dataclasses.replace(settings.training, validation=0.0, select="last")

    record = train(
        dataclasses.replace(settings, training=training),
        digits,
        seed=0,
        out=tmp_path,
        smoke=True,
    )

    assert record.result["validation_accuracy"] is None
    assert record.result["epoch"] == 2


@pytest.mark.parametrize("name", ["lenet5", "simple_cnn"])
def test_optimisers_and_schedules_run(name: str, digits: ImageSet, tmp_path: Path):
    settings = recipe.load(name, data="digits")
    training = dataclasses.replace(
        settings.training,
        optimiser="adamw",
        lr=3e-3,
        schedule="step",
        period=0.5,
        init="xavier",
        label_smoothing=0.1,
        precision="bfloat16",
    )

    record = train(
        dataclasses.replace(settings, training=training),
        digits,
        seed=0,
        out=tmp_path,
        smoke=True,
    )

    assert record.result["test_accuracy"] > 0.5


@pytest.mark.parametrize(
    ("count", "size", "lengths"),
    [
        (9, 4, [4, 5]),
        (1281, 32, [32] * 39 + [33]),
        (8, 4, [4, 4]),
        (10, 4, [4, 4, 2]),
        (3, 1, [1, 1, 1]),
        (1, 4, [1]),
    ],
)
def test_no_batch_is_a_single_image_that_is_left(count: int, size: int, lengths: list[int]):
    found = batches(torch.arange(count), size)

    assert [len(each) for each in found] == lengths
    assert torch.equal(torch.cat(found), torch.arange(count))


def test_one_image_more_than_the_batches_take_is_trained_on(digits: ImageSet, tmp_path: Path):
    # this stem makes one value of each map, which can't be normalised by one image
    settings = dataclasses.replace(
        recipe.load("lenet5", data="digits"),
        model=ModelSettings(name="resnet18", size=32, options={"layers": (1, 1, 1, 1)}),
        training=TrainingSettings(epochs=1, batch_size=8, lr=0.1, validation=0.0, select="last"),
    )
    few = dataclasses.replace(
        digits, train_images=digits.train_images[:17], train_labels=digits.train_labels[:17]
    )

    assert train(settings, few, seed=0, out=tmp_path).result["epoch"] == 1


def test_a_loss_that_is_not_finite_leaves_json_that_every_reader_takes(
    digits: ImageSet, tmp_path: Path
):
    settings = recipe.load("lenet5", data="digits")
    training = dataclasses.replace(settings.training, lr=1e30, epochs=2, schedule="none", warmup=0)

    train(dataclasses.replace(settings, training=training), digits, seed=0, out=tmp_path)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    lines = (tmp_path / RESULTS).read_text().splitlines()
    epochs = [json.loads(line, parse_constant=refuse) for line in lines]
    record = json.loads((tmp_path / RECORD).read_text(), parse_constant=refuse)
    assert epochs[-1]["train_loss"] is None
    assert record["result"]["train_loss"] is None
    assert RunRecord.read(tmp_path).result["test_accuracy"] < 0.5
    assert plot_curves(tmp_path).stat().st_size > 1_000


def test_a_set_too_small_to_divide_is_refused(digits: ImageSet):
    few = dataclasses.replace(
        digits, train_images=digits.train_images[:20], train_labels=digits.train_labels[:20]
    )

    for share, kept in ((0.1, 0), (0.999, 20)):
        settings = recipe.load("lenet5")
        training = dataclasses.replace(settings.training, validation=share)
        settings = dataclasses.replace(settings, training=training)
        with pytest.raises(RecipeError, match=f"keeps {kept} of the 20 training images"):
            divide(few, settings, seed=0, device=CPU, smoke=False)


def test_a_model_that_does_not_take_the_images_is_refused():
    settings = dataclasses.replace(
        recipe.load("lenet5"), model=ModelSettings(name="lenet5", size=8)
    )

    with pytest.raises(ModelError, match="lenet5: images of 8×8 are too small"):
        new_model(settings, 10, 1)


def test_damaged_weights_are_named(run: Path, tmp_path: Path):
    for content in ((run / CHECKPOINT).read_bytes()[:-100], b"", b"\xff" * 16):
        shutil.copytree(run, tmp_path / "run", dirs_exist_ok=True)
        (tmp_path / "run" / CHECKPOINT).write_bytes(content)
        with pytest.raises(RunError, match=r"checkpoint\.safetensors can't be read"):
            load_model(tmp_path / "run")


def test_half_a_run_is_not_taken_for_one(run: Path, tmp_path: Path):
    with pytest.raises(RunError, match="no finished run"):
        RunRecord.read(tmp_path)
    (tmp_path / CHECKPOINT).write_bytes(b"")
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match="can't be read"):
        RunRecord.read(tmp_path)
    for broken in ("[]", "{}", '{"format": 1, "options": []}'):
        (tmp_path / "run.json").write_text(broken)
        with pytest.raises(RunError, match="can't be read"):
            RunRecord.read(tmp_path)
    (tmp_path / "run.json").write_text('{"format": 99}')
    with pytest.raises(RunError, match="format 99"):
        RunRecord.read(tmp_path)
