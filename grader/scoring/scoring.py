"""The only scorer: predictions × answer key → one score per split. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from grader.assignments.answers import AnswerKey
from grader.errors import MetricUnavailable
from grader.metric_list import EVERY, METRICS
from grader.prediction_csv.predictions import Predictions
from grader.scoring import formulas, metrics
from grader.words.message import said

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

    `values` holds each of `grader.metric_list.EVERY` by name, an attribute too, such as
    `score.macro_f1`. None is what the predictions do not determine: they hold no scores (for
    `log_loss`: no probabilities), or, for `macro_auc`, no class has both images and others.
    """

    n: int
    values: Mapping[str, float | None]
    per_class: tuple[ClassScore, ...]
    confusion: NDArray[np.int64] = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        # asked for only where there is no such field; while one is unpickled there are none yet
        try:
            return vars(self)["values"][name]
        except KeyError:
            raise AttributeError(f"a score has no {name!r}") from None

    def metric(self, name: str) -> float:
        """Give the metric called `name`, one of METRICS.

        Raises:
            MetricUnavailable: it needs scores that the predictions do not hold.
        """
        metric = METRICS[name]
        value = self.values[name]
        if value is None:
            raise MetricUnavailable(metric.unavailable)
        return value

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {
            "n": self.n,
            **self.values,
            "per_class": [one.as_dict() for one in self.per_class],
            "confusion": self.confusion.tolist(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Score:
        """Read the JSON form, of an older version too.

        A metric that did not exist then is computed from the confusion matrix, or None.
        """
        confusion = np.array(stored["confusion"], dtype=np.int64)
        later = [name for name in EVERY if name not in stored]
        known = {**(formulas.of_confusion(confusion) if later else {}), **stored}
        return cls(
            n=stored["n"],
            values={name: known.get(name) for name in EVERY},
            per_class=tuple(_class_score(one) for one in stored["per_class"]),
            confusion=confusion,
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


def right_images(predictions: Predictions, key: AnswerKey) -> tuple[bytes, bytes]:
    """Say which images are right: one bit each, packed, of the public and of the private split.

    Both in the order of the key.

    Raises:
        ValueError: the predictions are not for the rows of this key.
    """
    right = _in_order_of(key, predictions).labels == key.labels
    return np.packbits(right[key.public]).tobytes(), np.packbits(right[~key.public]).tobytes()


def roc_curves(
    predictions: Predictions, key: AnswerKey, *, public: bool
) -> dict[str, metrics.RocCurve]:
    """Give the one-vs-rest ROC curve of each class that has images and others in the split.

    Raises:
        MetricUnavailable: the predictions hold no scores.
    """
    predictions = _in_order_of(key, predictions)
    if predictions.scores is None:
        raise MetricUnavailable(said("metric.needs_scores", metric="a ROC curve"))
    rows = key.public if public else ~key.public
    labels = key.labels[rows]
    curves = {}
    for index, name in enumerate(key.classes):
        curve = metrics.roc_curve(labels == index, predictions.scores[rows, index])
        if curve is not None:
            curves[name] = curve
    return curves


def _in_order_of(key: AnswerKey, predictions: Predictions) -> Predictions:
    if len(predictions.ids) > len(key.ids):
        raise ValueError("the predictions are not for the rows of this answer key: it has fewer")
    return predictions.of_rows(key.ids)


def _split_score(
    confusion: NDArray[np.int64],
    rows: NDArray[np.bool_],
    predictions: Predictions,
    key: AnswerKey,
) -> Score:
    rocs: list[metrics.RocSummary | None] = [None] * key.num_classes
    values: dict[str, float | None] = dict.fromkeys(EVERY)
    values |= formulas.of_confusion(confusion)
    if predictions.scores is not None:
        labels, scores = key.labels[rows], predictions.scores[rows]
        rocs = [
            metrics.roc_summary(labels == index, scores[:, index], at=FALSE_POSITIVE_RATES)
            for index in range(key.num_classes)
        ]
        scored = formulas.Scored(labels=labels, scores=scores, rocs=rocs)
        values |= {name: formula(scored) for name, formula in formulas.OF_SCORES.items()}
    return Score(
        n=int(confusion.sum()),
        values=values,
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
