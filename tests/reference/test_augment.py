"""Transforms: what training may draw, and that evaluation draws nothing."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from reference import evaluation, models
from reference.augment import (
    EvaluationTransform,
    TrainingTransform,
    random_cutout,
    random_flip,
    random_shift,
)

PLAIN = EvaluationTransform(size=28, mean=(0.286,), std=(0.353,))


def pictures(count: int = 64) -> torch.Tensor:
    return torch.randint(
        1, 256, (count, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_evaluation_refuses_a_training_transform():
    model = models.find("lenet5").build(10)
    random = TrainingTransform(evaluation=PLAIN, flip=True)

    with pytest.raises(TypeError, match="EvaluationTransform, not TrainingTransform"):
        evaluation.predict(model, pictures(2), random)  # type: ignore[arg-type]


def test_evaluation_transform_has_no_place_for_a_random_step():
    fields = {each.name for each in dataclasses.fields(EvaluationTransform)}

    assert fields == {"size", "mean", "std"}


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


def test_shift_moves_each_image_by_at_most_its_reach():
    images = torch.zeros(200, 1, 9, 9, dtype=torch.uint8)
    images[:, :, 4, 4] = 255

    moved = random_shift(images, 2, seeded())

    rows, columns = moved[:, 0].flatten(1).argmax(1) // 9, moved[:, 0].flatten(1).argmax(1) % 9
    assert moved.flatten(1).sum(1).eq(255).all()
    assert set(rows.tolist()) == set(columns.tolist()) == {2, 3, 4, 5, 6}


def test_flip_mirrors_about_half():
    images = pictures(400)

    flipped = random_flip(images, seeded())

    same = (flipped == images).flatten(1).all(1)
    mirrored = (flipped == images.flip(-1)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 160 < mirrored.sum() < 240


def test_cutout_sets_one_square_to_the_mean():
    images = pictures(200)

    cut = random_cutout(images, 8, (0.2,), seeded())

    changed = (cut != images).flatten(1).sum(1)
    assert changed.max() <= 64
    assert changed.float().mean() > 40
    assert cut[cut != images].unique().tolist() == [51]


def test_training_transform_is_given_by_its_generator():
    transform = TrainingTransform(evaluation=PLAIN, shift=2, flip=True, cutout=8)

    first, again = transform(pictures(), seeded(5)), transform(pictures(), seeded(5))
    other = transform(pictures(), seeded(6))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == (64, 1, 28, 28)
    assert first.dtype == torch.float32
