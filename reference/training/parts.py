"""Which images are trained on, validate and test; in which order, and how, they are seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reference import models
from reference.data import ImageSet, stratified_split
from reference.errors import RecipeError
from reference.recipe.recipe import QUICK_IMAGES, Recipe
from reference.recipe.settings import SamplingSettings
from reference.training import evaluation
from reference.training.transforms.augment import TrainingTransform, static_copies
from reference.training.transforms.evaluating import EvaluationTransform, normalisation

Scored = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Images of one purpose, on the device: uint8 N×C×H×W and int64 N."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The image set divided: `training` for weights, `validation` for choices, `test` for once.

    Attributes:
        images_per_class: how many different images of each class are trained on.
        validation_rows: which of the set's training images validate, int64.
        originals: the images trained on without static copies, which normalisation is measured on.
    """

    training: Part
    validation: Part
    test: Part
    num_classes: int
    images_per_class: tuple[int, ...]
    validation_rows: Tensor
    originals: Tensor


def divide(
    images: ImageSet, recipe: Recipe, *, seed: int, device: torch.device, smoke: bool
) -> Parts:
    """Training, validation (a stratified share of the training images) and test, on the device.

    Only what is trained on is sampled anew and copied with changes, after it has been set apart.
    """
    training_rows, validation_rows = stratified_split(
        images.train_labels,
        recipe.training.validation,
        seed=0 if recipe.training.same_validation else seed,
    )
    if not len(training_rows) or (recipe.training.validation and not len(validation_rows)):
        raise RecipeError(
            f"validation = {recipe.training.validation} keeps {len(validation_rows)} of the "
            f"{len(images.train_labels)} training images of {images.title}: set another share"
        )
    if smoke:
        share = min(1.0, QUICK_IMAGES / len(training_rows))
        _, few = stratified_split(images.train_labels[training_rows], share, seed=seed)
        training_rows = training_rows[few]
    training_rows = _resampled(images.train_labels, training_rows, recipe.sampling, seed=seed)
    different = images.train_labels[np.unique(training_rows)]
    everything = np.arange(len(images.test_labels))

    def part(pixels: NDArray[np.uint8], labels: NDArray[np.int64], rows: NDArray[np.int64]) -> Part:
        return Part(
            images=torch.from_numpy(pixels[rows]).to(device),
            labels=torch.from_numpy(labels[rows]).to(device),
        )

    training = part(images.train_images, images.train_labels, training_rows)
    originals = training.images
    if recipe.augmentation.static:
        pixels, labels = static_copies(
            training.images,
            training.labels,
            recipe.augmentation.static,
            torch.Generator().manual_seed(seed),
            recipe.augmentation.rotation,
        )
        training = Part(images=pixels, labels=labels)
    return Parts(
        training=training,
        validation=part(images.train_images, images.train_labels, validation_rows),
        test=part(images.test_images, images.test_labels, everything),
        num_classes=len(images.classes),
        validation_rows=torch.from_numpy(validation_rows),
        originals=originals,
        images_per_class=tuple(np.bincount(different, minlength=len(images.classes)).tolist()),
    )


def _resampled(
    labels: NDArray[np.int64], rows: NDArray[np.int64], sampling: SamplingSettings, *, seed: int
) -> NDArray[np.int64]:
    """Fewer or more of some classes' rows, where the recipe asks for it."""
    if not (sampling.most or sampling.least or sampling.imbalance > 1):
        return rows
    from reference.data.resampling import resample

    return rows[
        resample(
            labels[rows],
            most=sampling.most,
            least=sampling.least,
            imbalance=sampling.imbalance,
            profile=sampling.profile,
            seed=seed,
        )
    ]


def evaluation_transform(recipe: Recipe, images: Tensor) -> EvaluationTransform:
    """Size as the model takes it; mean and SD by channel as the recipe says."""
    mean, std = normalisation(images, recipe.augmentation.normalise)
    # a mean of three values makes three channels of a grey image
    copies = input_channels(recipe, images) // len(mean)
    return EvaluationTransform(
        size=input_size(recipe),
        mean=mean * copies,
        std=std * copies,
        enlarge=recipe.evaluation.enlarge,
        mirror=recipe.evaluation.mirror,
    )


def input_channels(recipe: Recipe, images: Tensor) -> int:
    """Channels that the model takes: the recipe's, else those of the images once normalised.

    Raises:
        RecipeError: the recipe's are not a multiple of those: images can only be repeated.
    """
    given = len(normalisation(images[:1], recipe.augmentation.normalise)[0])
    channels = recipe.model.channels or given
    if channels % given:
        raise RecipeError(f"channels = {channels} can't be made of images that have {given}")
    return channels


def input_size(recipe: Recipe) -> int:
    """Height and width that the model takes: the recipe's, else those it is registered with."""
    return recipe.model.size or models.find(recipe.model.name).size


def epoch_order(labels: Tensor, num_classes: int, draw: str, generator: torch.Generator) -> Tensor:
    """Rows of the training images in the order of one epoch, int64 N on the CPU.

    `every_image`: each once. `class_balanced`: N draws with replacement, a class first, of those
    that have images, then one of its images.
    """
    if draw == "every_image":
        return torch.randperm(len(labels), generator=generator)
    counts = torch.bincount(labels.cpu(), minlength=num_classes)
    weights = 1.0 / counts.double()[labels.cpu()]
    return torch.multinomial(weights, len(labels), replacement=True, generator=generator)


def shown(labels: Tensor, num_classes: int, draw: str) -> Tensor:
    """How many images of each class an epoch shows, in the mean: float64 K on the labels' device.

    >>> shown(torch.tensor([0, 0, 0, 1]), 2, "every_image").tolist()
    [3.0, 1.0]
    >>> shown(torch.tensor([0, 0, 0, 1]), 2, "class_balanced").tolist()
    [2.0, 2.0]
    """
    counts = torch.bincount(labels.cpu(), minlength=num_classes).double()
    if draw == "class_balanced":
        there = (counts > 0).double()
        counts = len(labels) * there / there.sum()
    return counts.to(labels.device)


def batches(order: Tensor, size: int) -> list[Tensor]:
    """Rows in parts of `size`; the last part is what is left.

    A single image that is left joins the part before it: batch normalisation of 1×1 maps has
    nothing to normalise one image by.
    """
    parts = list(order.split(size))
    if size > 1 and len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


class Source(Protocol):
    """Labels of the training images, int64 N, and their batches as the learning part takes them."""

    labels: Tensor
    num_classes: int

    def batch(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """What a step takes of these images; advances `generator`."""

    def learning(self, model: nn.Module) -> nn.Module:
        """What of the model is computed in a step."""

    def validation(self, model: nn.Module) -> Scored | None:
        """Logits N×K and labels of the validation images; None where the recipe keeps none."""


class Pixels:
    """Images that are changed at random anew in each epoch."""

    def __init__(self, parts: Parts, transform: EvaluationTransform, recipe: Recipe) -> None:
        self._parts, self._transform = parts, transform
        self._augment = TrainingTransform(evaluation=transform, settings=recipe.augmentation)
        self.labels, self.num_classes = parts.training.labels, parts.num_classes

    def batch(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Images, changed at random: float32 N×C×size×size."""
        return self._augment(self._parts.training.images[rows], generator)

    def learning(self, model: nn.Module) -> nn.Module:
        """All of it."""
        return model

    def validation(self, model: nn.Module) -> Scored | None:
        """By the whole model."""
        part = self._parts.validation
        if not len(part.labels):
            return None
        return evaluation.predict(model, part.images, self._transform), part.labels.cpu()
