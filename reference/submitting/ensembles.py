"""Chooses runs that are better together, on validation images, and packs them as one bundle.

All members have kept the same validation images from training (`same_validation` in their recipes):
else those of one would be another's training images, and choose what has learnt them by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from grader.scoring.significance import PairedTest, compare
from reference.data import ImageSet, stratified_split
from reference.errors import RunError
from reference.submitting.combining import combine
from reference.training import evaluation
from reference.training.runs import CHECKPOINT, RunRecord, load_model


@dataclass(frozen=True, kw_only=True)
class Member:
    """A run, and its logits on validation and test images: float32 N×K each."""

    run: Path
    record: RunRecord
    validation: Tensor
    test: Tensor


@dataclass(frozen=True, kw_only=True)
class Rival:
    """The run that is best on test images: known with hindsight only, so a hard one to beat.

    `test`: McNemar's, of the members together (first) against it.
    """

    run: Path
    accuracy: float
    test: PairedTest


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which members are together, and what that is worth.

    Attributes:
        members: in the order in which they were taken; the first is the best alone.
        validation_accuracy, test_accuracy: of the members together.
        best_member: of those that are together. best_tried: of all runs that there were to choose
            from, members or not.
    """

    members: tuple[Member, ...]
    rule: str
    validation_accuracy: float
    test_accuracy: float
    best_member: Rival
    best_tried: Rival


def members_of(runs: Sequence[Path], images: ImageSet) -> tuple[Member, ...]:
    """The runs with their answers, each computed once.

    Raises:
        RunError: a run is of other images, or has no validation images, or others than the first.
    """
    records = [RunRecord.read(run) for run in runs]
    rows = _validation_rows(runs, records, images)
    return tuple(
        Member(
            run=run,
            record=record,
            validation=logits_of(run, record, images.train_images[rows]),
            test=logits_of(run, record, images.test_images),
        )
        for run, record in zip(runs, records, strict=True)
    )


def choose(runs: Sequence[Path], images: ImageSet, rule: str, *, all_of_them: bool) -> Chosen:
    """Take members one after the other, each the one that helps validation accuracy most.

    Forward selection (Caruana et al. 2004) without repeats; what is kept is the first step at which
    accuracy was highest. With `all_of_them` nothing is chosen.

    Raises:
        RunError: see `members_of`.
    """
    every = members_of(runs, images)
    labels = torch.from_numpy(
        images.train_labels[_validation_rows(runs, [m.record for m in every], images)]
    )
    order = (
        range(len(every))
        if all_of_them
        else forward([each.validation for each in every], labels, rule)
    )
    members = tuple(every[place] for place in order)
    return _measured(members, every, rule, labels, torch.from_numpy(images.test_labels))


def forward(logits: Sequence[Tensor], labels: Tensor, rule: str) -> list[int]:
    """Places of the members that selection keeps, in the order in which it took them."""
    taken: list[int] = []
    reached: list[float] = []
    while len(taken) < len(logits):
        others = [place for place in range(len(logits)) if place not in taken]
        accuracies = [
            accuracy_of([logits[each] for each in (*taken, place)], labels, rule)
            for place in others
        ]
        best = int(np.argmax(accuracies))
        taken.append(others[best])
        reached.append(accuracies[best])
    return taken[: int(np.argmax(reached)) + 1]


def accuracy_of(logits: Sequence[Tensor], labels: Tensor, rule: str) -> float:
    """Share of images that the members together get right."""
    return evaluation.accuracy(combine(logits, rule), labels)


def weights_of(members: Sequence[Path]) -> dict[str, Tensor]:
    """The members' checkpoints as one, each under its place."""
    return {
        f"members.{place}.{name}": value
        for place, run in enumerate(members)
        for name, value in load_file(run / CHECKPOINT).items()
    }


def _measured(
    members: tuple[Member, ...],
    every: Sequence[Member],
    rule: str,
    validation: Tensor,
    test: Tensor,
) -> Chosen:
    together = [each.test for each in members]
    answers = _labels(combine(together, rule))
    return Chosen(
        members=members,
        rule=rule,
        validation_accuracy=accuracy_of([m.validation for m in members], validation, rule),
        test_accuracy=accuracy_of(together, test, rule),
        best_member=_rival(answers, members, test),
        best_tried=_rival(answers, every, test),
    )


def _rival(answers: NDArray[np.int64], runs: Sequence[Member], labels: Tensor) -> Rival:
    best = max(runs, key=lambda each: evaluation.accuracy(each.test, labels))
    return Rival(
        run=best.run,
        accuracy=evaluation.accuracy(best.test, labels),
        test=compare(answers, _labels(best.test), labels.numpy()),
    )


def _labels(scores: Tensor) -> NDArray[np.int64]:
    labels: NDArray[np.int64] = scores.numpy().argmax(axis=1).astype(np.int64)
    return labels


def logits_of(run: Path, record: RunRecord, images: NDArray[np.uint8]) -> Tensor:
    """The run's logits of uint8 N×C×H×W images, on the CPU as the sandbox does: float32 N×K."""
    return evaluation.predict(load_model(run), torch.from_numpy(np.array(images)), record.transform)


def _validation_rows(
    runs: Sequence[Path], records: Sequence[RunRecord], images: ImageSet
) -> NDArray[np.int64]:
    """Of the training images, those that no member was trained on."""
    first: NDArray[np.int64] | None = None
    for run, record in zip(runs, records, strict=True):
        if record.data["sha256"] != images.fingerprint:
            raise RunError(f"{run} was trained on {record.data['name']}, not on {images.name}")
        settings = record.settings["training"]
        seed = 0 if settings.get("same_validation") else record.seed
        _, rows = stratified_split(images.train_labels, settings["validation"], seed=seed)
        if not len(rows):
            raise RunError(f"{run} kept no validation images, which an ensemble is chosen on")
        if first is not None and not np.array_equal(rows, first):
            raise RunError(
                f"{run} kept other validation images than {runs[0]}: train the members with "
                "same_validation = true"
            )
        first = rows
    assert first is not None  # the command takes at least one run
    return first
