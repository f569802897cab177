"""Transforms: what training may draw, and that evaluation draws nothing."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from reference.errors import RecipeError
from reference.recipe import recipe
from reference.recipe.settings import AugmentationSettings, SamplingSettings
from reference.results.cards import settings_of
from reference.training.parts import evaluation_transform, input_channels
from reference.training.transforms import pixels
from reference.training.transforms.augment import (
    TrainingTransform,
    _boxes,
    random_crop,
    random_cutout,
    random_flip,
    random_grayscale,
    random_mixup,
    random_resized_crop,
    random_rotation,
    random_shift,
    static_copies,
)
from reference.training.transforms.evaluating import EvaluationTransform
from sandbox.inside.torchvision_compat import define_missing_schemas

define_missing_schemas()
from torchvision.transforms.v2 import functional as torchvision  # noqa: E402

PLAIN = EvaluationTransform(size=28, mean=(0.286,), std=(0.353,))


def pictures(count: int = 64) -> torch.Tensor:
    return torch.randint(
        1, 256, (count, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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


def test_cutout_sets_one_square_of_what_is_normalised_to_nothing():
    images = PLAIN(pictures(200))

    cut = random_cutout(images, 8, seeded())

    changed = (cut != images).flatten(1).sum(1)
    assert changed.max() <= 64
    assert changed.float().mean() > 40
    assert cut[cut != images].unique().tolist() == [0.0]


def test_cutout_comes_after_normalisation():
    settings = AugmentationSettings(cutout=9)
    white = torch.full((50, 1, 28, 28), 255, dtype=torch.uint8)

    cut = TrainingTransform(evaluation=PLAIN, settings=settings)(white, seeded())

    assert sorted(cut.unique().tolist()) == pytest.approx([0.0, (1 - 0.286) / 0.353])


def test_a_recipe_orders_the_steps():
    marked = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    marked[..., :14] = 200
    names = ("brightness", "grayscale", "enlarge")
    told = AugmentationSettings(enlarge=40, brightness=0.5, grayscale=0.5, order=names)

    assert told.steps == names
    assert dataclasses.replace(told, order=()).steps == ("enlarge", "brightness", "grayscale")
    # a shift before the enlargement moves by more of the enlarged pixels than one after it
    first = AugmentationSettings(enlarge=56, shift=4, order=("shift", "enlarge"))
    moved = [
        TrainingTransform(
            evaluation=EvaluationTransform(size=56, mean=(0.0,), std=(1.0,)), settings=each
        )(marked.repeat(80, 1, 1, 1), seeded())
        for each in (first, dataclasses.replace(first, order=()))
    ]
    widths = [each[:, 0, 28].gt(0.4).sum(1) for each in moved]
    assert widths[0].min() == 20
    assert widths[1].min() == 24


@pytest.mark.parametrize("order", [("shift",), ("shift", "flip", "flip"), ("shift", "turn")])
def test_an_order_names_every_step_that_is_set_once(order: tuple[str, ...]):
    with pytest.raises(RecipeError, match="order must name each step that is set, once: shift, f"):
        AugmentationSettings(shift=2, flip=True, order=order)


def test_training_transform_is_given_by_its_generator():
    transform = TrainingTransform(
        evaluation=PLAIN, settings=AugmentationSettings(shift=2, flip=True, cutout=8)
    )

    first, again = transform(pictures(), seeded(5)), transform(pictures(), seeded(5))
    other = transform(pictures(), seeded(6))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == (64, 1, 28, 28)
    assert first.dtype == torch.float32


def photos(count: int = 16, side: int = 40) -> torch.Tensor:
    """Colour pictures that are smooth, as photographs are: blurred noise, stretched."""
    noise = torch.rand(count, 3, side // 4, side // 4, generator=seeded(2))
    smooth = torch.nn.functional.interpolate(noise, (side, side), mode="bicubic")
    return smooth.clamp(0, 1).mul(255).to(torch.uint8)


def same_but_for_rounding(ours: torch.Tensor, theirs: torch.Tensor, share: float = 0.0) -> bool:
    """Whether all pixels but a `share` of them differ by at most 1 of 255."""
    return bool((ours.int() - theirs.int()).abs().gt(1).float().mean() <= share)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_colours_are_changed_as_torchvision_does_image_by_image(name: str):
    images = photos()
    low, high = (-0.5, 0.5) if name == "hue" else (0.2, 1.8)
    values = torch.empty(len(images)).uniform_(low, high, generator=seeded())

    ours = getattr(pixels, f"adjust_{name}")(images, values)

    theirs = getattr(torchvision, f"adjust_{name}")
    expected = [theirs(image, value) for image, value in zip(images, values.tolist(), strict=True)]
    # a pixel whose hue lies on a border of two sextants may be rounded to either
    assert same_but_for_rounding(ours, torch.stack(expected), share=0.002)


def test_images_are_turned_as_torchvision_does():
    images = photos()
    degrees = torch.linspace(-90, 90, len(images))

    ours = pixels.rotate(images, degrees)

    bilinear = torchvision.InterpolationMode.BILINEAR
    expected = [
        torchvision.rotate(image, angle, bilinear)
        for image, angle in zip(images, degrees.tolist(), strict=True)
    ]
    assert same_but_for_rounding(ours, torch.stack(expected))


def test_images_are_turned_by_the_nearest_pixel_where_a_recipe_says_so():
    images = photos()

    ours = pixels.rotate(images, torch.full((len(images),), 30.0), "nearest")

    same = ours == torchvision.rotate(images, 30.0, torchvision.InterpolationMode.NEAREST)
    assert same.float().mean() > 0.999  # a place half way between two pixels goes either way


def test_images_that_are_not_square_are_turned_without_shearing():
    images = photos()[:, :, :24]

    ours = pixels.rotate(images, torch.full((len(images),), 30.0))

    expected = torchvision.rotate(images, 30.0, torchvision.InterpolationMode.BILINEAR)
    assert same_but_for_rounding(ours, expected)


def test_crops_are_resized_as_torchvision_does():
    images = photos()
    boxes = torch.tensor([[3, 5, 30, 28], [0, 0, 40, 40], [10, 2, 15, 33], [20, 20, 20, 20]])

    ours = pixels.resized_crop(images[:4], boxes, 28)

    expected = [
        torchvision.resized_crop(image, *box, size=[28, 28], antialias=False)
        for image, box in zip(images, boxes.tolist(), strict=False)
    ]
    inside = slice(1, -1)  # at its border a box here sees the pixels beside it
    assert same_but_for_rounding(
        ours[..., inside, inside], torch.stack(expected)[..., inside, inside]
    )


@pytest.mark.parametrize("size", [28, 40, 56])
def test_images_are_resized_as_torchvision_does(size: int):
    images = photos()

    assert same_but_for_rounding(
        pixels.resize(images, size), torchvision.resize(images, [size, size])
    )


def test_grey_is_torchvisions():
    images = photos()

    assert torch.equal(pixels.grayscale(images), torchvision.rgb_to_grayscale(images, 3))
    assert torch.equal(pixels.grayscale(images[:, :1]), images[:, :1])


@pytest.mark.parametrize("name", ["saturation", "hue"])
def test_colour_of_a_grey_image_stays(name: str):
    adjusted = getattr(pixels, f"adjust_{name}")(pictures(4), torch.full((4,), 0.4))

    assert torch.equal(adjusted, pictures(4))


def test_random_crop_cuts_every_place():
    images = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4).repeat(300, 1, 1, 1)

    cut = random_crop(images, 3, seeded())

    assert cut.shape == (300, 1, 3, 3)
    assert set(cut[:, 0, 0, 0].tolist()) == {0, 1, 4, 5}


def test_random_resized_crop_keeps_the_share_it_was_told():
    # every pixel holds its column, so that the range of values is the width of the box
    images = torch.arange(100, dtype=torch.uint8).expand(200, 1, 100, 100)

    cut = random_resized_crop(images, 50, (0.25, 0.25), (1.0, 1.0), seeded())

    widths = cut.amax((1, 2, 3)).int() - cut.amin((1, 2, 3)).int()
    assert cut.shape == (200, 1, 50, 50)
    assert widths.min() >= 47
    assert widths.max() <= 51
    assert cut.amin((1, 2, 3)).unique().numel() > 20


def test_boxes_span_a_side_as_often_as_torchvisions():
    from torchvision.transforms.v2 import RandomResizedCrop

    theirs = RandomResizedCrop(28, scale=(0.5, 1.0), ratio=(3 / 4, 4 / 3))
    torch.manual_seed(0)
    drawn = [theirs.make_params([torch.empty(1, 28, 28)]) for _ in range(4_000)]
    boxes = _boxes(4_000, torch.Size((28, 28)), (0.5, 1.0), (3 / 4, 4 / 3), seeded())

    expected = sum(28 in (each["height"], each["width"]) for each in drawn) / 4_000
    spanning = (boxes[:, 2:] == 28).any(1).float().mean().item()
    error = (2 * expected * (1 - expected) / 4_000) ** 0.5  # of two shares of 4,000 draws each
    assert spanning == pytest.approx(expected, abs=3 * error)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= 28).all()


def test_where_no_box_fits_the_largest_in_the_middle_is_taken():
    boxes = _boxes(3, torch.Size((10, 40)), (1.0, 1.0), (1.0, 1.0), seeded())

    assert boxes.tolist() == [[0, 15, 10, 10]] * 3


def test_random_rotation_turns_each_image_by_its_own_angle():
    images = pictures(1).repeat(50, 1, 1, 1)

    turned = random_rotation(images, 45.0, seeded())

    assert turned.flatten(1).unique(dim=0).shape[0] > 45


def test_random_grayscale_takes_the_colour_of_its_share():
    images = photos(200)

    changed = (random_grayscale(images, 0.25, seeded()) != images).flatten(1).any(1)

    assert 30 < changed.sum() < 70


def test_mixup_mixes_labels_as_it_mixes_images():
    labels = torch.arange(8)
    images = torch.nn.functional.one_hot(labels).float().view(8, 8, 1, 1)

    mixed, shares = random_mixup(images, labels, 8, 1.0, seeded())

    assert torch.allclose(mixed.flatten(1), shares)
    assert torch.allclose(shares.sum(1), torch.ones(8))
    assert shares.amax(1).lt(1).sum() >= 5


def test_mixup_draws_from_beta():
    images, labels = torch.zeros(2, 1, 1, 1), torch.tensor([0, 1])
    generator = seeded()
    draws = [random_mixup(images, labels, 2, 0.4, generator)[1] for _ in range(3_000)]

    # where the partner is the other image, its share is 1 − λ; SD of Beta(.4, .4) is .3727
    share = torch.stack([each[0, 0] for each in draws if each[0, 0] < 1])
    assert share.mean() == pytest.approx(0.5, abs=0.03)
    assert share.std() == pytest.approx(0.3727, abs=0.02)


def test_static_copies_are_made_once_of_every_training_image():
    images, labels = pictures(6), torch.arange(6)

    copies, repeated = static_copies(images, labels, ("rotate", "flip", "crop"), seeded())

    assert torch.equal(copies[:6], images)
    assert torch.equal(copies[12:18], images.flip(-1))
    assert not torch.equal(copies[6:12], images)
    assert copies.shape == (24, 1, 28, 28)
    assert repeated.tolist() == list(range(6)) * 4


EVERYTHING = AugmentationSettings(
    enlarge=50,
    crop_scale=(0.5, 1.0),
    crop=44,
    shift=2,
    flip=True,
    vertical_flip=True,
    rotate=45.0,
    brightness=0.4,
    contrast=0.4,
    saturation=0.4,
    hue=0.1,
    grayscale=0.5,
    cutout=8,
)


def test_every_step_together_gives_what_the_model_takes():
    transform = TrainingTransform(
        evaluation=EvaluationTransform(size=48, mean=(0.4,) * 3, std=(0.2,) * 3),
        settings=EVERYTHING,
    )

    first, again = transform(photos(), seeded(5)), transform(photos(), seeded(5))

    assert first.shape == (16, 3, 48, 48)
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)


def test_no_more_is_cut_out_than_there_is():
    transform = TrainingTransform(evaluation=PLAIN, settings=AugmentationSettings(crop=29))

    with pytest.raises(RecipeError, match="crop = 29 can't be cut out of smaller images"):
        transform(pictures(2), seeded())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shift": -1}, "shift must not be negative"),
        ({"rotate": math.inf}, "rotate must not be negative"),
        ({"hue": 0.6}, "hue must be from 0 to 0.5"),
        ({"grayscale": 1.5}, "grayscale must be from 0 to 1"),
        ({"crop_scale": (0.5,)}, "crop_scale takes two positive numbers"),
        ({"crop_scale": (0.5, 1.5)}, "crop_scale takes two positive numbers"),
        ({"static": ("turn",)}, "static takes rotate, flip, crop, not 'turn'"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], message: str):
    with pytest.raises(RecipeError, match=message):
        AugmentationSettings(**settings)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="most must not be negative"):
        SamplingSettings(most=-1)


SHAPES = {"marine": (3, 224), "eurosat": (3, 64), "cifar": (3, 32), "digits": (1, 8)}


@pytest.mark.parametrize("name", recipe.names())
def test_augmentation_of_each_recipe_gives_what_its_model_takes(name: str):
    known = recipe.load(name)
    for data in dict.fromkeys((known.data, *known.others)):
        shape = next((SHAPES[each] for each in SHAPES if each in data), (1, 28))
        images = torch.randint(256, (2, shape[0], shape[1], shape[1]), dtype=torch.uint8)
        for settings in settings_of(name, data):
            plain = evaluation_transform(settings, images)
            transform = TrainingTransform(evaluation=plain, settings=settings.augmentation)
            expected = (2, input_channels(settings, images), plain.size, plain.size)
            assert transform(images, seeded()).shape == plain(images).shape == expected
