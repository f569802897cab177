"""What training does to batches of images on top of evaluation: a list of random steps.

Random draws come from a CPU generator, so that a seed gives the same images on every device. Each
`random_…` draws for every image of a batch on its own; what is done with a draw is in `pixels`, as
torchvision does it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from reference.errors import RecipeError
from reference.recipe.settings import AugmentationSettings
from reference.training.transforms import pixels
from reference.training.transforms.evaluating import EvaluationTransform
from reference.training.transforms.preprocessing import prepare

STATIC_DEGREES = 45.0
STATIC_PART = 1024
STATIC_CROP = 2 / 3  # of each side: report 000 cut 256 out of 384
TRIES = 10  # torchvision's, for a box that fits

Step = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, kw_only=True)
class TrainingTransform:
    """The recipe's steps in its order, then evaluation's normalisation, then cutout."""

    evaluation: EvaluationTransform
    settings: AugmentationSettings = field(default_factory=AugmentationSettings)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """N×C×H×W uint8 → N×C×size×size float32; advances `generator`."""
        steps = every_step(self.settings, self.evaluation.size)
        for name in self.settings.steps:
            images = steps[name](images, generator)
        size, mean, std = self.evaluation.size, self.evaluation.mean, self.evaluation.std
        images = prepare(images, size, mean, std)
        if self.settings.cutout:
            images = random_cutout(images, self.settings.cutout, generator)
        return images


def every_step(settings: AugmentationSettings, size: int) -> dict[str, Step]:
    """Each step by the name of its setting: uint8 N×C×H×W → the same, of another side if it cuts.

    `size`: side that the model takes, which `crop_scale` resizes to.
    """
    return {
        "enlarge": lambda images, _: pixels.resize(images, settings.enlarge),
        "crop_scale": lambda images, generator: random_resized_crop(
            images, size, settings.crop_scale, settings.crop_ratio, generator
        ),
        "crop": lambda images, generator: random_crop(images, settings.crop, generator),
        "shift": lambda images, generator: random_shift(images, settings.shift, generator),
        "flip": random_flip,
        "vertical_flip": lambda images, generator: random_flip(images, generator, dimension=-2),
        "rotate": lambda images, generator: random_rotation(
            images, settings.rotate, generator, settings.rotation
        ),
        "brightness": _adjusted(settings.brightness, pixels.adjust_brightness),
        "contrast": _adjusted(settings.contrast, pixels.adjust_contrast),
        "saturation": _adjusted(settings.saturation, pixels.adjust_saturation),
        "hue": _adjusted(settings.hue, pixels.adjust_hue, middle=0.0),
        "grayscale": lambda images, generator: random_grayscale(
            images, settings.grayscale, generator
        ),
    }


def _adjusted(
    reach: float, adjust: Callable[[Tensor, Tensor], Tensor], middle: float = 1.0
) -> Step:
    """A change of each image by a value of its own, drawn from `middle` ± `reach`."""

    def step(images: Tensor, generator: torch.Generator) -> Tensor:
        drawn = _uniform(len(images), middle - reach, middle + reach, generator)
        return adjust(images, drawn.to(images.device))

    return step


def static_copies(
    images: Tensor,
    labels: Tensor,
    steps: tuple[str, ...],
    generator: torch.Generator,
    rotation: str = "bilinear",
) -> tuple[Tensor, Tensor]:
    """The training images, and after them for each step a changed copy of all (report 000).

    Evaluation images never come here: this takes and gives labels too.
    """
    side = images.shape[-1]
    cut = max(1, round(side * STATIC_CROP))
    change = {
        "rotate": lambda: torch.cat(
            [
                pixels.rotate(
                    part, torch.full((len(part),), STATIC_DEGREES, device=part.device), rotation
                )
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
    """Cut a `side`×`side` square out of each image, anywhere within it.

    Raises:
        RecipeError: images are smaller.
    """
    if side > min(images.shape[-2:]):
        raise RecipeError(f"crop = {side} can't be cut out of smaller images")
    return _cut(images, side, side, generator)


def random_resized_crop(
    images: Tensor,
    size: int,
    scale: tuple[float, ...],
    ratio: tuple[float, ...],
    generator: torch.Generator,
) -> Tensor:
    """Cut out a share of the area between `scale`, resize it to `size`×`size` (bilinear).

    `ratio` of width to height is drawn evenly in its logarithm. As in torchvision, a box that does
    not fit is drawn again, ten times in all, and then the largest one in the middle is taken that
    `ratio` allows. A box that gets smaller is not smoothed first.
    """
    boxes = _boxes(len(images), images.shape[-2:], scale, ratio, generator)
    return pixels.resized_crop(images, boxes.to(images.device), size)


def _boxes(
    count: int,
    shape: torch.Size,
    scale: tuple[float, ...],
    ratio: tuple[float, ...],
    generator: torch.Generator,
) -> Tensor:
    """Top, left, height and width of a box for each image: float32 N×4, whole pixels."""
    height, width = shape
    drawn = (count, TRIES)
    area = _uniform(count * TRIES, scale[0], scale[1], generator).view(drawn) * (height * width)
    low, high = (math.log(each) for each in ratio)
    form = _uniform(count * TRIES, low, high, generator).view(drawn).exp()
    widths, heights = (area * form).sqrt().round(), (area / form).sqrt().round()
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    first = fits.int().argmax(dim=1, keepdim=True)  # of equals the first
    box = torch.cat([heights.gather(1, first), widths.gather(1, first)], dim=1)
    room = torch.tensor([height, width]) - box
    corner = (torch.rand(count, 2, generator=generator) * (room + 1)).floor()
    whole = torch.tensor(_in_the_middle(height, width, ratio), dtype=torch.float32)
    return torch.where(fits.any(dim=1, keepdim=True), torch.cat([corner, box], dim=1), whole)


def _in_the_middle(height: int, width: int, ratio: tuple[float, ...]) -> tuple[int, int, int, int]:
    """The largest box of an allowed ratio."""
    box_height, box_width = height, width
    if width / height < ratio[0]:
        box_height = round(width / ratio[0])
    elif width / height > ratio[1]:
        box_width = round(height * ratio[1])
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width


def random_flip(images: Tensor, generator: torch.Generator, dimension: int = -1) -> Tensor:
    """Mirror each image with probability one half: left to right, or along another dimension."""
    mirrored = torch.rand(len(images), generator=generator).lt(0.5).to(images.device)
    return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(dimension), images)


def random_rotation(
    images: Tensor, reach: float, generator: torch.Generator, rotation: str = "bilinear"
) -> Tensor:
    """Turn each image by up to `reach` degrees either way; what comes in is black."""
    degrees = _uniform(len(images), -reach, reach, generator)
    return pixels.rotate(images, degrees.to(images.device), rotation)


def random_grayscale(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Take the colour of each image away with this probability."""
    chosen = torch.rand(len(images), generator=generator).lt(share).to(images.device)
    return torch.where(chosen.view(-1, 1, 1, 1), pixels.grayscale(images), images)


def random_cutout(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Set one `side`×`side` square of each normalised image to 0 (DeVries and Taylor 2017).

    So it has the training images' mean colour where that was subtracted, and is black where nothing
    was. The centre may lie anywhere, so that part of the square may fall outside.
    """
    count, _, height, width = images.shape
    rows = _span(torch.randint(height, (count,), generator=generator), height, side)
    columns = _span(torch.randint(width, (count,), generator=generator), width, side)
    hole = (rows.view(count, 1, height, 1) & columns.view(count, 1, 1, width)).to(images.device)
    return images.masked_fill(hole, 0.0)


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
