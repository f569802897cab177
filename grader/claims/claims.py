"""What a report claims against what was measured, and which known mistake explains the difference.

Pure. A claim fits when rounding the measured value gives the printed one. Where it does not, the
mistakes that are often made with these figures are tried, and the one that reproduces the most
claims at once is named, with the others that would do as well: with enough tries something fits,
and a reader must be able to see that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from grader.claims.figures import LONGEST, MEANS, ClassFigures, Figure, Printed
from grader.metric_list import EVERY
from grader.scoring.scoring import Score
from grader.words.message import Message, said

ALIASES: Final[Mapping[str, str]] = {
    alias: metric.name for metric in EVERY.values() for alias in metric.aliases
}
BATCH_SIZES: Final = (64, 32, 128, 256, 16, 100, 50, 512, 200, 20, 10, 8, 80, 96, 1024, 500, 1000)
"""Tried in this order: the usual ones first."""
PLAUSIBLE_Z: Final = 3.0
"""How unusual a last batch may be, in standard deviations, before it explains nothing."""


class Slip(StrEnum):
    """A mistake that people make with these figures."""

    PERCENT = "percent"
    PUBLIC_AS_TEST = "public_as_test"
    ROUNDED_UP = "rounded_up"
    WEIGHTED = "weighted"
    MICRO = "micro"
    F1_OF_MEANS = "f1_of_means"
    PRESENT_ONLY = "present_only"
    FIRST_CLASSES = "first_classes"
    OTHER_DENOMINATOR = "other_denominator"
    DROPPED_BATCH = "dropped_batch"
    UNCOUNTED_BATCH = "uncounted_batch"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One figure of a report."""

    metric: str
    printed: Printed


@dataclass(frozen=True)
class Mistake:
    """One slip with the numbers that make it fit."""

    slip: Slip
    values: tuple[tuple[str, int | str], ...] = ()

    @property
    def said(self) -> Message:
        """What was done wrong."""
        return said(f"claim.{self.slip}", **dict(self.values))

    def __str__(self) -> str:
        return str(self.said)

    def as_dict(self) -> dict[str, int | str]:
        """Give the JSON form."""
        return {"slip": self.slip.value, **dict(self.values), "sentence": str(self)}


def mistake_said(found: Mapping[str, Any]) -> Message:
    """Say what a mistake is that was told as JSON (`Mistake.as_dict`)."""
    values = {name: value for name, value in found.items() if name not in ("slip", "sentence")}
    return Mistake(Slip(found["slip"]), tuple(values.items())).said


Explanation = tuple[Mistake, ...]
"""Mistakes that together lead from the measured value to the claim; mostly one."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One claim held against the measured value.

    `agrees` also where digits were cut off instead of rounded (`cut_off`). `explanation` is empty
    where the claim agrees, or nothing known reproduces it; `others` would explain the same claims.
    """

    claim: Claim
    measured: Figure | None
    agrees: bool
    cut_off: bool = False
    explanation: Explanation = ()
    others: tuple[Explanation, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {
            "metric": self.claim.metric,
            "claimed": self.claim.printed.text,
            "measured": None if self.measured is None else self.measured.value,
            "margin": None if self.measured is None else self.measured.margin,
            "agrees": self.agrees,
            "cut_off": self.cut_off,
            "explanation": [mistake.as_dict() for mistake in self.explanation],
            "others": [[mistake.as_dict() for mistake in each] for each in self.others],
            "sentence": str(self),
        }

    def __str__(self) -> str:
        what = f"{self.claim.metric}: claimed {self.claim.printed.text}"
        if self.measured is None:
            return f"{what}; nothing here measures that"
        measured = f"{what}, measured {self.measured.value:.4f}"
        if self.agrees:
            return f"{measured}: agrees{' (cut off, not rounded)' if self.cut_off else ''}"
        reason = "; ".join(map(str, self.explanation)) or said("claims.no_mistake")
        return f"{measured}: {reason}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What is known of the predictions that a report is about.

    `test` is what a test score should be computed from. `public` is the public split's, where the
    asker may see both. `right_in_order` (N,) says which images of `test` are right in the order
    in which students get them; with it a dropped batch is computed, without it judged plausible.
    `other_sizes` are numbers of images that may be mistaken for the test's (name → size).
    """

    test: ClassFigures
    public: ClassFigures | None = None
    right_in_order: NDArray[np.bool_] | None = None
    other_sizes: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_scores(cls, test: Score, public: Score | None = None) -> Evidence:
        """The evidence that scores give: of one split, or of the private and the public one."""
        sizes = {} if public is None else {"the public split": public.n}
        return cls(
            test=ClassFigures.of(test.confusion),
            public=None if public is None else ClassFigures.of(public.confusion),
            other_sizes=sizes,
            extra={name: value for name, value in test.values.items() if value is not None},
        )

    def measured(self, metric: str) -> Figure | None:
        """The value that a claim of `metric` is held against."""
        figure = self.test.metric(metric)
        if figure is None and metric in self.extra:
            return Figure(value=self.extra[metric])
        return figure


class WrongClaim(ValueError):
    """A claim that can't be read; `problem` says which."""

    def __init__(self, problem: Message) -> None:
        self.problem = problem
        super().__init__(problem)


def parse_claims(table: Mapping[str, object]) -> tuple[Claim, ...]:
    """Read claims as `claims.toml` or `--claim` give them: metric → number or text.

    >>> [claim.metric for claim in parse_claims({"acc": 0.76, "Macro-F1": "83.1%"})]
    ['accuracy', 'macro_f1']

    Raises:
        WrongClaim: a metric is unknown, or its figure is no number; the message names it.
    """
    claims = []
    for name, value in table.items():
        metric = metric_named(name)
        if metric is None:
            raise WrongClaim(said("claims.no_metric", name=repr(name), metrics=", ".join(EVERY)))
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise WrongClaim(said("claims.no_number", name=name, value=repr(value)))
        try:
            printed = Printed.parse(str(value), signed=EVERY[metric].lowest < 0)
            claims.append(Claim(metric=metric, printed=printed))
        except ValueError as error:
            shown = repr(str(value)[:LONGEST])
            raise WrongClaim(said("claims.no_decimal", name=name, value=shown)) from error
    return tuple(claims)


def metric_named(name: str) -> str | None:
    """The metric that people mean by `name`; None where it is none."""
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    plain = ALIASES.get(plain, plain)
    return plain if plain in EVERY else None


def examine(claims: Sequence[Claim], evidence: Evidence) -> tuple[Finding, ...]:
    """Hold each claim against the evidence and explain those that do not fit, in their order."""
    findings = {claim: _compared(claim, evidence) for claim in claims}
    open_claims = [c for c, each in findings.items() if not each.agrees and each.measured]
    reproduced = {claim: dict(_explanations(claim, evidence)) for claim in open_claims}
    while open_claims:
        best = _most_telling(reproduced, open_claims)
        if best is None:
            break
        covered = [each for each in open_claims if best in reproduced[each]]
        others = tuple(
            each
            for each in reproduced[covered[0]]
            if each != best and all(each in reproduced[claim] for claim in covered)
        )
        for claim in covered:
            findings[claim] = Finding(
                claim=claim,
                measured=findings[claim].measured,
                agrees=False,
                explanation=best,
                others=others,
            )
            open_claims.remove(claim)
    return tuple(findings.values())


def _compared(claim: Claim, evidence: Evidence) -> Finding:
    measured = evidence.measured(claim.metric)
    fits = measured is not None and claim.printed.fits(measured)
    cut_off = measured is not None and not fits and claim.printed.fits_cut_off(measured)
    return Finding(claim=claim, measured=measured, agrees=fits or cut_off, cut_off=cut_off)


def _most_telling(
    reproduced: Mapping[Claim, Mapping[Explanation, int]], claims: Sequence[Claim]
) -> Explanation | None:
    """The explanation that covers the most of the claims; of those, the simplest."""
    costs: dict[Explanation, int] = {}
    cover: dict[Explanation, int] = {}
    for claim in claims:
        for explanation, cost in reproduced[claim].items():
            costs[explanation] = cost
            cover[explanation] = cover.get(explanation, 0) + 1
    return min(costs, key=lambda each: (-cover[each], len(each), costs[each]), default=None)


def _explanations(claim: Claim, evidence: Evidence) -> Iterator[tuple[Explanation, int]]:
    """What reproduces the claim, with a cost: how far down the list of usual mistakes it stands."""
    for cost, (explanation, figure) in enumerate(_candidates(claim, evidence)):
        if explanation and claim.printed.fits(figure):
            yield explanation, cost
        if claim.printed.value > 1 and claim.printed.as_percent_of_one().fits(figure):
            yield (Mistake(Slip.PERCENT), *explanation), cost
    measured = evidence.measured(claim.metric)
    if measured and claim.printed.fits_rounded_up(measured):
        yield (Mistake(Slip.ROUNDED_UP),), 0


def _candidates(claim: Claim, evidence: Evidence) -> Iterator[tuple[Explanation, Figure]]:
    """The values that one mistake, or none, or one on the public split, would have given."""
    metric = claim.metric
    measured = evidence.measured(metric)
    if measured is not None:
        yield (), measured
    public = Mistake(Slip.PUBLIC_AS_TEST)
    public_value = None if evidence.public is None else evidence.public.metric(metric)
    if public_value is not None:
        yield (public,), public_value
    for mistake, figure in _slips(metric, evidence.test):
        yield (mistake,), figure
    if evidence.public is not None:
        for mistake, figure in _slips(metric, evidence.public):
            yield (public, mistake), figure
    if metric == "accuracy" and evidence.test.right is not None:
        for mistake, figure in _denominator_slips(evidence.test.right, evidence):
            yield (mistake,), figure
        # A claim that leaves the count of right answers open fits some last batch by chance.
        if evidence.right_in_order is not None or claim.printed.step * evidence.test.total <= 1:
            for mistake, figure in _batch_slips(evidence.test.right, evidence):
                yield (mistake,), figure


def _slips(metric: str, figures: ClassFigures) -> Iterator[tuple[Mistake, Figure]]:
    """Other means of the same class figures that are taken for `metric`."""
    if metric == "accuracy":
        return
    if metric in MEANS:
        weighted = figures.metric(metric.replace("macro", "weighted"))
        if weighted is not None:
            yield Mistake(Slip.WEIGHTED), weighted
        if metric == "macro_f1":
            yield Mistake(Slip.F1_OF_MEANS), figures.f1_of_means()
        yield Mistake(Slip.MICRO), figures.accuracy()
        present = int(np.count_nonzero(figures.support))
        if present < figures.num_classes:
            yield (
                Mistake(Slip.PRESENT_ONLY, (("classes", present),)),
                figures.macro_of_present(metric),
            )
        for count in range(1, figures.num_classes):
            limits = (("last", count - 1), ("classes", count), ("of", figures.num_classes))
            yield Mistake(Slip.FIRST_CLASSES, limits), figures.macro_of_first(count, metric)


def _denominator_slips(right: int, evidence: Evidence) -> Iterator[tuple[Mistake, Figure]]:
    """The right answers over another set's number of images."""
    total = evidence.test.total
    for name, size in evidence.other_sizes.items():
        if size != total and 0 < right <= size:
            sizes = (("size", size), ("name", name), ("of", total))
            yield Mistake(Slip.OTHER_DENOMINATOR, sizes), Figure(value=right / size)


def _batch_slips(right: int, evidence: Evidence) -> Iterator[tuple[Mistake, Figure]]:
    """A last, smaller batch that was left out, or whose right answers were."""
    total = evidence.test.total
    for batch in BATCH_SIZES:
        images = total % batch
        if images == 0 or batch > total:
            continue
        for right_in_last in _possible_last_batches(right, images, evidence):
            values = (("batch", batch), ("right", right_in_last), ("images", images))
            left = right - right_in_last
            yield Mistake(Slip.DROPPED_BATCH, values), Figure(value=left / (total - images))
            yield Mistake(Slip.UNCOUNTED_BATCH, values), Figure(value=left / total)


def _possible_last_batches(right: int, images: int, evidence: Evidence) -> Iterable[int]:
    """How many of the last `images` may be right: what is known, else what is not unusual."""
    if evidence.right_in_order is not None:
        return (int(np.count_nonzero(evidence.right_in_order[-images:])),)
    share = right / evidence.test.total
    reach = PLAUSIBLE_Z * math.sqrt(images * share * (1 - share))
    lowest = max(0, math.ceil(images * share - reach))
    highest = min(images, right, math.floor(images * share + reach))
    # The usual ones first, so that of two that fit the less surprising is named.
    return sorted(range(lowest, highest + 1), key=lambda count: abs(count - images * share))
