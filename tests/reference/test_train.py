"""The loop: what a run leaves, and that a seed decides it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from reference import evaluation, recipe
from reference.data import ImageSet
from reference.errors import RunError
from reference.recipe import TrainingSettings
from reference.runs import CHECKPOINT, RESULTS, RunRecord, load_model
from reference.train import divide, is_better, train

CPU = torch.device("cpu")


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
    parts = divide(digits, recipe.load("lenet5"), seed=0, device=CPU, smoke=False)

    assert len(parts.training.labels) + len(parts.validation.labels) == len(digits.train_labels)
    assert len(parts.validation.labels) == pytest.approx(126, abs=5)
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


def test_half_a_run_is_not_taken_for_one(run: Path, tmp_path: Path):
    with pytest.raises(RunError, match="no finished run"):
        RunRecord.read(tmp_path)
    (tmp_path / CHECKPOINT).write_bytes(b"")
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match="can't be read"):
        RunRecord.read(tmp_path)
    (tmp_path / "run.json").write_text('{"format": 99}')
    with pytest.raises(RunError, match="format 99"):
        RunRecord.read(tmp_path)
