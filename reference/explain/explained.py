"""What is explained: the model of a finished run and test images of the set it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reference import data, models
from reference.errors import ExplainError
from reference.training import evaluation
from reference.training.runs import RunRecord, load_model


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A model and the images it is asked about.

    Attributes:
        pixels: uint8 N×C×H×W, as they are kept. inputs: float32 N×C×size×size, as the model takes
            them. labels: int64 N, the true classes. scores: float32 N×K, the model's answers.
        layer: whose maps are weighed, classifier: the last layer, both by the model's entry.
    """

    record: RunRecord
    model: nn.Module
    pixels: Tensor
    inputs: Tensor
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]
    layer: str
    classifier: str

    @property
    def said(self) -> Tensor:
        """The classes that the model answers, int64 N; of equal scores the lowest."""
        return torch.from_numpy(self.scores.argmax(axis=1))

    def to_pixels(self, inputs: Tensor) -> Tensor:
        """Normalised inputs back as images: N×C×H×W float → the same in 0…1."""
        shape = (1, -1, 1, 1)
        mean = torch.tensor(self.record.mean).view(shape)
        return (inputs.cpu() * torch.tensor(self.record.std).view(shape) + mean).clamp(0, 1)


def explained(run: Path, count: int) -> Explained:
    """The run's model, and `count` of its test images, the same each time.

    Raises:
        RunError: the folder holds no finished run that can be read.
        DataError: the images can't be had here.
        ExplainError: the images here are not those of the run.
    """
    record = RunRecord.read(run)
    images = data.load(record.data["name"])
    if images.classes != record.classes:
        raise ExplainError(f"{run} was trained on other classes than {images.title} has here")
    rows = spread_over_classes(images.test_labels, count)
    pixels = torch.from_numpy(images.test_images[rows])
    model = load_model(run)
    entry = models.find(record.model)
    return Explained(
        record=record,
        model=model,
        pixels=pixels,
        inputs=record.transform(pixels),
        labels=images.test_labels[rows],
        scores=evaluation.predict(model, pixels, record.transform).numpy(),
        layer=entry.cam_layer,
        classifier=entry.classifier,
    )


def spread_over_classes(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Rows of `count` images, ascending: the first of each class, then the second, and so on.

    >>> spread_over_classes(np.array([0, 0, 0, 2, 1, 2]), 4).tolist()
    [0, 1, 3, 4]
    """
    by_class = np.argsort(labels, kind="stable")
    first = np.searchsorted(labels[by_class], labels[by_class])
    turn = np.empty(len(labels), dtype=np.int64)
    turn[by_class] = np.arange(len(labels)) - first
    return np.sort(np.lexsort((labels, turn))[:count])
