"""What a trained model answers, and what that is worth. The figures are `grader`'s."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from grader.scoring import formulas, metrics
from reference.training.transforms.evaluating import EvaluationTransform

# The default batch of a grading run too. Large enough to be quick, small enough for a laptop.
BATCH = 256


@torch.inference_mode()
def predict(model: nn.Module, images: Tensor, transform: EvaluationTransform) -> Tensor:
    """Scores for every image, in float32 on the CPU: N×C×H×W uint8 → N×K.

    Leaves the model in evaluation mode. No images give 0×0.

    Raises:
        TypeError: `transform` is not one of evaluation; a random one would make scores random.
    """
    if not isinstance(transform, EvaluationTransform):
        raise TypeError(f"evaluation takes an EvaluationTransform, not {type(transform).__name__}")
    model.eval()
    if not len(images):
        return torch.empty(0, 0)
    return torch.cat(
        [logits_of(model, transform(batch), transform.mirror) for batch in images.split(BATCH)]
    )


def logits_of(model: nn.Module, inputs: Tensor, mirror: bool) -> Tensor:
    """Of one batch, float32 on the CPU; with `mirror` the mean over it and its mirror image."""
    logits: Tensor = model(inputs).float()
    if mirror:
        logits = (logits + model(inputs.flip(-1)).float()) / 2
    return logits.cpu()


def training_figures(scores: Tensor, targets: Tensor) -> dict[str, float]:
    """Mean cross-entropy and accuracy over an epoch's own answers, N×K, as they were given.

    `targets`: labels, or shares of classes as mixup makes them; then the larger share is the label.
    """
    labels = targets.argmax(dim=1) if targets.ndim > 1 else targets
    return {
        "train_loss": functional.cross_entropy(scores, targets).item(),
        "train_accuracy": accuracy(scores.cpu(), labels),
    }


def validation_figures(scored: tuple[Tensor, Tensor] | None) -> dict[str, Any]:
    """Accuracy, and the area under each class's ROC curve; None where there was nothing to ask."""
    if scored is None:
        return {"validation_accuracy": None, "validation_auc": None}
    scores, labels = scored
    return {
        "validation_accuracy": accuracy(scores, labels),
        "validation_auc": class_aucs(scores, labels),
    }


def class_aucs(scores: Tensor, labels: Tensor) -> list[float | None]:
    """Area under the ROC curve of each class's probability against all others: K.

    None for a class that has all or none of the images, and for logits that are not finite.
    """
    if not bool(scores.isfinite().all()):
        return [None] * scores.shape[1]
    chances = torch.softmax(scores.double(), dim=1).numpy()
    own = labels.cpu().numpy()
    return [metrics.roc_auc(own == k, chances[:, k]) for k in range(scores.shape[1])]


def confusion(scores: Tensor, labels: Tensor) -> NDArray[np.int64]:
    """K×K counts, rows the true class; of equal scores the lowest class wins."""
    # numpy's argmax takes the first of equals, torch's any of them
    predicted = scores.numpy().argmax(axis=1).astype(np.int64)
    return metrics.confusion_matrix(labels.cpu().numpy(), predicted, scores.shape[1])


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Share of images whose highest score is their label's."""
    return float(formulas.accuracy(formulas.Counts.of(confusion(scores, labels))))
