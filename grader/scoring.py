"""The only scorer: predictions × answer key → one score per split. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from grader import metrics
from grader.answers import AnswerKey
from grader.errors import MetricUnavailable
from grader.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number that can rank submissions. `needs`: "labels", "scores" or "probabilities"."""

    name: str
    title: str
    direction: str  # "higher" or "lower" is better
    needs: str = "labels"

    @property
    def needs_scores(self) -> bool:
        """Whether class labels alone are not enough."""
        return self.needs != "labels"

    @property
    def higher_is_better(self) -> bool:
        """The direction as a truth value."""
        return self.direction == "higher"


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(name="accuracy", title="accuracy", direction="higher"),
            Metric(name="balanced_accuracy", title="balanced accuracy", direction="higher"),
            Metric(name="macro_f1", title="macro F1", direction="higher"),
            Metric(name="macro_precision", title="macro precision", direction="higher"),
            Metric(name="macro_recall", title="macro recall", direction="higher"),
            Metric(
                name="top5_accuracy", title="top-5 accuracy", direction="higher", needs="scores"
            ),
            Metric(name="log_loss", title="log-loss", direction="lower", needs="probabilities"),
            Metric(name="macro_auc", title="macro AUC", direction="higher", needs="scores"),
        )
    }
)


FALSE_POSITIVE_RATES: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
"""Where the ROC curves that a score keeps are read off."""


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """How well one class was told from the others.

    `auc` and `roc`, the true positive rates at FALSE_POSITIVE_RATES, are None without scores or
    images.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    auc: float | None = None
    roc: tuple[float, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON form; `roc` is left out where there is none."""
        plain = dict(vars(self))
        if self.roc is None:
            del plain["roc"]
        return plain


@dataclass(frozen=True, kw_only=True, eq=False)
class Score:
    """All metrics of one split. confusion: int64 (K, K), rows are true classes.

    `top5_accuracy`, `log_loss` and `macro_auc` are None where the predictions hold no scores (for
    `log_loss`: no probabilities), `macro_auc` also where no class has both images and others.
    """

    n: int
    accuracy: float
    balanced_accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    weighted_precision: float
    weighted_recall: float
    weighted_f1: float
    top5_accuracy: float | None
    log_loss: float | None
    macro_auc: float | None
    per_class: tuple[ClassScore, ...]
    confusion: NDArray[np.int64] = field(repr=False)

    def metric(self, name: str) -> float:
        """Give the metric called `name`, one of METRICS.

        Raises:
            MetricUnavailable: it needs scores that the predictions do not hold.
        """
        value = getattr(self, METRICS[name].name)
        if value is None:
            raise MetricUnavailable(
                f"{METRICS[name].title} needs {METRICS[name].needs}: one column a class"
            )
        return float(value)

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON form."""
        plain = {
            entry.name: getattr(self, entry.name)
            for entry in fields(self)
            if entry.name not in ("per_class", "confusion")
        }
        return plain | {
            "per_class": [one.as_dict() for one in self.per_class],
            "confusion": self.confusion.tolist(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Score:
        """Read the JSON form."""
        return cls(
            **{
                **stored,
                "per_class": tuple(_class_score(one) for one in stored["per_class"]),
                "confusion": np.array(stored["confusion"], dtype=np.int64),
            }
        )


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The score of each split."""

    public: Score
    private: Score


def score(predictions: Predictions, key: AnswerKey) -> Scores:
    """Score predictions on both splits in one pass over the rows.

    Raises:
        ValueError: the predictions are not for the rows of this key.
    """
    predictions = _in_order_of(key, predictions)
    classes = key.num_classes
    # One count over (split, true, predicted) gives both confusion matrices.
    cells = key.public * np.intp(classes)
    cells += key.labels
    cells *= classes
    cells += predictions.labels
    counts = np.bincount(cells, minlength=2 * classes * classes)
    private, public = counts.reshape(2, classes, classes).astype(np.int64, copy=False)
    return Scores(
        public=_split_score(public, key.public, predictions, key),
        private=_split_score(private, ~key.public, predictions, key),
    )


def roc_curves(
    predictions: Predictions, key: AnswerKey, *, public: bool
) -> dict[str, metrics.RocCurve]:
    """Give the one-vs-rest ROC curve of each class that has images and others in the split.

    Raises:
        MetricUnavailable: the predictions hold no scores.
    """
    predictions = _in_order_of(key, predictions)
    if predictions.scores is None:
        raise MetricUnavailable("a ROC curve needs scores: one column a class")
    rows = key.public if public else ~key.public
    labels = key.labels[rows]
    curves = {}
    for index, name in enumerate(key.classes):
        curve = metrics.roc_curve(labels == index, predictions.scores[rows, index])
        if curve is not None:
            curves[name] = curve
    return curves


def _in_order_of(key: AnswerKey, predictions: Predictions) -> Predictions:
    if predictions.ids is key.ids or predictions.ids == key.ids:
        return predictions
    place = {name: row for row, name in enumerate(predictions.ids)}
    if len(predictions.ids) != len(key.ids) or any(name not in place for name in key.ids):
        raise ValueError("the predictions are not for the rows of this answer key")
    rows = np.array([place[name] for name in key.ids], dtype=np.intp)
    scores = predictions.scores
    return Predictions(
        ids=key.ids,
        labels=predictions.labels[rows],
        scores=None if scores is None else scores[rows],
    )


def _split_score(
    confusion: NDArray[np.int64],
    rows: NDArray[np.bool_],
    predictions: Predictions,
    key: AnswerKey,
) -> Score:
    labels, scores = None, None
    if predictions.scores is not None:
        labels, scores = key.labels[rows], predictions.scores[rows]
    rocs: list[metrics.RocSummary | None] = [None] * key.num_classes
    top5 = log_loss = macro_auc = None
    if labels is not None and scores is not None:
        rocs = [
            metrics.roc_summary(labels == index, scores[:, index], at=FALSE_POSITIVE_RATES)
            for index in range(key.num_classes)
        ]
        defined = [roc.auc for roc in rocs if roc is not None]
        macro_auc = sum(defined) / len(defined) if defined else None
        top5 = metrics.top_k_accuracy(labels, scores)
        if metrics.are_probabilities(scores):
            log_loss = metrics.log_loss(labels, scores)
    macro, weighted = metrics.macro(confusion), metrics.weighted(confusion)
    return Score(
        n=int(confusion.sum()),
        accuracy=metrics.accuracy(confusion),
        balanced_accuracy=metrics.balanced_accuracy(confusion),
        macro_precision=macro.precision,
        macro_recall=macro.recall,
        macro_f1=macro.f1,
        weighted_precision=weighted.precision,
        weighted_recall=weighted.recall,
        weighted_f1=weighted.f1,
        top5_accuracy=top5,
        log_loss=log_loss,
        macro_auc=macro_auc,
        per_class=_class_scores(confusion, key.classes, rocs),
        confusion=confusion,
    )


def _class_scores(
    confusion: NDArray[np.int64],
    names: tuple[str, ...],
    rocs: Sequence[metrics.RocSummary | None],
) -> tuple[ClassScore, ...]:
    values = metrics.per_class(confusion)
    columns = zip(
        names,
        values.precision.tolist(),
        values.recall.tolist(),
        values.f1.tolist(),
        metrics.support(confusion).tolist(),
        rocs,
        strict=True,
    )
    return tuple(
        ClassScore(
            name=name,
            precision=precision,
            recall=recall,
            f1=f1,
            support=count,
            auc=roc.auc if roc else None,
            roc=roc.true_positive_rates if roc else None,
        )
        for name, precision, recall, f1, count, roc in columns
    )


def _class_score(stored: Mapping[str, Any]) -> ClassScore:
    roc = stored.get("roc")
    return ClassScore(**{**stored, "roc": None if roc is None else tuple(roc)})
