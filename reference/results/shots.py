"""What a long tail does to classes with many, some and few images, and what a method gains.

Many is more than 100 images, few less than 20 (Liu et al. 2019, *Large-scale long-tailed
recognition in an open world*). Gains are taken seed by seed, on the same images.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reference.results.cards import Card, Entry, SeedRun
from reference.results.markdown import table
from reference.results.spread import Summary, share, summarise

MANY, FEW = 100, 20
LONG = 10  # times as many images of the largest class as of the smallest: a long tail

Score = Callable[[SeedRun], float]


@dataclass(frozen=True, kw_only=True)
class Gain:
    """How much better one setting is than another: the mean of the differences, seed by seed."""

    over: str
    difference: Summary

    @property
    def is_sure(self) -> bool:
        """Whether the 95% interval of the mean leaves 0 out."""
        low, high = self.difference.low, self.difference.high
        return low is not None and high is not None and not low <= 0 <= high


def has_long_tail(entry: Entry) -> bool:
    """Whether its largest class has at least ten times the images of its smallest."""
    counts = entry.images_per_class
    return bool(counts) and max(counts) >= LONG * max(1, min(counts))


def groups(counts: Sequence[int]) -> Mapping[str, list[int]]:
    """Class numbers by how many images they were trained on; groups without a class are left out.

    >>> groups([1000, 100, 20, 19])
    {'many': [0], 'medium': [1, 2], 'few': [3]}
    """
    named = {
        "many": [k for k, count in enumerate(counts) if count > MANY],
        "medium": [k for k, count in enumerate(counts) if FEW <= count <= MANY],
        "few": [k for k, count in enumerate(counts) if count < FEW],
    }
    return {name: classes for name, classes in named.items() if classes}


def scores(counts: Sequence[int]) -> Mapping[str, Score]:
    """What is measured of each run: accuracy, macro F1, and the mean recall of each group."""

    def recall_of(classes: Sequence[int]) -> Score:
        return lambda run: statistics.fmean(run.recalls[k] for k in classes)

    return {
        "accuracy": lambda run: run.test_accuracy,
        "macro F1": lambda run: run.macro_f1,
        **{name: recall_of(classes) for name, classes in groups(counts).items()},
    }


def gain(entry: Entry, base: Entry, score: Score) -> Gain | None:
    """Of one setting over another, by the seeds that both trained with; None where none is."""
    ours, theirs = ({run.seed: score(run) for run in each.pooled} for each in (entry, base))
    shared = sorted(ours.keys() & theirs.keys())
    if not shared or entry is base:
        return None
    return Gain(over=base.case, difference=summarise([ours[s] - theirs[s] for s in shared]))


def section(card: Card) -> str:
    """A table of the methods by group, and one of their gains over the first; else nothing."""
    tailed = [each for each in card.compared if has_long_tail(each) and each.pooled]
    if not tailed:
        return ""
    counts = tailed[0].images_per_class
    named = scores(counts)
    lines = [
        (each.case or "–", *(str(_mean(each, score)) for score in named.values()))
        for each in tailed
    ]
    parts = ["## Many, medium and few images", _told(counts), table(("method", *named), lines)]
    if len(tailed) > 1:
        parts += [_gains_told(tailed[0]), _gains(tailed, named)]
    return "\n\n".join(parts)


def _mean(entry: Entry, score: Score) -> Summary:
    return summarise([score(run) for run in entry.pooled])


def _told(counts: Sequence[int]) -> str:
    sizes = ", ".join(f"{count:,}" for count in counts)
    parts = "; ".join(
        f"{name}: {len(classes)} classes" if len(classes) > 1 else f"{name}: 1 class"
        for name, classes in groups(counts).items()
    )
    return (
        f"Trained on {sizes} images of the classes in their order. Mean recall of classes with "
        f"more than {MANY} images (many), {FEW} to {MANY} (medium) and fewer (few). {parts}."
    )


def _gains_told(base: Entry) -> str:
    return (
        f"Gains over {base.case}, seed by seed: mean and its 95% interval (paired, Student's t). "
        "Bold: the interval leaves 0 out."
    )


def _gains(tailed: Sequence[Entry], named: Mapping[str, Score]) -> str:
    base, *others = tailed
    lines = [(each.case, *(_shown(gain(each, base, s)) for s in named.values())) for each in others]
    return table(("method", *named), lines)


def _shown(found: Gain | None) -> str:
    if found is None:
        return "–"
    told = signed(found.difference.mean)
    low, high = found.difference.low, found.difference.high
    if low is None or high is None:
        return f"{told} (n = 1)"
    told = f"**{told}**" if found.is_sure else told
    return f"{told} ({signed(low)} to {signed(high)})"


def signed(value: float) -> str:
    """A difference of two shares with its sign.

    >>> signed(0.0421), signed(-0.5)
    ('+.0421', '−.5000')
    """
    return f"{'−' if value < 0 else '+'}{share(abs(value))}"
