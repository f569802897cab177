"""Which images are trained on, which validate and which test, and how they are seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reference import models
from reference.data import ImageSet, stratified_split
from reference.data.resampling import resample
from reference.errors import RecipeError
from reference.recipe.recipe import QUICK_IMAGES, Recipe
from reference.training.transforms.augment import static_copies
from reference.training.transforms.evaluating import EvaluationTransform, normalisation


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
    training_rows = training_rows[
        resample(
            images.train_labels[training_rows],
            most=recipe.sampling.most,
            least=recipe.sampling.least,
            imbalance=recipe.sampling.imbalance,
            profile=recipe.sampling.profile,
            seed=seed,
        )
    ]
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
