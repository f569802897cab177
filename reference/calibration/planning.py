"""How long each baseline may train, so that all seeds of all of them fit into so many minutes.

Pure. Fewer epochs come before fewer baselines, since a scale needs its anchors; a baseline that
can't have a fifth of its epochs is left out, the costliest first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from grader.scoring.grading import FEWEST_SEEDS, FEWEST_SEEDS_AT_AN_EDGE

LEAST_SHARE = 0.2
SPARE = 0.9  # of the time: loading, writing, and what was estimated too low


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one baseline takes: seconds of an epoch, seconds besides, and the epochs it wants."""

    name: str
    epoch_seconds: float
    other_seconds: float
    epochs: int

    def seconds(self, epochs: int) -> float:
        """Of one run of so many epochs."""
        return self.other_seconds + epochs * self.epoch_seconds

    def least(self) -> int:
        """The fewest epochs that still make it what it is called."""
        return max(1, math.ceil(LEAST_SHARE * self.epochs))


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A baseline, the epochs of each of its runs, and what one of them is expected to take."""

    name: str
    epochs: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is trained, the cheapest first, and what is not: its name and why, as a code.

    `left_out`: name → "time" (the minutes given) or "budget" (what students are told to train).
    `needed_minutes`: what the two cheapest take at the least, where even those don't fit.
    """

    planned: tuple[Planned, ...]
    left_out: dict[str, str]
    needed_minutes: float = 0.0


def plan(costs: Sequence[Cost], *, minutes: float, budget_minutes: float = 0.0) -> Plan:
    """Choose baselines and epochs. `budget_minutes`: no run may take longer; 0: no bound.

    All train five seeds; the cheapest and the costliest are taken for the scale's ends, and train
    ten (`FEWEST_SEEDS_AT_AN_EDGE`).

    >>> few = [Cost(name="a", epoch_seconds=1, other_seconds=0, epochs=10),
    ...        Cost(name="b", epoch_seconds=4, other_seconds=0, epochs=10)]
    >>> [(each.name, each.epochs) for each in plan(few, minutes=5).planned]
    [('a', 5), ('b', 5)]
    """
    seconds = SPARE * 60 * minutes
    left_out: dict[str, str] = {}
    able = []
    for cost in sorted(costs, key=lambda each: each.seconds(each.epochs)):
        if budget_minutes and cost.seconds(cost.least()) > SPARE * 60 * budget_minutes:
            left_out[cost.name] = "budget"
        else:
            able.append(cost)
    while len(able) > 2 and _total(able, LEAST_SHARE, budget_minutes) > seconds:
        left_out[able.pop().name] = "time"
    least = _total(able, LEAST_SHARE, budget_minutes)
    if len(able) < 2 or least > seconds:
        return Plan(planned=(), left_out=left_out, needed_minutes=least / 60 / SPARE)
    share = _largest_share(able, seconds, budget_minutes)
    return Plan(
        planned=tuple(
            Planned(name=each.name, epochs=epochs, seconds=each.seconds(epochs))
            for each in able
            for epochs in [_epochs(each, share, budget_minutes)]
        ),
        left_out=left_out,
    )


def _largest_share(costs: Sequence[Cost], seconds: float, budget_minutes: float) -> float:
    shares = [share / 100 for share in range(100, round(100 * LEAST_SHARE), -1)]
    fits = (each for each in shares if _total(costs, each, budget_minutes) <= seconds)
    return next(fits, LEAST_SHARE)


def _total(costs: Sequence[Cost], share: float, budget_minutes: float) -> float:
    total = 0.0
    for place, cost in enumerate(costs):
        at_edge = place in (0, len(costs) - 1)
        seeds = FEWEST_SEEDS_AT_AN_EDGE if at_edge else FEWEST_SEEDS
        total += seeds * cost.seconds(_epochs(cost, share, budget_minutes))
    return total


def _epochs(cost: Cost, share: float, budget_minutes: float) -> int:
    """A share of its epochs, rounded down, within the budget; never fewer than its least."""
    epochs = int(share * cost.epochs + 1e-9)
    if budget_minutes:
        left = SPARE * 60 * budget_minutes - cost.other_seconds
        epochs = min(epochs, int(left / cost.epoch_seconds))
    return max(cost.least(), epochs)
