"""Batched image transforms, those of training and those of evaluation separate by type.

Evaluation takes no generator and holds no random step, so a random crop of the test set (the
mistake of report 001) can't be written down. Random draws come from a CPU generator, so that a
seed gives the same images on every device. Each `random_…` draws for every image of a batch on its
own; what is done with a draw is in `pixels`, as torchvision does it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from reference.errors import RecipeError
from reference.recipe.augmentation_settings import AugmentationSettings
from reference.training import pixels
from reference.training.preprocessing import prepare

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
STATIC_DEGREES = 45.0
STATIC_PART = 1024
STATIC_CROP = 2 / 3  # of each side: report 000 cut 256 out of 384


@dataclass(frozen=True, kw_only=True)
class EvaluationTransform:
    """Pixels to the model's input, the same every time.

    `mean` and `std` are by channel, in units of the full range. Three of them make three channels
    of a grey image.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Tensor) -> Tensor:
        """N×C×H×W uint8 → N×C×size×size float32."""
        return prepare(images, self.size, self.mean, self.std)


@dataclass(frozen=True, kw_only=True)
class TrainingTransform:
    """The recipe's random steps in the order of `AugmentationSettings`, then evaluation's."""

    evaluation: EvaluationTransform
    settings: AugmentationSettings = field(default_factory=AugmentationSettings)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """N×C×H×W uint8 → N×C×size×size float32; advances `generator`."""
        images = self._placed(images, generator)
        images = self._coloured(images, generator)
        if self.settings.cutout:
            images = random_cutout(
                images, self.settings.cutout, self.evaluation.mean[: images.shape[1]], generator
            )
        return self.evaluation(images)

    def _placed(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """What moves pixels."""
        settings, size = self.settings, self.evaluation.size
        if settings.enlarge:
            images = pixels.resize(images, settings.enlarge)
        if settings.crop_scale:
            images = random_resized_crop(
                images, size, settings.crop_scale, settings.crop_ratio, generator
            )
        if settings.crop:
            if settings.crop > min(images.shape[-2:]):
                raise RecipeError(f"crop = {settings.crop} can't be cut out of smaller images")
            images = random_crop(images, settings.crop, generator)
        if settings.shift:
            images = random_shift(images, settings.shift, generator)
        if settings.flip:
            images = random_flip(images, generator)
        if settings.vertical_flip:
            images = random_flip(images, generator, dimension=-2)
        if settings.rotate:
            images = random_rotation(images, settings.rotate, generator)
        return images

    def _coloured(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """What changes pixels where they are."""
        settings = self.settings
        for reach, adjust in (
            (settings.brightness, pixels.adjust_brightness),
            (settings.contrast, pixels.adjust_contrast),
            (settings.saturation, pixels.adjust_saturation),
        ):
            if reach:
                factors = _uniform(len(images), 1 - reach, 1 + reach, generator)
                images = adjust(images, factors.to(images.device))
        if settings.hue:
            turns = _uniform(len(images), -settings.hue, settings.hue, generator)
            images = pixels.adjust_hue(images, turns.to(images.device))
        if settings.grayscale:
            images = random_grayscale(images, settings.grayscale, generator)
        return images


def normalisation(images: Tensor, how: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and SD by channel, in units of the full range, for uint8 N×C×H×W training images.

    `training_set` measures them over all pixels (the SD of a channel of one value counts as 1);
    `imagenet` gives three values whatever the images are, and so makes three channels of one;
    `half` centres bytes at 127 and divides them by 128; `none` leaves 0…1 as it is.
    """
    channels = images.shape[1]
    if how == "imagenet":
        return IMAGENET_MEAN, IMAGENET_STD
    if how == "half":
        return (127 / 255,) * channels, (128 / 255,) * channels
    if how == "none":
        return (0.0,) * channels, (1.0,) * channels
    measured = [_mean_and_sd(each) for each in images.unbind(1)]
    mean = tuple(round(mean, 4) for mean, _ in measured)
    std = tuple(round(sd, 4) or 1.0 for _, sd in measured)
    return mean, std


def _mean_and_sd(values: Tensor) -> tuple[float, float]:
    """Of bytes, in units of the full range, by counting them: as floats they take eight times the
    memory, which 33,000 pictures of 224×224 do not leave.
    """
    counts = torch.bincount(values.flatten(), minlength=256).double()
    levels = torch.arange(256, dtype=torch.float64, device=values.device) / 255
    mean = (counts * levels).sum() / counts.sum()
    square = (counts * (levels - mean) ** 2).sum() / (counts.sum() - 1)
    return mean.item(), square.sqrt().item()


def static_copies(
    images: Tensor, labels: Tensor, steps: tuple[str, ...], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The training images, and for each step a changed copy of all of them (report 000).

    Evaluation images never come here: this takes and gives labels too.
    """
    side = images.shape[-1]
    cut = max(1, round(side * STATIC_CROP))
    change = {
        "rotate": lambda: torch.cat(
            [
                pixels.rotate(part, torch.full((len(part),), STATIC_DEGREES, device=part.device))
                for part in images.split(STATIC_PART)  # all at once they take gigabytes
            ]
        ),
        "flip": lambda: images.flip(-1),
        "crop": lambda: pixels.resize(random_crop(images, cut, generator), side),
    }
    copies = [images, *(change[step]() for step in steps)]
    return torch.cat(copies), labels.repeat(len(copies))


def random_mixup(
    images: Tensor, labels: Tensor, num_classes: int, alpha: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """λ·image + (1−λ)·another of the batch, and labels alike (Zhang et al. 2018, section 2).

    λ ~ Beta(α, α), one for the batch as in the authors' code.

    Shapes: N×C×H×W float and int64 N → N×C×H×W and shares of classes, N×K.
    """
    share = _beta(alpha, generator)
    partner = torch.randperm(len(labels), generator=generator).to(labels.device)
    one_hot = functional.one_hot(labels, num_classes).to(images.dtype)
    mixed = share * images + (1 - share) * images[partner]
    return mixed, share * one_hot + (1 - share) * one_hot[partner]


def random_shift(images: Tensor, reach: int, generator: torch.Generator) -> Tensor:
    """Pad by `reach` black pixels and cut each image out at its own random place."""
    height, width = images.shape[-2:]
    return _cut(functional.pad(images, (reach,) * 4), height, width, generator)


def random_crop(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Cut a `side`×`side` square out of each image, anywhere within it."""
    return _cut(images, side, side, generator)


def random_resized_crop(
    images: Tensor,
    size: int,
    scale: tuple[float, ...],
    ratio: tuple[float, ...],
    generator: torch.Generator,
) -> Tensor:
    """Cut out a share of the area between `scale`, resize it to `size`×`size` (bilinear).

    `ratio` of width to height is drawn evenly in its logarithm. A box that would not fit is cut at
    the image's border, where torchvision draws again, so that more boxes span a whole side; nor is
    a box that gets smaller smoothed first.
    """
    count, _, height, width = images.shape
    area = _uniform(count, scale[0], scale[1], generator) * height * width
    shape = _uniform(count, math.log(ratio[0]), math.log(ratio[1]), generator).exp()
    widths = (area * shape).sqrt().round().clamp(1, width)
    heights = (area / shape).sqrt().round().clamp(1, height)
    left = (torch.rand(count, generator=generator) * (width - widths + 1)).floor()
    top = (torch.rand(count, generator=generator) * (height - heights + 1)).floor()
    boxes = torch.stack([top, left, heights, widths], dim=1)
    return pixels.resized_crop(images, boxes.to(images.device), size)


def random_flip(images: Tensor, generator: torch.Generator, dimension: int = -1) -> Tensor:
    """Mirror each image with probability one half: left to right, or along another dimension."""
    mirrored = torch.rand(len(images), generator=generator).lt(0.5).to(images.device)
    return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(dimension), images)


def random_rotation(images: Tensor, reach: float, generator: torch.Generator) -> Tensor:
    """Turn each image by up to `reach` degrees either way; what comes in is black."""
    degrees = _uniform(len(images), -reach, reach, generator)
    return pixels.rotate(images, degrees.to(images.device))


def random_grayscale(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Take the colour of each image away with this probability."""
    chosen = torch.rand(len(images), generator=generator).lt(share).to(images.device)
    return torch.where(chosen.view(-1, 1, 1, 1), pixels.grayscale(images), images)


def random_cutout(
    images: Tensor, side: int, fill: tuple[float, ...], generator: torch.Generator
) -> Tensor:
    """Set one `side`×`side` square of each image to `fill` (DeVries and Taylor 2017).

    `fill` is by channel, of a full range of 1. The centre may lie anywhere, so that part of the
    square may fall outside.
    """
    count, _, height, width = images.shape
    rows = _span(torch.randint(height, (count,), generator=generator), height, side)
    columns = _span(torch.randint(width, (count,), generator=generator), width, side)
    hole = (rows.view(count, 1, height, 1) & columns.view(count, 1, 1, width)).to(images.device)
    colour = torch.tensor(fill, device=images.device).mul(255).round().to(images.dtype)
    return torch.where(hole, colour.view(1, -1, 1, 1), images)


def _cut(images: Tensor, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Each image's own height×width part, drawn evenly from all places."""
    count = len(images)
    places = images.unfold(2, height, 1).unfold(3, width, 1)
    rows, columns = (
        torch.randint(places.shape[dimension], (count,), generator=generator).to(images.device)
        for dimension in (2, 3)
    )
    return places[torch.arange(count, device=images.device), :, rows, columns]


def _span(centres: Tensor, length: int, side: int) -> Tensor:
    """Which of `length` positions lie in the `side` positions around each centre."""
    positions = torch.arange(length).view(1, -1) - centres.view(-1, 1)
    return (positions >= -(side // 2)) & (positions < side - side // 2)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.empty(count).uniform_(low, high, generator=generator)


def _beta(alpha: float, generator: torch.Generator) -> float:
    """One draw of Beta(α, α), as X/(X+Y) of two Gamma(α) draws."""
    gammas = torch._standard_gamma(torch.full((2,), alpha), generator=generator)
    return float(gammas[0] / gammas.sum())
