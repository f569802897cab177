"""The baselines that a calibration trains, from a linear classifier to a fine-tuned network.

Each is a recipe of the repository, made general: nothing is known of the assignment's pictures, so
none is mirrored, and few images get more passes.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from reference.data import ImageSet
from reference.errors import NoData
from reference.models import pretrained
from reference.recipe import recipe as recipes
from reference.recipe.recipe import Recipe
from reference.recipe.settings import SamplingSettings

MOST_PASSES: Final = 6
LONG_TAIL_FROM: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Rung:
    """A baseline's name on the scale and the recipe that it is.

    `asks_for`: "" always, "pretrained" weights, or a "long tail" in the training images. `loss`:
    another than the recipe's. `made_for`: how many training images the recipe's epochs are for.
    `is_heavy`: it takes tens of times as long as those before it, and is tried only if they are
    quick.
    """

    name: str
    recipe: str
    asks_for: str = ""
    loss: Literal["", "balanced_softmax"] = ""
    made_for: int = 54_000
    is_heavy: bool = False


LADDER: Final = (
    Rung(name="linear", recipe="linear_to_deep:linear"),
    Rung(name="lenet5", recipe="lenet5"),
    Rung(name="simple_cnn", recipe="simple_cnn"),
    Rung(name="small_cnn", recipe="small_cnn"),
    Rung(name="long_tail", recipe="small_cnn", asks_for="long tail", loss="balanced_softmax"),
    Rung(name="resnet18", recipe="resnet18", is_heavy=True),
    Rung(
        name="fine_tuned",
        recipe="transfer:ImageNet",
        asks_for="pretrained",
        made_for=1_000,
        is_heavy=True,
    ),
)


def rungs(images: ImageSet, *, pretrained_allowed: bool) -> tuple[Rung, ...]:
    """The baselines that are of use here, the simplest first."""
    asked = {
        "": True,
        "long tail": imbalance(images.train_labels) >= LONG_TAIL_FROM,
        "pretrained": pretrained_allowed and _has_weights(),
    }
    return tuple(rung for rung in LADDER if asked[rung.asks_for])


def imbalance(labels: NDArray[np.int64]) -> float:
    """How many times as many images the largest class has as the smallest that has any.

    >>> imbalance(np.array([0, 0, 0, 0, 1, 1]))
    2.0
    """
    counts = np.bincount(labels)
    return float(counts.max() / counts[counts > 0].min())


def recipe_of(rung: Rung, images: ImageSet, *, epochs: int = 0) -> Recipe:
    """The recipe of a rung for an assignment's images.

    `epochs` 0: as many as make its number of steps, within six times the recipe's own.
    """
    base = recipes.load(rung.recipe)
    passes = min(MOST_PASSES, max(1.0, rung.made_for / len(images.train_labels)))
    training = dataclasses.replace(
        base.training,
        epochs=epochs or math.ceil(base.training.epochs * passes),
        loss=rung.loss or base.training.loss,
    )
    return dataclasses.replace(
        base,
        name=rung.name,
        report="calibration",
        row="",
        variant="own",
        reason="",
        data=images.name,
        stand_in="",
        others=(),
        cases=(),
        case="",
        reported={},
        training=training,
        augmentation=dataclasses.replace(base.augmentation, flip=False),
        sampling=SamplingSettings(),
    )


def _has_weights() -> bool:
    try:
        pretrained.path_of(pretrained.LITE)
    except NoData:
        return False
    return True
