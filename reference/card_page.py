"""Cards as Markdown: one card's page, and the table of all of them that README.md shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from reference.cards import Card, Entry, on_same_images
from reference.collection import short
from reference.spread import ALPHA, Noise, Summary, rank_correlation, share

# of four runs, two a setting, ranks alone never give a p below .1
CERTAIN = 0.01
# of three settings no order has a p below .3
FEWEST_ORDERED = 4
SCORE_NAMES = {
    "test_accuracy": "test accuracy",
    "validation_accuracy": "validation accuracy",
    "train_accuracy": "training accuracy",
    "train_loss": "training loss",
    "macro_f1": "macro F1",
}


def page(card: Card) -> str:
    """One card. Its first line is the notice, where the data is not what the report had."""
    parts = [
        *([f"**{card.notice}**"] if card.notice else []),
        f"# {card.title}",
        f"Recipe `{card.recipe}`, {_words(card)}, {card.test_images:,} test images of "
        f"{card.entries[0].data['title']}.",
        card.reason,
        results(card.entries),
        verdict(card.noise, card) if card.noise else "",
        picture(card),
        *(_classes(entry) for entry in card.entries if not entry.case),
        "## Runs",
        _runs(card.entries),
        "Intervals are of the mean over seeds, 95%, Student's t. Seconds are those of the training "
        "loop, on machines that had other work too.",
        *_machines(card.entries),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def picture(card: Card) -> str:
    """The plot of a table of several lines, which lies beside its page; else nothing."""
    return f"![{card.title}]({card.recipe}.svg)" if card.noise else ""


def summary(card: Card) -> str:
    """What was reached, and how sure that is, for a terminal."""
    parts = [
        card.notice,
        results(card.entries),
        verdict(card.noise, card) if card.noise else "",
    ]
    return "\n\n".join(part for part in parts if part)


def results(entries: Sequence[Entry]) -> str:
    """What was reported and what was reached, a line a setting and score."""
    lines = []
    for entry in entries:
        told = [name for name in entry.scores if name in entry.reported or not entry.case]
        for name in told or ["test_accuracy"]:
            reported = entry.reported.get(name)
            lines.append(
                (
                    entry.case or "–",
                    entry.data["title"],
                    SCORE_NAMES[name],
                    "–" if reported is None else share(reported),
                    score_text(name, entry.scores[name]),
                )
            )
    return table(("case", "images", "score", "report", "reached"), lines)


def score_text(name: str, summary: Summary) -> str:
    """A score over seeds as tables print it; a loss has no highest value."""
    return summary.shown(math.inf if name == "train_loss" else 1.0)


def verdict(noise: Noise, card: Card) -> str:
    """Whether the settings differ by more than seeds do, and whether the report's figures do.

    Those are held against noise on the images that the report had, never on others.
    """
    images = on_same_images(card.entries)[0].data
    where = "" if images["name"] == card.data else f" on {images['title']}"
    first = f"The means of the {noise.settings} settings{where} lie {share(noise.spread)} apart."
    if noise.pooled_sd is None:
        return f"{first} Without repeats nothing can be said about noise."
    if noise.anova_p is None or noise.kruskal_p is None:
        return f"{first} All runs of a setting gave the same, so nothing can be said about noise."
    second = (
        f"One run scatters by {share(noise.pooled_sd)} (SD) about the mean of its setting. "
        f"The settings differ by {_how_much_more(noise.anova_p, noise.kruskal_p)} than seeds do "
        f"(analysis of variance p = {noise.anova_p:.2g}, Kruskal–Wallis p = {noise.kruskal_p:.2g})."
    )
    return first + " " + second + ("" if where else _reports_own(noise, card))


def _reports_own(noise: Noise, card: Card) -> str:
    """How far the report's figures lie apart, and whether their order is that of our means."""
    pairs = [
        (entry.reported["test_accuracy"], entry.scores["test_accuracy"].mean)
        for entry in card.entries
        if entry.data["name"] == card.data and "test_accuracy" in entry.reported
    ]
    if noise.range_limit is None or len(pairs) < 2:
        return ""
    figures, means = zip(*pairs, strict=True)
    spread, runs = max(figures) - min(figures), card.reported_runs
    within = "within" if spread <= noise.range_limit else "beyond"
    each = "single runs" if runs == 1 else f"means of {runs} runs"
    told = (
        f" The report's figures lie {share(spread)} apart: {within} the "
        f"{share(noise.range_limit)} that as many {each} of one setting span in 95% of cases."
    )
    if len(pairs) < FEWEST_ORDERED:
        return told
    rho, p = rank_correlation(figures, means)
    comes = "comes back" if rho > 0 and p < ALPHA else "does not come back"
    return f"{told} Their order {comes} (Spearman's rank correlation {rho:.2f}, p = {p:.2g})."


def _how_much_more(anova_p: float, kruskal_p: float) -> str:
    """Two tests agree, or that by ranks has too few seeds to say what the other is sure of."""
    if max(anova_p, kruskal_p) < ALPHA or anova_p < CERTAIN:
        return "more"
    return "perhaps more" if min(anova_p, kruskal_p) < ALPHA else "no more"


def overview(cards: Iterable[Card]) -> str:
    """The table baseline → command → images → hardware → minutes → score.

    Lines of tables are left out, and what generated patterns, which prove a reader only, gave.
    """
    lines = [
        (
            f"{card.title}{f' ({card.row})' if card.row else ''}",
            f"`reference train {card.recipe}{_data_option(card, entry)}`",
            entry.data["title"],
            _hardware(entry),
            _minutes(entry),
            str(entry.scores["test_accuracy"]),
        )
        for card in cards
        for entry in card.entries
        if not entry.case and not entry.data["name"].startswith("generated-")
    ]
    return table(("baseline", "command", "images", "hardware", "minutes", "test accuracy"), lines)


def _data_option(card: Card, entry: Entry) -> str:
    return "" if entry.data["name"] == card.data else f" --data {entry.data['name']}"


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _words(card: Card) -> str:
    rows = f"row {card.row} of the reports" if card.row else "no report's"
    return f"{rows}, {card.variant.replace('_', ' ')}"


def _classes(entry: Entry) -> str:
    lines = [
        (line.name, share(line.precision), share(line.recall), share(line.f1))
        for line in entry.per_class
    ]
    return "## By class, means over seeds\n\n" + table(
        ("class", "precision", "recall", "F1"), lines
    )


def _runs(entries: Sequence[Entry]) -> str:
    lines = [
        (
            entry.case or "–",
            str(run.seed),
            str(run.epoch),
            "–" if run.validation_accuracy is None else share(run.validation_accuracy),
            share(run.test_accuracy),
            f"{run.seconds:.0f}",
            str(run.environment["threads"]),
            f"`{short(run.code)}`",
        )
        for entry in entries
        for run in entry.runs
    ]
    header = ("case", "seed", "epoch", "validation", "test", "seconds", "threads", "code")
    return table(header, lines)


def _machines(entries: Sequence[Entry]) -> list[str]:
    """Data and environments that the runs had, each once."""
    data = dict.fromkeys(
        f"- {entry.data['title']}, SHA-256 `{short(entry.data['sha256'])}`" for entry in entries
    )
    machines = dict.fromkeys(
        "- {device}, {precision}, PyTorch {torch}, Python {python}, {system}".format(
            **run.environment
        )
        for entry in entries
        for run in entry.runs
    )
    return ["\n".join((*data, *machines))]


def _hardware(entry: Entry) -> str:
    """Of the quickest run: the minutes are its."""
    run = min(entry.runs, key=lambda each: each.seconds)
    threads = int(run.environment["threads"])
    return f"{run.environment['device']}, {threads} thread{'s' if threads > 1 else ''}"


def _minutes(entry: Entry) -> str:
    return f"{min(run.seconds for run in entry.runs) / 60:.1f}"
