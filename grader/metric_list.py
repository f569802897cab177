"""The one list of metrics: what each is called, what it needs, and how sure it can be.

Everything that names metrics (settings, scorer, intervals, command line, pages, API, claims) reads
it here. The formula of a metric is the function of its name in `grader.scoring.formulas`, which
needs NumPy; this list is read by commands that start without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from grader.words.message import Message, said


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure of a split.

    `needs`: "labels", "scores" or "probabilities". `interval`, how its 95 % interval is made:
    "wilson" for a share of the images, "bootstrap" for another figure of the confusion matrix, ""
    for none; no interval reaches below `lowest`. `ranks`: whether it can rank submissions and has
    a line in tables; the others are in the JSON of a score, and may be claimed. `aliases` are what
    reports call it besides.
    """

    name: str
    title: str  # within a sentence
    direction: str = "higher"  # or "lower" is better
    needs: str = "labels"
    interval: str = ""
    lowest: float = 0.0
    ranks: bool = True
    aliases: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """The title as a heading, in English; pages translate it.

        >>> EVERY["macro_f1"].heading
        'Macro F1'
        """
        return self.title[0].upper() + self.title[1:]

    @property
    def unavailable(self) -> Message:
        """What is said where what it needs is not there."""
        if self.needs == "probabilities":
            return said("metric.needs_probabilities", metric=self.title)
        return said("metric.needs_scores", metric=self.title)

    @property
    def needs_scores(self) -> bool:
        """Whether class labels alone are not enough."""
        return self.needs != "labels"

    @property
    def higher_is_better(self) -> bool:
        """The direction as a truth value."""
        return self.direction == "higher"


EVERY: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(
                name="accuracy",
                title="accuracy",
                interval="wilson",
                aliases=("acc", "test_accuracy", "test_acc", "top1"),
            ),
            Metric(name="balanced_accuracy", title="balanced accuracy", interval="bootstrap"),
            Metric(
                name="macro_precision",
                title="macro precision",
                interval="bootstrap",
                aliases=("precision",),
            ),
            Metric(
                name="macro_recall",
                title="macro recall",
                interval="bootstrap",
                aliases=("recall",),
            ),
            Metric(
                name="macro_f1",
                title="macro F1",
                interval="bootstrap",
                aliases=("f1", "f1_score", "macro_f1_score"),
            ),
            Metric(
                name="cohen_kappa",
                title="Cohen's kappa",
                interval="bootstrap",
                lowest=-1.0,
                aliases=("kappa", "cohen_kappa_score"),
            ),
            Metric(
                name="matthews_corrcoef",
                title="Matthews correlation",
                interval="bootstrap",
                lowest=-1.0,
                aliases=("mcc", "matthews_correlation"),
            ),
            Metric(name="weighted_precision", title="weighted precision", ranks=False),
            Metric(name="weighted_recall", title="weighted recall", ranks=False),
            Metric(name="weighted_f1", title="weighted F1", ranks=False),
            Metric(name="top5_accuracy", title="top-5 accuracy", needs="scores"),
            Metric(name="log_loss", title="log loss", direction="lower", needs="probabilities"),
            Metric(name="macro_auc", title="macro AUC", needs="scores"),
        )
    }
)
"""By name, in the order in which tables show them."""

METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {name: metric for name, metric in EVERY.items() if metric.ranks}
)
"""Those that can rank submissions."""
