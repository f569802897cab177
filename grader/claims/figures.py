"""Per-class figures, exact or as printed, and the means that people make of them.

Pure. A printed figure is known up to its last digit; every mean carries how far it may be off, so
that a comparison with another printed figure neither accuses nor excuses by rounding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from grader.scoring import formulas, metrics

COLUMNS = ("precision", "recall", "f1")
MEANS = tuple(f"macro_{column}" for column in COLUMNS)
LONGEST = 40  # characters of a printed figure
ROUNDING_NOISE = 1e-9  # binary fractions: 0.285 is a little less than it says


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number known to within ± `margin` (0: exactly)."""

    value: float
    margin: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A figure as somebody printed it: its value and the unit of its last digit.

    >>> Printed.parse("0.760"), Printed.parse("76%").value, Printed.parse(".76").step
    (Printed(text='0.760', value=0.76, step=0.001), 0.76, 0.01)
    """

    text: str
    value: float
    step: float

    @classmethod
    def parse(cls, text: str, *, signed: bool = False) -> Self:
        """Read a plain decimal number, with or without a percent sign; `signed`: or a minus.

        Raises:
            ValueError: it is anything else.
        """
        digits = text.strip().removesuffix("%").strip()
        whole, _, fraction = (digits.removeprefix("-") if signed else digits).partition(".")
        if len(text) > LONGEST or not re.fullmatch("[0-9]+", whole + fraction):
            raise ValueError(f"{text[:LONGEST]!r} is not a plain decimal number")
        scale = 100 if text.strip().endswith("%") else 1
        value = float(digits) / scale
        # "1" and "0" as a share mean all and nothing, not anything that rounds to them.
        decimals = len(fraction) if fraction or value > 1 or scale > 1 else 2
        return cls(text=text.strip(), value=value, step=10.0**-decimals / scale)

    def as_percent_of_one(self) -> Printed:
        """The same digits, taken for percent."""
        return Printed(text=self.text, value=self.value / 100, step=self.step / 100)

    def fits(self, figure: Figure) -> bool:
        """Whether rounding the figure to the nearest gives what is printed."""
        reach = self.step / 2 + figure.margin + ROUNDING_NOISE
        return abs(figure.value - self.value) <= reach

    def fits_cut_off(self, figure: Figure) -> bool:
        """Whether cutting the figure's later digits off gives what is printed."""
        above = figure.value - self.value
        return -figure.margin - ROUNDING_NOISE <= above < self.step + figure.margin - ROUNDING_NOISE

    def fits_rounded_up(self, figure: Figure) -> bool:
        """Whether rounding the figure upward gives what is printed."""
        below = self.value - figure.value
        return -figure.margin - ROUNDING_NOISE <= below < self.step + figure.margin - ROUNDING_NOISE


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassFigures:
    """Precision, recall and F1 (K,) of K classes with their numbers of images (K,).

    `step` is the unit of the last printed digit, 0 for figures computed from counts. `right` is
    the number of right answers where it is known exactly, `counts` those of a confusion matrix.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]
    step: float = 0.0
    right: int | None = None
    counts: formulas.Counts | None = None

    @classmethod
    def of(cls, confusion: NDArray[np.int64]) -> Self:
        """The exact figures of a (K, K) confusion matrix, rows true."""
        each = metrics.per_class(confusion)
        return cls(
            precision=each.precision,
            recall=each.recall,
            f1=each.f1,
            support=metrics.support(confusion),
            right=int(np.trace(confusion)),
            counts=formulas.Counts.of(confusion),
        )

    @classmethod
    def printed(
        cls,
        precision: Sequence[Printed],
        recall: Sequence[Printed],
        f1: Sequence[Printed],
        support: Sequence[int],
    ) -> Self:
        """The figures of a printed table, one row a class.

        Where each class has fewer images than its recall has steps (100 at two decimals), the
        recalls give back the right answers, and so the accuracy, exactly.
        """
        columns = (precision, recall, f1)
        values = [np.array([each.value for each in column], dtype=np.float64) for column in columns]
        step = max(each.step for column in columns for each in column)
        counts = [right_answers(one, images) for one, images in zip(recall, support, strict=True)]
        known = [each[0] for each in counts if len(each) == 1]
        return cls(
            precision=values[0],
            recall=values[1],
            f1=values[2],
            support=np.array(support, dtype=np.int64),
            step=step,
            right=sum(known) if len(known) == len(counts) else None,
        )

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.support)

    @property
    def total(self) -> int:
        """The number of images."""
        return int(self.support.sum())

    def accuracy(self) -> Figure:
        """The share of right answers."""
        if self.right is not None:
            return Figure(value=self.right / self.total)
        value = float(self.recall @ self.support) / self.total
        return Figure(value=value, margin=self.step / 2)

    def metric(self, name: str) -> Figure | None:
        """The metric `name`; None where class figures do not give it."""
        if self.counts is not None and name in formulas.OF_COUNTS:
            return Figure(value=float(formulas.OF_COUNTS[name](self.counts)))
        if name == "accuracy":
            return self.accuracy()
        if name == "balanced_accuracy":
            return self._mean(self.recall[self.support > 0])
        kind, _, column = name.partition("_")
        if column not in COLUMNS:
            return None
        values: NDArray[np.float64] = getattr(self, column)
        if kind == "weighted":
            mean = float(values @ self.support) / self.total
            return Figure(value=mean, margin=self.step / 2)
        return self._mean(values) if kind == "macro" else None

    def macro_of_first(self, count: int, name: str) -> Figure:
        """The macro metric `name` over the first `count` classes only."""
        return self._mean(getattr(self, name.partition("_")[2])[:count])

    def macro_of_present(self, name: str) -> Figure:
        """The macro metric `name` over the classes that have images only."""
        return self._mean(getattr(self, name.partition("_")[2])[self.support > 0])

    def f1_of_means(self) -> Figure:
        """The harmonic mean of macro precision and macro recall, which is not macro F1."""
        precision, recall = float(self.precision.mean()), float(self.recall.mean())
        total = precision + recall
        # The derivatives by the two add up to 2 (P² + R²) / (P + R)², at most 2.
        return Figure(value=2 * precision * recall / total if total else 0.0, margin=self.step)

    def _mean(self, values: NDArray[np.float64]) -> Figure:
        return Figure(value=float(values.mean()), margin=self.step / 2)


def right_answers(recall: Printed, images: int) -> tuple[int, ...]:
    """The numbers of right answers among `images` that are printed as this recall.

    >>> right_answers(Printed.parse("0.41"), 79), right_answers(Printed.parse("0.41"), 10)
    ((32,), ())
    """
    if images == 0:
        return (0,)
    middle = round(recall.value * images)
    reach = int(recall.step * images) + 1
    near = range(max(0, middle - reach), min(images, middle + reach) + 1)
    return tuple(count for count in near if recall.fits(Figure(value=count / images)))
