"""The tables of a recipe that say what training does to its images and to their number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from reference.errors import RecipeError

STATIC_COPIES = ("rotate", "flip", "crop")
# the order that steps have where a recipe gives none
STEPS = (
    *("enlarge", "crop_scale", "crop", "shift", "flip", "vertical_flip", "rotate"),
    *("brightness", "contrast", "saturation", "hue", "grayscale"),
)


@dataclass(frozen=True, kw_only=True)
class AugmentationSettings:
    """What training does to images, step by step; `transforms.augment` explains the steps.

    Attributes:
        order: the steps that are set, from `enlarge` to `grayscale`, in the order in which they
            come; empty: as they stand here. Normalisation, cutout and mixup come after them.
        static: before training, once: each of these adds a changed copy of every training image.
            `rotate`: by 45°; `flip`: left to right; `crop`: a random two thirds of each side.
        enlarge: height and width that images are resized to before any random step; 0: none.
        crop_scale: share of the area that a random crop keeps, drawn between these two; it is
            resized to what the model takes. Empty: none. crop_ratio: its width by its height.
        crop: side of a random square that is cut out without resizing it; 0: none.
        shift: pixels that an image may move each way (pad, then crop).
        flip, vertical_flip: mirror half of the images.
        rotate: degrees that an image may turn each way. rotation: how turned pixels are found,
            `nearest` being torchvision's own default, and so the reports'.
        brightness, contrast, saturation: factors are drawn from 1 ± this. hue: of a full turn.
        grayscale: share of the images that lose their colour.
        cutout: side, in pixels of the model's input, of one square set to 0 after normalisation.
        mixup: α of the Beta distribution that two images are mixed by; 0: none.
        normalise: holds for evaluation too. `training_set`: mean and SD of the training images;
            `imagenet`: those of ImageNet; `half`: bytes less 127, by 128; `none`: 0…1.
    """

    order: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    enlarge: int = 0
    crop_scale: tuple[float, ...] = ()
    crop_ratio: tuple[float, ...] = (3 / 4, 4 / 3)
    crop: int = 0
    shift: int = 0
    flip: bool = False
    vertical_flip: bool = False
    rotate: float = 0.0
    rotation: Literal["bilinear", "nearest"] = "bilinear"
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    grayscale: float = 0.0
    cutout: int = 0
    mixup: float = 0.0
    normalise: Literal["training_set", "imagenet", "half", "none"] = "training_set"

    def __post_init__(self) -> None:
        for name in ("enlarge", "crop", "shift", "rotate", "cutout", "mixup"):
            _check(0 <= getattr(self, name) < math.inf, f"{name} must not be negative")
        for name in ("brightness", "contrast", "saturation", "grayscale"):
            _check(0 <= getattr(self, name) <= 1, f"{name} must be from 0 to 1")
        _check(0 <= self.hue <= 0.5, "hue must be from 0 to 0.5")
        for name in self.static:
            _check(name in STATIC_COPIES, f"static takes {', '.join(STATIC_COPIES)}, not {name!r}")
        _check_range("crop_scale", self.crop_scale or (1.0, 1.0), most=1.0)
        _check_range("crop_ratio", self.crop_ratio)
        chosen = [name for name in STEPS if getattr(self, name)]
        named = not self.order or sorted(self.order) == sorted(chosen)
        _check(named, f"order must name each step that is set, once: {', '.join(chosen)}")

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that are set, in the order in which they come."""
        return self.order or tuple(name for name in STEPS if getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """What validation and test do to images besides normalising them.

    Attributes:
        enlarge: side that images are resized to, before the middle of them is cut out in the size
            that the model takes; 0: they are resized to that at once.
        mirror: average the logits of each image and its mirror image.
    """

    enlarge: int = 0
    mirror: bool = False

    def __post_init__(self) -> None:
        _check(self.enlarge >= 0, "enlarge must not be negative")


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """How many images of a class are trained on, drawn once by the run's seed, in this order.

    Attributes:
        most: of a class that has more, only so many; 0: all.
        imbalance: how many times as many images the largest class keeps as the smallest; 1: as
            they are. profile: `exponential`, falling from the first class to the last, or `step`,
            the second half of the classes being rare. Validation and test stay as they are.
        least: of a class that has fewer, images are repeated up to so many; 0: none are.
        draw: `every_image` once an epoch; or as many draws, `class_balanced`: of each class alike.
    """

    most: int = 0
    imbalance: float = 1.0
    profile: Literal["exponential", "step"] = "exponential"
    least: int = 0
    draw: Literal["every_image", "class_balanced"] = "every_image"

    def __post_init__(self) -> None:
        _check(self.most >= 0, "most must not be negative")
        _check(1 <= self.imbalance < math.inf, "imbalance must be at least 1")
        _check(self.least >= 0, "least must not be negative")


def _check_range(name: str, values: tuple[float, ...], most: float = float("inf")) -> None:
    fits = len(values) == 2 and 0 < values[0] <= values[1] <= most
    _check(fits, f"{name} takes two positive numbers, the smaller one first")


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise RecipeError(message)
