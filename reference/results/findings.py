"""What a card's settings say against each other, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from reference.results.cards import Card
from reference.results.effects import Effect, Tested, range_limit
from reference.results.spread import ALPHA, rank_correlation, share

# of three settings no order has a p below .3
FEWEST_ORDERED = 4


def verdict(card: Card) -> str:
    """Whether the settings differ by more than seeds do, and whether the report's figures do.

    Those are held against runs on the images that the report had, never on others. Empty where
    fewer than two settings were run.
    """
    effect = card.effect
    if effect is None:
        return ""
    own = card.compared[0].data["name"] == card.data
    parts = [
        _collapses(effect),
        _difference(effect, "" if own else f" on {card.compared[0].data['title']}"),
        _left_out(effect),
        _reports_own(card) if own else "",
        _chosen(card) if card.variant == "corrected" else "",
    ]
    return " ".join(part for part in parts if part)


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def _collapses(effect: Effect) -> str:
    if not effect.collapsed:
        return ""
    told = listed([f"{count} of {name}" for name, count in effect.collapsed])
    return f"Runs that did not train, no better than guessing, and are in no mean below: {told}."


def _difference(effect: Effect, where: str) -> str:
    if len(effect.compared) < 2:
        return (
            f"Fewer than two settings{where} have two runs that trained: nothing can be said of "
            "differences."
        )
    first = f"The means of {len(effect.compared)} settings{where} lie {share(effect.spread)} apart."
    if effect.overall is None or effect.run_sd is None or effect.detectable is None:
        return f"{first} All runs of a setting gave the same, so nothing can be said about seeds."
    scatter = f"One run scatters by {share(effect.run_sd)} (SD) about the mean of its setting"
    scatter += ", of some settings more than of others." if effect.unequal else "."
    return f"{first} {scatter} {_judged(effect, effect.overall, effect.detectable)}"


def _judged(effect: Effect, overall: tuple[Tested, Tested], detectable: float) -> str:
    if effect.direction and effect.trend is not None:
        way = "higher" if effect.direction > 0 else "lower"
        return (
            f"On the whole, the {way} the better: {_shown(effect.trend, effect.seeds)}. The best "
            f"mean is that of {effect.best}."
        )
    if effect.differ:
        return f"The settings differ by more than seeds do: {_shown(overall, effect.seeds)}."
    return (
        f"The settings are not shown to differ ({_runs(effect.fewest)} a setting; "
        f"{_shown(overall, effect.seeds)}): a difference of {share(detectable)} would have been "
        "seen in four of five such sweeps."
    )


def _runs(fewest: int) -> str:
    return f"{fewest} runs or more"


def _shown(tests: tuple[Tested, Tested], seeds: int) -> str:
    each = ", ".join(f"{test.name} p = {test.p_value:.2g}" for test in tests)
    return f"{each} ({seeds} shared seeds)" if seeds else each


def _left_out(effect: Effect) -> str:
    if not effect.alone:
        return ""
    return f"One run alone says nothing of that, so {listed(effect.alone)} can't be judged."


def _reports_own(card: Card) -> str:
    """How far the report's figures lie apart, and whether their order is that of our means."""
    pairs = [
        (entry.reported["test_accuracy"], entry.setting.mean)
        for entry in card.compared
        if "test_accuracy" in entry.reported and entry.setting.runs
    ]
    groups = [list(entry.setting.runs.values()) for entry in card.compared]
    limit = range_limit(groups, max(2, len(pairs)), card.reported_runs)
    if limit is None or len(pairs) < 2:
        return ""
    figures, means = zip(*pairs, strict=True)
    spread, runs = max(figures) - min(figures), card.reported_runs
    within = "within" if spread <= limit else "beyond"
    each = "single runs" if runs == 1 else f"means of {runs} runs"
    told = (
        f"The report's figures lie {share(spread)} apart: {within} the {share(limit)} that as many "
        f"{each} of one setting span in 95% of cases."
    )
    if len(pairs) < FEWEST_ORDERED:
        return told
    rho, p = rank_correlation(figures, means)
    comes = "comes back" if rho > 0 and p < ALPHA else "does not come back"
    return f"{told} Their order {comes} (Spearman's rank correlation {rho:.2f}, p = {p:.2g})."


def _chosen(card: Card) -> str:
    """Which setting validation images choose; those of the others play no part in a choice."""
    known = [entry for entry in card.compared if "validation_accuracy" in entry.scores]
    if len(known) < 2 or len(known) < len(card.compared):
        return ""
    best = max(known, key=lambda entry: entry.scores["validation_accuracy"].mean)
    chosen = share(best.scores["validation_accuracy"].mean)
    return (
        f"Validation images choose {best.case} ({chosen} on them); on test images it reaches "
        f"{best.scores['test_accuracy']}."
    )
