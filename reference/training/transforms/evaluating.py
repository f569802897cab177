"""From pixels to a model's input outside training. Nothing here takes a random generator.

So a random crop of the test set, the mistake of report 001, can't be written down.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference.training.transforms.preprocessing import prepare

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class EvaluationTransform:
    """Pixels to the model's input, the same every time.

    Attributes:
        mean, std: by channel, in units of the full range. Three make three channels of a grey
            image.
        enlarge: side that images are resized to before their middle is cut out; 0: none.
        mirror: whether answers are the means of those for an image and its mirror image.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    enlarge: int = 0
    mirror: bool = False

    def __call__(self, images: Tensor) -> Tensor:
        """N×C×H×W uint8 → N×C×size×size float32."""
        return prepare(images, self.size, self.mean, self.std, self.enlarge)


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
