"""A run that was interrupted goes on to the same bits."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reference.data import ImageSet
from reference.errors import RunError
from reference.recipe import recipe
from reference.recipe.recipe import ModelSettings, Recipe
from reference.recipe.settings import AugmentationSettings
from reference.training import runs
from reference.training import train as training
from reference.training.learner import has_stalled
from reference.training.runs import CHECKPOINT, RESULTS, RunRecord
from reference.training.train import train


class Interrupted(Exception):
    """What a killed process looks like from within."""


def small_recipe(**training: object) -> Recipe:
    """Dropout, random shifts, momentum and a plateau: all that a resumed run could lose."""
    whole = recipe.load("small_cnn", data="digits")
    changes = {
        "epochs": 4,
        "batch_size": 100,
        "lr": 0.02,
        "optimiser": "adam",
        "schedule": "plateau",
        "patience": 0,
        "gamma": 0.5,
        "warmup": 0.1,
        "precision": "float32",
        **training,
    }
    return dataclasses.replace(
        whole,
        model=ModelSettings(name="nin", size=8, options={"width": 12, "dropout": 0.2}),
        training=dataclasses.replace(whole.training, **changes),
        augmentation=dataclasses.replace(whole.augmentation, shift=1, cutout=2),
    )


def interrupted_after(epochs: int, settings: Recipe, images: ImageSet, out: Path) -> None:
    def watch(measured: dict[str, object]) -> None:
        if measured["epoch"] == epochs:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(settings, images, seed=5, out=out, watch=watch)


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / CHECKPOINT)


def without_seconds(run: Path) -> list[dict[str, object]]:
    epochs = [json.loads(line) for line in (run / RESULTS).read_text().splitlines()]
    return [{key: value for key, value in each.items() if key != "seconds"} for each in epochs]


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_resuming_in_the_middle_changes_nothing(optimiser: str, digits: ImageSet, tmp_path: Path):
    settings = small_recipe(optimiser=optimiser, momentum=0.9)
    train(settings, digits, seed=5, out=tmp_path / "whole")

    interrupted_after(2, settings, digits, tmp_path / "halves")
    assert not (tmp_path / "halves" / CHECKPOINT).exists()
    said: list[str] = []
    train(settings, digits, seed=5, out=tmp_path / "halves", resume=True, say=said.append)

    assert said[0] == "going on after epoch 2"
    assert without_seconds(tmp_path / "whole") == without_seconds(tmp_path / "halves")
    whole, halves = weights_of(tmp_path / "whole"), weights_of(tmp_path / "halves")
    assert whole.keys() == halves.keys()
    assert all(torch.equal(value, halves[name]) for name, value in whole.items())
    assert not (tmp_path / "halves" / runs.UNFINISHED).exists()


AUGMENTATIONS = {
    "mixup": AugmentationSettings(shift=1, mixup=0.4),
    "static": AugmentationSettings(static=("rotate", "flip", "crop"), rotate=9.0, grayscale=0.5),
}


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bfloat16", "early_stopping": 1, "batch_size": 99},
        {"optimiser": "rmsprop", "schedule": "one_cycle", "warmup": 0.3, "lr": 1e-3},
    ],
)
def test_nothing_that_a_recipe_can_say_is_lost_by_resuming(
    augmentation: str, changes: dict[str, object], digits: ImageSet, tmp_path: Path
):
    settings = dataclasses.replace(
        small_recipe(epochs=3, **changes), augmentation=AUGMENTATIONS[augmentation]
    )
    train(settings, digits, seed=5, out=tmp_path / "whole")

    interrupted_after(1, settings, digits, tmp_path / "halves")
    train(settings, digits, seed=5, out=tmp_path / "halves", resume=True)

    assert without_seconds(tmp_path / "whole") == without_seconds(tmp_path / "halves")
    whole, halves = weights_of(tmp_path / "whole"), weights_of(tmp_path / "halves")
    assert all(torch.equal(value, halves[name]) for name, value in whole.items())


def test_a_run_killed_between_two_files_leaves_no_gap_in_its_results(
    digits: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = small_recipe(epochs=2)
    whole = train(settings, digits, seed=5, out=tmp_path / "whole")

    def killed(folder: Path, epochs: list[object]) -> None:
        if len(epochs) == 2:  # the state of the last epoch is there by then
            raise Interrupted
        written(folder, epochs)

    written = training.write_results
    monkeypatch.setattr(training, "write_results", killed)
    with pytest.raises(Interrupted):
        train(settings, digits, seed=5, out=tmp_path / "halves")
    monkeypatch.undo()
    record = train(settings, digits, seed=5, out=tmp_path / "halves", resume=True)

    assert without_seconds(tmp_path / "whole") == without_seconds(tmp_path / "halves")
    assert record.confusion == whole.confusion


def test_a_refused_resume_leaves_the_finished_run_beside_it(digits: ImageSet, tmp_path: Path):
    settings = small_recipe(epochs=1)
    interrupted_after(1, settings, digits, tmp_path / "other")
    train(settings, digits, seed=6, out=tmp_path)
    shutil.copy(tmp_path / "other" / runs.UNFINISHED, tmp_path)

    with pytest.raises(RunError, match="its recipe differs"):
        train(small_recipe(epochs=2), digits, seed=6, out=tmp_path, resume=True)

    assert RunRecord.read(tmp_path).seed == 6


def test_state_is_of_settings_and_not_of_words(digits: ImageSet, tmp_path: Path):
    settings = small_recipe(epochs=2)
    interrupted_after(1, settings, digits, tmp_path)

    said: list[str] = []
    renamed = dataclasses.replace(settings, title="Another title", reported={"train_loss": 0.1})
    train(renamed, digits, seed=5, out=tmp_path, resume=True, say=said.append)

    assert said[0] == "going on after epoch 1"


def test_a_smoke_run_is_not_taken_for_the_beginning_of_a_whole_one(
    digits: ImageSet, tmp_path: Path
):
    settings = recipe.quick(small_recipe())

    def stop(measured: dict[str, object]) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        train(settings, digits, seed=5, out=tmp_path, smoke=True, watch=stop)
    with pytest.raises(RunError, match="its smoke differs"):
        train(settings, digits, seed=5, out=tmp_path, resume=True)


@pytest.mark.parametrize("content", [b"", b"no state", b"PK\x03\x04 cut off"])
def test_damaged_state_is_refused_in_a_sentence(content: bytes, tmp_path: Path):
    (tmp_path / runs.UNFINISHED).write_bytes(content)

    with pytest.raises(RunError, match=r"unfinished\.pt can't be read .* start anew"):
        runs.load_unfinished(tmp_path, belongs_to={})


def test_a_run_that_ended_before_its_record_is_only_recorded(digits: ImageSet, tmp_path: Path):
    settings = small_recipe()

    interrupted_after(4, settings, digits, tmp_path)
    record = train(settings, digits, seed=5, out=tmp_path, resume=True)

    assert len(without_seconds(tmp_path)) == 4
    assert RunRecord.read(tmp_path).result == record.result


def test_without_resume_a_run_starts_anew(digits: ImageSet, tmp_path: Path):
    settings = small_recipe(epochs=2)
    interrupted_after(1, settings, digits, tmp_path)

    said: list[str] = []
    train(settings, digits, seed=5, out=tmp_path, say=said.append)

    assert said[0].startswith("epoch 1/2")


def test_state_of_another_training_is_refused(digits: ImageSet, tmp_path: Path):
    interrupted_after(1, small_recipe(), digits, tmp_path)

    with pytest.raises(RunError, match=r"another training \(its seed differs\)"):
        train(small_recipe(), digits, seed=6, out=tmp_path, resume=True)
    with pytest.raises(RunError, match="its recipe differs"):
        train(small_recipe(lr=0.01), digits, seed=5, out=tmp_path, resume=True)


def test_nothing_to_resume_is_a_start(tmp_path: Path):
    assert runs.load_unfinished(tmp_path, belongs_to={}) is None


def test_training_ends_early_when_validation_no_longer_rises(digits: ImageSet, tmp_path: Path):
    # a rate of almost nothing: no epoch is better than the first
    settings = small_recipe(epochs=9, lr=1e-9, schedule="none", early_stopping=2)

    record = train(settings, digits, seed=5, out=tmp_path)

    epochs = without_seconds(tmp_path)
    accuracies = [each["validation_accuracy"] for each in epochs]
    assert len(epochs) == accuracies.index(max(accuracies)) + 1 + 2 < 9
    assert record.result["epoch"] == accuracies.index(max(accuracies)) + 1


@pytest.mark.parametrize(
    ("accuracies", "patience", "stalled"),
    [
        ([], 2, False),
        ([0.5], 1, False),
        ([0.5, 0.5], 1, True),
        ([0.5, 0.6, 0.6], 2, False),
        ([0.5, 0.6, 0.6, 0.5], 2, True),
        ([0.5, 0.4, 0.3, 0.2], 0, False),
        ([None, None], 0, False),
    ],
)
def test_stalled_is_so_many_epochs_without_a_better_one(
    accuracies: list[float], patience: int, stalled: bool
):
    epochs = [{"validation_accuracy": accuracy} for accuracy in accuracies]

    assert has_stalled(epochs, patience) is stalled
