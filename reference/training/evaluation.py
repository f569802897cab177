"""What a trained model answers, and what that is worth. The figures are `grader`'s."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from grader.scoring import formulas, metrics
from reference.training.augment import EvaluationTransform

# The default batch of a grading run too. Large enough to be quick, small enough for a laptop.
BATCH = 256


@torch.inference_mode()
def predict(model: nn.Module, images: Tensor, transform: EvaluationTransform) -> Tensor:
    """Scores for every image, in float32 on the CPU: N×C×H×W uint8 → N×K.

    Leaves the model in evaluation mode.

    Raises:
        TypeError: `transform` is not one of evaluation; a random one would make scores random.
    """
    if not isinstance(transform, EvaluationTransform):
        raise TypeError(f"evaluation takes an EvaluationTransform, not {type(transform).__name__}")
    model.eval()
    return torch.cat([model(transform(batch)).float().cpu() for batch in images.split(BATCH)])


def confusion(scores: Tensor, labels: Tensor) -> NDArray[np.int64]:
    """K×K counts, rows the true class; of equal scores the lowest class wins."""
    # numpy's argmax takes the first of equals, torch's any of them
    predicted = scores.numpy().argmax(axis=1).astype(np.int64)
    return metrics.confusion_matrix(labels.cpu().numpy(), predicted, scores.shape[1])


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Share of images whose highest score is their label's."""
    return float(formulas.accuracy(formulas.Counts.of(confusion(scores, labels))))
