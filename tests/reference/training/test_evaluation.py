"""What is measured of answers, and that they are kept."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from reference.data import ImageSet
from reference.errors import RunError
from reference.recipe import recipe
from reference.training import evaluation
from reference.training.parts import divide
from reference.training.runs import RESULTS, Answers, RunRecord
from reference.training.steps import auc_weights
from reference.training.train import FIRST, first_aucs, train


def test_areas_are_scikit_learns(run: Path, digits: ImageSet):
    from sklearn.metrics import roc_auc_score

    scores, labels = Answers.read(run).test, digits.test_labels
    chances = torch.softmax(scores.double(), dim=1).numpy()

    ours = evaluation.class_aucs(scores, torch.from_numpy(labels))

    theirs = [roc_auc_score(labels == k, chances[:, k]) for k in range(10)]
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_a_class_without_images_or_logits_that_collapsed_have_no_area():
    scores = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 0.5]])

    assert evaluation.class_aucs(scores, torch.tensor([1, 0]))[2] is None
    assert evaluation.class_aucs(scores / 0, torch.tensor([1, 0])) == [None] * 3


def test_each_epoch_keeps_the_areas_of_validation(run: Path, digits: ImageSet):
    epochs = [json.loads(line) for line in (run / RESULTS).read_text().splitlines()]
    kept = Answers.read(run)
    labels = torch.from_numpy(digits.train_labels[kept.validation_rows.numpy()])

    chosen = max(epochs, key=lambda epoch: epoch["validation_accuracy"])
    assert all(len(epoch["validation_auc"]) == 10 for epoch in epochs)
    assert chosen["validation_auc"] == pytest.approx(evaluation.class_aucs(kept.validation, labels))


def test_answers_are_those_of_the_kept_weights(run: Path, record: RunRecord, digits: ImageSet):
    kept = Answers.read(run)

    right = kept.test.numpy().argmax(axis=1) == digits.test_labels
    assert right.mean() == pytest.approx(record.result["test_accuracy"], abs=1e-12)
    labels = digits.train_labels[kept.validation_rows.numpy()]
    accuracy = evaluation.accuracy(kept.validation, torch.from_numpy(labels))
    assert accuracy == record.result["validation_accuracy"]


def test_a_run_without_answers_says_so(tmp_path: Path):
    with pytest.raises(RunError, match="keeps no answers"):
        Answers.read(tmp_path)
    (tmp_path / "answers.safetensors").write_bytes(b"x" * 20)
    with pytest.raises(RunError, match="can't be read"):
        Answers.read(tmp_path)


def test_mixed_images_are_measured_against_what_they_were_mixed_of():
    scores = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    shares = torch.tensor([[0.9, 0.1], [0.6, 0.4]])

    found = evaluation.training_figures(scores, shares)

    loss = -(shares * torch.log_softmax(scores, 1)).sum(1).mean()
    assert found["train_loss"] == pytest.approx(loss.item())
    assert found["train_accuracy"] == 0.5


def test_normalisation_is_measured_before_static_copies_are_made(digits: ImageSet):
    settings = recipe.load("small_cnn", data="digits")
    copied = dataclasses.replace(
        settings, augmentation=dataclasses.replace(settings.augmentation, static=("rotate",))
    )
    cpu = torch.device("cpu")

    plain, more = (
        divide(digits, each, seed=0, device=cpu, smoke=False) for each in (settings, copied)
    )

    assert len(more.training.labels) == 2 * len(plain.training.labels)
    assert torch.equal(more.originals, plain.training.images)


@pytest.mark.parametrize("measured_on", ["validation", "held_out"])
def test_classes_weigh_by_what_a_first_training_told_apart(
    measured_on: str, digits: ImageSet, tmp_path: Path
):
    settings = recipe.load("small_cnn", data="digits")
    weighted = dataclasses.replace(
        settings.training, loss="auc_weighted", auc_of=measured_on, epochs=1
    )
    settings = dataclasses.replace(settings, training=weighted)

    record = train(settings, digits, seed=0, out=tmp_path, smoke=True)

    first = Answers.read(tmp_path / FIRST)
    scores, labels = first.test, digits.test_labels
    if measured_on == "validation":
        scores, labels = first.validation, digits.train_labels[first.validation_rows.numpy()]
    expected = torch.tensor(evaluation.class_aucs(scores, torch.from_numpy(labels)))
    again = first_aucs(
        recipe.quick(settings), digits, tmp_path / FIRST, seed=0, smoke=True, resume=True
    )
    assert again is not None
    assert np.allclose(again, expected)
    weights = auc_weights(again)
    assert weights.mean().item() == pytest.approx(1.0)
    assert int(weights.argmax()) == int(expected.argmin())
    assert record.result["test_accuracy"] > 0.5
    assert RunRecord.read(tmp_path / FIRST).settings["training"]["loss"] == "cross_entropy"
