"""What a run shows of its epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reference.data import ImageSet
from reference.recipe import recipe
from reference.results.curves import EVENTS, TensorBoard, plot_curves
from reference.training.train import train

PNG = b"\x89PNG\r\n\x1a\n"


def test_curves_of_a_run_are_drawn_into_its_folder(run: Path):
    path = plot_curves(run)

    assert path.parent == run
    assert path.read_bytes().startswith(PNG)


def test_curves_of_a_run_without_validation_are_drawn_too(tmp_path: Path):
    epoch = '{"epoch": 1, "lr": 0.1, "train_loss": 2.0, "train_accuracy": 0.3, '
    (tmp_path / "results.jsonl").write_text(epoch + '"validation_accuracy": null, "seconds": 1}\n')

    assert plot_curves(tmp_path).read_bytes().startswith(PNG)


def test_tensorboard_reads_what_each_epoch_measured(digits: ImageSet, tmp_path: Path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    measured: list[dict[str, Any]] = []

    with TensorBoard(tmp_path) as write:
        train(
            recipe.load("lenet5", data="digits"),
            digits,
            seed=0,
            out=tmp_path,
            smoke=True,
            watch=lambda each: (write(each), measured.append(each)),
        )

    events = reader.EventAccumulator(str(tmp_path / EVENTS)).Reload()
    for key in ("train_loss", "validation_accuracy", "lr"):
        read = [(event.step, event.value) for event in events.Scalars(key)]
        assert read == [(each["epoch"], pytest.approx(each[key])) for each in measured]
    for number in range(len(digits.classes)):
        read = [event.value for event in events.Scalars(f"validation_auc/{number}")]
        assert read == [pytest.approx(each["validation_auc"][number]) for each in measured]
