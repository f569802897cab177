"""The tables of a recipe: what each setting is, its default, and the values that it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reference.errors import RecipeError

STATIC_COPIES = ("rotate", "flip", "crop")
# the order that steps have where a recipe gives none
STEPS = (
    *("enlarge", "crop_scale", "crop", "shift", "flip", "vertical_flip", "rotate"),
    *("brightness", "contrast", "saturation", "hue", "grayscale"),
)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How the weights are found.

    Attributes:
        epochs: passes over the training images, at most.
        batch_size: images a step; the last step of a pass takes what is left, and a single image
            that is left joins the step before.
        loss: `cross_entropy`; the same `class_weighted` by the inverse of a class's share of the
            images as they are drawn, or `class_balanced` by the inverse of its effective number
            (Cui et al. 2019, with their `beta`); `balanced_softmax` (Ren et al. 2020), with those
            shares as the prior; or `auc_weighted`, by the inverse of a class's area under its ROC
            curve, after a first training by cross-entropy, measured as `auc_of` says: on
            `validation` images or, as report 003 did, on those `held_out` to test with.
        label_smoothing: Szegedy et al. 2016, with each of them.
        adjust: τ of logit adjustment after training (Menon et al. 2021): the classifier's biases
            lose τ times the logarithm of these shares; 0: none.
        freeze: modules, by name, that take no steps. frozen_statistics: those of their batch
            normalisation are `held`, or go on `moving` with every batch, a mistake easily made.
        cache_features: let frozen modules see each image once, as it is and mirrored, and train
            the rest on what they answered: the same, and much quicker. It needs all modules up to
            the last frozen one frozen and held, and no step of augmentation but `flip`.
        rates: factors on the learning rate, by the name of a module; of several that hold for a
            parameter the innermost counts.
        retrain: epochs, after the others, in which the classifier alone is trained anew by
            cross-entropy on class-balanced draws (Kang et al. 2020, cRT); 0: none.
        optimiser: `sgd` (with `momentum`, Nesterov's unless `nesterov` is false), `adam`,
            `adam_beta2_099` (Adam with β2 .99, as report 003), `adamw`, `rmsprop`.
        decay: which parameters `weight_decay` holds for: `matrices`, those of more than one
            dimension (neither biases nor batch normalisation), or `all`, as PyTorch does unasked.
        lr: learning rate; the highest one where a schedule changes it.
        schedule: `none`; `step`: ×`gamma` after each `period`; `multistep`: ×`gamma` at each of
            `milestones`; `exponential`: ×`gamma` after each epoch; `plateau`: ×`gamma` after more
            than `patience` epochs without a validation accuracy that is better by a ten-thousandth
            of itself, as in PyTorch; `cosine`: half a cosine down to 0 (Loshchilov and Hutter
            2017); `one_cycle`: the same after a rise (Smith 2018).
        period, milestones: shares of all epochs, each rounded to a whole number of them;
            milestones that would fall on the same epoch follow one another.
        warmup: share of all steps in which the learning rate rises from 0 to `lr`, before any of
            these.
        early_stopping: end after so many epochs without a better validation accuracy; 0: never.
        init: `default` is torch's; `xavier` draws all weights as Glorot and Bengio 2010.
        precision: `bfloat16` trains under autocast where the processor has the instructions.
        compile: let `torch.compile` fuse the model's operations; on a CPU it needs g++.
        validation: share of the training images kept for selection; 0 trains on all of them.
        same_validation: keep the same ones whatever the seed, so that runs can be put together.
        select: `best` keeps the epoch with the highest validation accuracy, `last` the last one.
            The test set is read once, after that.
    """

    epochs: int
    batch_size: int
    lr: float
    loss: Literal[
        "cross_entropy", "class_weighted", "class_balanced", "balanced_softmax", "auc_weighted"
    ] = "cross_entropy"
    auc_of: Literal["validation", "held_out"] = "validation"
    beta: float = 0.9999
    label_smoothing: float = 0.0
    optimiser: Literal["sgd", "adam", "adam_beta2_099", "adamw", "rmsprop"] = "sgd"
    momentum: float = 0.0
    nesterov: bool = True
    weight_decay: float = 0.0
    decay: Literal["matrices", "all"] = "matrices"
    schedule: Literal[
        "none", "step", "multistep", "exponential", "plateau", "cosine", "one_cycle"
    ] = "none"
    gamma: float = 0.1
    period: float = 0.0
    milestones: tuple[float, ...] = ()
    patience: int = 4
    warmup: float = 0.0
    early_stopping: int = 0
    adjust: float = 0.0
    freeze: tuple[str, ...] = ()
    frozen_statistics: Literal["held", "moving"] = "held"
    cache_features: bool = False
    rates: Mapping[str, float] = field(default_factory=dict)
    retrain: int = 0
    init: Literal["default", "xavier"] = "default"
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    validation: float = 0.1
    same_validation: bool = False
    select: Literal["best", "last"] = "best"

    def __post_init__(self) -> None:
        _check(self.epochs >= 1, "epochs must be at least 1")
        _check(self.batch_size >= 1, "batch_size must be at least 1")
        _check(0 < self.lr < math.inf, "lr must be positive")
        _check(0 <= self.momentum < 1, "momentum must be from 0 to below 1")
        _check(0 <= self.weight_decay < math.inf, "weight_decay must not be negative")
        _check(0 <= self.validation < 1, "validation must be a share from 0 to below 1")
        _check(0 <= self.warmup < 1, "warmup must be a share from 0 to below 1")
        _check(0 <= self.label_smoothing < 1, "label_smoothing must be from 0 to below 1")
        _check(0 < self.gamma < 1, "gamma must be between 0 and 1")
        _check(self.patience >= 0, "patience must not be negative")
        _check(self.early_stopping >= 0, "early_stopping must not be negative")
        _check(0 <= self.beta < 1, "beta must be from 0 to below 1")
        _check(0 <= self.adjust < math.inf, "adjust must not be negative")
        _check(self.retrain >= 0, "retrain must not be negative")
        _check(all(0 < each < math.inf for each in self.rates.values()), "rates must be positive")
        _check(
            not self.cache_features or (bool(self.freeze) and self.frozen_statistics == "held"),
            "cache_features needs modules that are frozen, with their statistics held",
        )
        self._check_schedule()
        self._check_selection()

    def _check_schedule(self) -> None:
        _check(
            (self.schedule == "step") == (self.period > 0),
            'period (a share of all epochs) goes with schedule = "step"',
        )
        _check(
            (self.schedule == "multistep") == bool(self.milestones),
            'milestones (shares of all epochs) go with schedule = "multistep"',
        )
        _check(self.period < 1, "period must be a share below 1")
        rising = (0.0, *sorted(set(self.milestones)), 1.0)
        _check(
            (0.0, *self.milestones, 1.0) == rising and all(0 < m < 1 for m in self.milestones),
            "milestones must be shares between 0 and 1 that rise",
        )
        _check(
            self.schedule != "one_cycle" or self.warmup > 0,
            'warmup must be positive with schedule = "one_cycle"',
        )

    def _check_selection(self) -> None:
        _check(
            not (self.adjust and self.select == "best"),
            'adjust needs select = "last": validation sees logits before they are adjusted',
        )
        _check(
            not (self.retrain and self.early_stopping),
            "retrain does not go with early_stopping: it begins after all epochs",
        )
        for key, needs in {
            "select": self.select == "best",
            "schedule": self.schedule == "plateau",
            "early_stopping": self.early_stopping > 0,
            "loss": self.loss == "auc_weighted" and self.auc_of == "validation",
        }.items():
            value = getattr(self, key)
            hint = ', or select = "last"' if key == "select" else ""
            _check(
                not needs or self.validation > 0,
                f"{key} = {value!r} needs validation images: set validation{hint}",
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


@dataclass(frozen=True, kw_only=True)
class Range:
    """The values that one setting may take.

    Attributes:
        low, high: both within. log: drawn evenly in the logarithm. whole: whole numbers only.
        choices: instead of these, the values to choose from.
    """

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    choices: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        if self.choices:
            _check(not (self.low or self.high), "choices go without low and high")
            return
        _check(self.low < self.high, "low must be below high, or choices be given")
        _check(not self.log or self.low > 0, "low must be positive with log")


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise RecipeError(message)
