"""Evaluation: the same every time, as torchvision does it."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from reference import models
from reference.recipe.settings import AugmentationSettings
from reference.training import evaluation
from reference.training.transforms.augment import TrainingTransform
from reference.training.transforms.evaluating import EvaluationTransform, normalisation
from sandbox.inside.torchvision_compat import define_missing_schemas

define_missing_schemas()
from torchvision.transforms.v2 import functional as torchvision  # noqa: E402

PLAIN = EvaluationTransform(size=28, mean=(0.286,), std=(0.353,))


def pictures(count: int = 64) -> torch.Tensor:
    return torch.randint(
        1, 256, (count, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


def photos(count: int = 16, side: int = 40) -> torch.Tensor:
    """Colour pictures that are smooth, as photographs are: blurred noise, stretched."""
    noise = torch.rand(count, 3, side // 4, side // 4, generator=torch.Generator().manual_seed(2))
    smooth = torch.nn.functional.interpolate(noise, (side, side), mode="bicubic")
    return smooth.clamp(0, 1).mul(255).to(torch.uint8)


def test_evaluation_refuses_a_training_transform():
    model = models.find("lenet5").build(10)
    random = TrainingTransform(evaluation=PLAIN, settings=AugmentationSettings(flip=True))

    with pytest.raises(TypeError, match="EvaluationTransform, not TrainingTransform"):
        evaluation.predict(model, pictures(2), random)  # type: ignore[arg-type]


def test_evaluation_transform_has_no_place_for_a_random_step():
    fields = {each.name for each in dataclasses.fields(EvaluationTransform)}

    assert fields == {"size", "mean", "std", "enlarge", "mirror"}


def test_evaluation_draws_no_random_number():
    model = models.find("small_cnn").build(10)
    before = torch.get_rng_state()

    first = evaluation.predict(model, pictures(), PLAIN)
    second = evaluation.predict(model, pictures(), PLAIN)

    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_evaluation_transform_scales_and_normalises():
    images = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)

    prepared = EvaluationTransform(size=1, mean=(0.5,), std=(0.25,))(images)

    assert prepared.flatten().tolist() == [-2.0, 2.0]


def test_evaluation_transform_resizes_to_what_the_model_takes():
    small = torch.full((3, 1, 8, 8), 51, dtype=torch.uint8)

    prepared = EvaluationTransform(size=28, mean=(0.0,), std=(1.0,))(small)

    assert prepared.shape == (3, 1, 28, 28)
    assert torch.allclose(prepared, torch.tensor(0.2))


def test_evaluation_is_torchvisions_resize_and_normalise():
    images = photos()
    mean, std = normalisation(images, "imagenet")

    ours = EvaluationTransform(size=56, mean=mean, std=std)(images)

    resized = torchvision.resize(images.float() / 255, [56, 56], antialias=False)
    assert torch.allclose(ours, torchvision.normalize(resized, mean, std), atol=1e-4)


def test_evaluation_enlarges_and_cuts_the_middle_out_as_torchvision_does():
    images = photos()

    ours = EvaluationTransform(size=32, mean=(0.5,) * 3, std=(0.5,) * 3, enlarge=48)(images)

    resized = torchvision.resize(images.float() / 255, [48, 48], antialias=False)
    middle = torchvision.center_crop(resized, [32, 32])
    assert torch.allclose(ours, (middle - 0.5) / 0.5, atol=1e-4)


def test_answers_are_means_over_an_image_and_its_mirror_image():
    model = models.find("simple_cnn").build(10).eval()
    twice = dataclasses.replace(PLAIN, mirror=True)

    ours = evaluation.predict(model, pictures(20), twice)

    each = [evaluation.predict(model, way, PLAIN) for way in (pictures(20), pictures(20).flip(-1))]
    assert torch.allclose(ours, torch.stack(each).mean(0), atol=1e-6)
    assert not torch.allclose(ours, each[0], atol=1e-3)


def test_normalisation_is_computed_from_the_training_images():
    images = photos()
    values = images.double().div(255)

    mean, std = normalisation(images, "training_set")

    assert mean == pytest.approx(values.mean((0, 2, 3)).tolist(), abs=1e-4)
    assert std == pytest.approx(values.std((0, 2, 3)).tolist(), abs=1e-4)
    assert normalisation(images, "none") == ((0.0,) * 3, (1.0,) * 3)


def test_a_channel_of_one_value_is_not_divided_by_nothing():
    images = torch.full((4, 2, 3, 3), 51, dtype=torch.uint8)
    images[:, 1, 0] = 255

    mean, std = normalisation(images, "training_set")

    assert (mean[0], std[0]) == (0.2, 1.0)
    assert torch.isfinite(EvaluationTransform(size=3, mean=mean, std=std)(images)).all()


def test_imagenet_normalisation_makes_three_channels_of_a_grey_image():
    mean, std = normalisation(pictures(), "imagenet")

    prepared = EvaluationTransform(size=28, mean=mean, std=std)(pictures(2))

    assert prepared.shape == (2, 3, 28, 28)
