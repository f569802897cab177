"""The reports' figures beside runs of the same recipes, and beside the corrected ones.

A figure of a report is one run, or a mean of several that it does not give the spread of. It is
called within noise where it lies in the 95% prediction interval of as many further runs of the
recipe as reported. The scatter of one run is that of all lines of the table together: two seeds of
one line say little.

Two figures of a report differ by noise where a change of seed explains it (recipes that were run on
the report's images), or the choice of the images that they were measured on (all others).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reference.recipe.recipe import Recipe
from reference.results.cards import Card, Entry
from reference.results.spread import (
    Summary,
    degrees_of_freedom,
    difference_limit,
    pooled_sd,
    share_difference_limit,
)

COMPARED = ("test_accuracy", "validation_accuracy", "train_accuracy", "train_loss", "macro_f1")
# The images that a report's accuracies were measured on, as it says itself, and those of a row
# that has its own.
MEASURED_ON = {
    "000": 1_041,
    "001": 5_000,
    "002": 10_000,
    "003": 8_000,
    "003.13": 2_000,
    "004": 5_472,
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure of a report.

    Attributes:
        reported: the report's figure. as_reported, corrected: ours, where they were run.
        data: title of the images that ours were run on; empty: they were not. same_data: whether
            these are the report's.
        within_noise: of the recipe as reported; None where that can't be said.
    """

    row: str
    recipe: str
    case: str
    score: str
    reported: float
    as_reported: Summary | None
    corrected: Summary | None
    data: str
    same_data: bool
    within_noise: bool | None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Two figures of one table of a report, and what noise alone makes of two such figures.

    Attributes:
        table: the recipe whose lines they are, or the report whose single figures they are.
        noise: of `seeds` or of `images`. limit: what two figures that only noise tells apart differ
            by at most, in 95% of cases. runs: that each of the figures is the mean of.
    """

    table: str
    first: str
    second: str
    reported: float
    noise: Literal["seeds", "images"]
    limit: float
    runs: int = 1

    @property
    def within_noise(self) -> bool:
        """Whether noise alone explains it."""
        return abs(self.reported) <= self.limit


def lines(cards: Sequence[Card], recipes: Sequence[Recipe] = ()) -> tuple[Line, ...]:
    """Every reported figure, in the order of rows: those of cards, and of recipes without one."""
    corrected = {card.row: card for card in cards if card.variant == "corrected"}
    found = []
    for card in cards:
        if card.variant == "as_reported":
            for entry in _nearest(card):
                found += _lines(card, entry, corrected.get(card.row))
    shown = {(line.recipe, line.case) for line in found}
    for figures in _figures(recipes):
        if (figures.recipe, figures.case) not in shown:
            found += figures.lines()
    return tuple(sorted(found, key=lambda line: (_key(line.row), line.recipe)))


def differences(cards: Sequence[Card], recipes: Sequence[Recipe] = ()) -> tuple[Difference, ...]:
    """Every pair of accuracies within a table of a report, and of its tables of one line."""
    by_seeds = [found for card in cards for found in _by_seeds(card)]
    known = {each.table for each in by_seeds}
    return (*by_seeds, *(each for each in _by_images(recipes) if each.table not in known))


def _by_seeds(card: Card) -> list[Difference]:
    """Of a table that was run with repeats on the report's own images."""
    entries = [
        entry
        for entry in card.compared
        if "test_accuracy" in entry.reported and entry.data["name"] == card.data
    ]
    values = {entry.case: entry.setting.values for entry in entries if entry.setting.runs}
    effect = card.effect
    if card.variant != "as_reported" or len(values) < 2 or effect is None:
        return []

    def limit(*pair: str) -> float | None:
        # where settings scatter differently, only the two themselves say how much they do
        groups = [values[name] for name in (pair if effect.unequal else values)]
        pooled = pooled_sd(groups)
        if not pooled:
            return None
        return difference_limit(pooled, degrees_of_freedom(groups), runs=card.reported_runs)

    return [
        Difference(
            table=card.recipe,
            first=first.case,
            second=second.case,
            reported=second.reported["test_accuracy"] - first.reported["test_accuracy"],
            noise="seeds",
            limit=most,
            runs=card.reported_runs,
        )
        for first, second in itertools.combinations(entries, 2)
        if first.case in values and second.case in values
        if (most := limit(first.case, second.case)) is not None
    ]


@dataclass(frozen=True, kw_only=True)
class _Figures:
    """What a report says of one recipe, or of one case of it."""

    report: str
    row: str
    recipe: str
    case: str
    reported: Mapping[str, float]

    @property
    def accuracy(self) -> float | None:
        """On test images, else on validation images."""
        return self.reported.get("test_accuracy", self.reported.get("validation_accuracy"))

    @property
    def images(self) -> int | None:
        """How many images that was measured on, as far as the report says so."""
        return MEASURED_ON.get(self.row, MEASURED_ON.get(self.report))

    def lines(self) -> list[Line]:
        """Its lines of the comparison, with no runs beside them."""
        return [
            Line(
                row=self.row,
                recipe=self.recipe,
                case=self.case,
                score=score,
                reported=self.reported[score],
                as_reported=None,
                corrected=None,
                data="",
                same_data=False,
                within_noise=None,
            )
            for score in COMPARED
            if score in self.reported
        ]


def _figures(recipes: Sequence[Recipe]) -> list[_Figures]:
    return [
        _Figures(
            report=recipe.report, row=recipe.row, recipe=recipe.name, case=name, reported=reported
        )
        for recipe in recipes
        if recipe.variant == "as_reported"
        for name, reported in [
            ("", recipe.reported),
            *((case.name, case.reported) for case in recipe.cases),
        ]
        if reported
    ]


def _by_images(recipes: Sequence[Recipe]) -> list[Difference]:
    """Of tables whose figures are shares of the same number of images."""
    tables: dict[str, list[_Figures]] = {}
    for each in _figures(recipes):
        if each.accuracy is not None and each.images is not None:
            single = f"report {each.report}"
            if each.row in MEASURED_ON:
                single = f"row {each.row}"
            tables.setdefault(each.recipe if each.case else single, []).append(each)
    return [
        _difference_by_images(name, first, second)
        for name, figures in tables.items()
        for first, second in itertools.combinations(figures, 2)
    ]


def _difference_by_images(table: str, first: _Figures, second: _Figures) -> Difference:
    p, q = first.accuracy or 0.0, second.accuracy or 0.0
    return Difference(
        table=table,
        first=first.case or first.recipe.removesuffix("_as_reported"),
        second=second.case or second.recipe.removesuffix("_as_reported"),
        reported=q - p,
        noise="images",
        limit=share_difference_limit(p, q, first.images or 1),
    )


def _nearest(card: Card) -> tuple[Entry, ...]:
    """The first entry of each line: they are sorted by nearness to the report's images."""
    found: dict[str, Entry] = {}
    for entry in card.entries:
        found.setdefault(entry.case, entry)
    return tuple(found.values())


def _lines(card: Card, entry: Entry, corrected: Card | None) -> list[Line]:
    return [
        Line(
            row=card.row,
            recipe=card.recipe,
            case=entry.case,
            score=score,
            reported=entry.reported[score],
            as_reported=None if entry.is_trial else entry.scores.get(score),
            corrected=_score_of(corrected, entry, score),
            data=entry.data["title"],
            same_data=entry.data["name"] == card.data,
            within_noise=_within(card, entry, score),
        )
        for score in COMPARED
        if score in entry.reported
    ]


def _score_of(card: Card | None, like: Entry, score: str) -> Summary | None:
    """The corrected recipe's score on the same images, of the same case where it has cases."""
    if card is None:
        return None
    same = [
        each
        for each in card.entries
        if each.data["sha256"] == like.data["sha256"] and not each.is_trial
    ]
    found = [each for each in same if each.case in (like.case, "")]
    return found[0].scores.get(score) if found else None


def _within(card: Card, entry: Entry, score: str) -> bool | None:
    """Whether the report's figure is one that further runs could have given."""
    same = [
        each
        for each in card.entries
        if each.data["name"] == entry.data["name"] and score in each.scores
    ]
    groups = [[getattr(run, score) for run in each.pooled] for each in same]
    if entry.setting.collapsed:
        return None
    sd = pooled_sd(groups)
    if entry.data["name"] != card.data or score not in entry.scores or not sd:
        return None
    freedom = degrees_of_freedom(groups)
    low, high = entry.scores[score].further(sd, freedom, runs=card.reported_runs)
    return low <= entry.reported[score] <= high


def _key(row: str) -> tuple[int, ...]:
    """`002.10` after `002.9`."""
    first = row.split(",")[0].split("–")[0].strip()
    return tuple(int(part) for part in first.split(".") if part.isdigit())


def is_of(row: str, chosen: Sequence[str]) -> bool:
    """Whether a recipe's row is one of those chosen, or of a chosen report.

    >>> is_of("002.3", ("002",)), is_of("002.10", ("002.1",)), is_of("000.2, 000.3", ("000.3",))
    (True, False, True)
    """
    rows = [each.strip() for each in row.split(",")]
    return any(own == each or own.startswith(f"{each}.") for own in rows for each in chosen)
