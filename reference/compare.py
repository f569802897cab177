"""The reports' figures beside runs of the same recipes, and beside the corrected ones.

A figure of a report is one run, or a mean that it does not give the spread of. It is called within
noise where it lies in the 95% prediction interval of one more run of the recipe as reported. The
scatter of one run is that of all lines of the table together: two seeds of one line say little.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from reference.cards import Card, Entry
from reference.spread import Summary, degrees_of_freedom, difference_limit, pooled_sd

COMPARED = ("test_accuracy", "validation_accuracy", "train_accuracy", "train_loss")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure of a report.

    Attributes:
        reported: the report's figure. as_reported, corrected: ours, where they were run.
        same_data: whether ours are of the image set that the report's is of.
        within_noise: of the recipe as reported; None where that can't be said.
    """

    row: str
    recipe: str
    case: str
    score: str
    reported: float
    as_reported: Summary | None
    corrected: Summary | None
    same_data: bool
    within_noise: bool | None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Two figures of one table of a report: whether a change of seed explains what they differ by.

    `limit` is what two single runs of one setting differ by at most in 95% of cases.
    """

    recipe: str
    first: str
    second: str
    reported: float
    limit: float

    @property
    def within_noise(self) -> bool:
        """Whether a change of seed explains it."""
        return abs(self.reported) <= self.limit


def lines(cards: Sequence[Card]) -> tuple[Line, ...]:
    """Every reported figure for which there is a run, in the order of rows."""
    corrected = {card.row: card for card in cards if card.variant == "corrected"}
    found = []
    for card in sorted(cards, key=lambda each: (_key(each.row), each.recipe)):
        if card.variant == "as_reported":
            for entry in card.entries:
                found += _lines(card, entry, corrected.get(card.row))
    return tuple(found)


def differences(cards: Sequence[Card]) -> tuple[Difference, ...]:
    """Every pair of figures within a table that was run with repeats on the report's own images."""
    found = []
    for card in cards:
        entries = [
            entry
            for entry in card.entries
            if "test_accuracy" in entry.reported and entry.data["name"] == card.data
        ]
        values = [entry.values for entry in entries]
        pooled = pooled_sd(values)
        if card.variant != "as_reported" or len(entries) < 2 or not pooled:
            continue
        limit = difference_limit(pooled, degrees_of_freedom(values))
        for first, second in itertools.combinations(entries, 2):
            found.append(
                Difference(
                    recipe=card.recipe,
                    first=first.case,
                    second=second.case,
                    reported=second.reported["test_accuracy"] - first.reported["test_accuracy"],
                    limit=limit,
                )
            )
    return tuple(found)


def _lines(card: Card, entry: Entry, corrected: Card | None) -> list[Line]:
    return [
        Line(
            row=card.row,
            recipe=card.recipe,
            case=entry.case,
            score=score,
            reported=entry.reported[score],
            as_reported=entry.scores.get(score),
            corrected=_score_of(corrected, entry, score),
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
    same = [each for each in card.entries if each.data["sha256"] == like.data["sha256"]]
    found = [each for each in same if each.case in (like.case, "")]
    return found[0].scores.get(score) if found else None


def _within(card: Card, entry: Entry, score: str) -> bool | None:
    """Whether the report's figure is one that another run could have given."""
    same = [each for each in card.entries if each.data == entry.data and score in each.scores]
    groups = [[getattr(run, score) for run in each.runs] for each in same]
    sd = pooled_sd(groups)
    if entry.data["name"] != card.data or score not in entry.scores or not sd:
        return None
    low, high = entry.scores[score].single_run(sd, degrees_of_freedom(groups))
    return low <= entry.reported[score] <= high


def _key(row: str) -> tuple[int, ...]:
    """`002.10` after `002.9`."""
    first = row.split(",")[0].split("–")[0].strip()
    return tuple(int(part) for part in first.split(".") if part.isdigit())


def is_of(row: str, chosen: Sequence[str]) -> bool:
    """Whether a recipe's row is one of those chosen, or of a chosen report.

    >>> is_of("002.3", ("002",)), is_of("002.10", ("002.1",))
    (True, False)
    """
    return any(row == each or row.startswith(f"{each}.") for each in chosen)
