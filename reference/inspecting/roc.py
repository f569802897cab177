"""ROC curves of a run, class by class, and how the areas under them went over its epochs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from grader.scoring.metrics import RocCurve, roc_curve
from reference import data
from reference.errors import RunError
from reference.training import evaluation
from reference.training.runs import RESULTS, Answers, RunRecord
from reference.training.steps import auc_weights

CURVES, EPOCHS = "roc.png", "auc.png"
A_PANEL = 10  # curves; report 003 put its hundred classes on ten panels


@dataclass(frozen=True, kw_only=True)
class Told:
    """One class: the area under its curve, and the weight that `auc_weighted` would give it."""

    name: str
    area: float
    weight: float


def told(run: Path) -> tuple[Told, ...]:
    """Every class of a run by its area on test images, best first. Weights are of validation.

    Raises:
        RunError: the run has no answers, or its images are other ones now.
    """
    record, answers, test = _read(run)
    areas = evaluation.class_aucs(answers.test, torch.from_numpy(test))
    weights = _weights(record, answers)
    found = [
        Told(name=name, area=area, weight=weight)
        for name, area, weight in zip(record.classes, areas, weights, strict=True)
        if area is not None
    ]
    return tuple(sorted(found, key=lambda each: -each.area))


def curves(run: Path) -> list[RocCurve | None]:
    """The curve of each class's probability against all others, on the test images.

    Raises:
        RunError: see `told`.
    """
    _, answers, labels = _read(run)
    chances = torch.softmax(answers.test.double(), dim=1).numpy()
    return [roc_curve(labels == k, chances[:, k]) for k in range(chances.shape[1])]


def plot(run: Path) -> tuple[Path, ...]:
    """Draw `roc.png`, and `auc.png` where there was validation, into the run's folder.

    Raises:
        RunError: see `told`.
    """
    record = RunRecord.read(run)
    epochs = [json.loads(line) for line in (run / RESULTS).read_text("utf-8").splitlines()]
    known = [each for each in epochs if each.get("validation_auc")]
    drawn = [_plot_curves(curves(run), record.classes, run / CURVES)]
    if known:
        drawn.append(_plot_epochs(known, record.classes, run / EPOCHS))
    return tuple(drawn)


def _read(run: Path) -> tuple[RunRecord, Answers, NDArray[np.int64]]:
    record, answers = RunRecord.read(run), Answers.read(run)
    images = data.load(record.data["name"])
    if images.fingerprint != record.data["sha256"]:
        raise RunError(f"{images.name} is not what {run} was trained on")
    return record, answers, images.test_labels


def _weights(record: RunRecord, answers: Answers) -> list[float]:
    if not len(answers.validation_rows):
        return [1.0] * len(record.classes)
    labels = data.load(record.data["name"]).train_labels[answers.validation_rows.numpy()]
    areas = evaluation.class_aucs(answers.validation, torch.from_numpy(labels))
    weights: list[float] = auc_weights(torch.tensor([each or 1.0 for each in areas])).tolist()
    return weights


def _plot_curves(found: Sequence[RocCurve | None], classes: Sequence[str], path: Path) -> Path:
    panels = -(-len(found) // A_PANEL)
    figure = Figure(figsize=(4.8 * min(panels, 5), 4.6 * -(-panels // 5)), layout="constrained")
    axes = figure.subplots(-(-panels // 5), min(panels, 5), squeeze=False).flatten()
    for number, curve in enumerate(found):
        if curve is not None:
            rates = curve.false_positive_rate, curve.true_positive_rate
            axes[number // A_PANEL].plot(*rates, label=classes[number], linewidth=1.2)
    for each in axes[:panels]:
        each.plot([0, 1], [0, 1], ":", color="grey")
        each.set(xlabel="false positive rate", ylabel="true positive rate")
        each.legend(fontsize=7, loc="lower right")
    figure.savefig(path, dpi=120)
    return path


def _plot_epochs(epochs: Sequence[dict[str, Any]], classes: Sequence[str], path: Path) -> Path:
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for number, name in enumerate(classes):
        areas = [each["validation_auc"][number] for each in epochs]
        axes.plot([each["epoch"] for each in epochs], areas, marker=".", label=name)
    axes.set(xlabel="epoch", ylabel="area under the ROC curve, validation")
    if len(classes) <= 2 * A_PANEL:
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=120)
    return path
