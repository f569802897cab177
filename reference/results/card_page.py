"""Cards as Markdown: one card's page, and the table of all of them that README.md shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from reference.results import shots
from reference.results.cards import Card, Entry, alike
from reference.results.collection import short
from reference.results.findings import verdict
from reference.results.markdown import table
from reference.results.spread import Summary, share

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
        verdict(card),
        shots.section(card),
        picture(card),
        trials(card.entries),
        *(_classes(entry) for entry in card.entries if not entry.case and not entry.is_trial),
        "## Runs",
        _runs(card.entries),
        "Intervals are of the mean over seeds that trained, 95%, Student's t; runs of another "
        "state of the code are listed and not pooled. Seconds are those of the training loop, on "
        "machines that had other work too.",
        *_machines(card.entries),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def picture(card: Card) -> str:
    """The plot of a table of several lines, which lies beside its page; else nothing."""
    return f"![{card.title}]({card.recipe}.svg)" if card.effect else ""


def summary(card: Card) -> str:
    """What was reached, and how sure that is, for a terminal."""
    parts = [
        card.notice,
        results(card.entries),
        verdict(card),
        shots.section(card),
        trials(card.entries),
    ]
    return "\n\n".join(part for part in parts if part)


def results(entries: Sequence[Entry]) -> str:
    """What was reported and what was reached, a line a setting and score; trials are not in it."""
    lines = []
    for same in alike([entry for entry in entries if not entry.is_trial]):
        entry = same[0]
        told = [name for name in entry.scores if name in entry.reported or not entry.case]
        for name in told or ["test_accuracy"]:
            reported = [share(each.reported[name]) for each in same if name in each.reported]
            lines.append(
                (
                    " = ".join(each.case or "–" for each in same),
                    entry.data["title"],
                    SCORE_NAMES[name],
                    ", ".join(dict.fromkeys(reported)) or "–",
                    reached(entry, name),
                )
            )
    return table(("case", "images", "score", "report", "reached"), lines) if lines else ""


def trials(entries: Sequence[Entry]) -> str:
    """Which systems train at all, by one seed each on small or generated sets."""
    tried = [entry for entry in entries if entry.is_trial]
    if not tried:
        return ""
    lines = [
        (
            " = ".join(each.case or "–" for each in same),
            same[0].data["title"],
            f"{same[0].runs[0].epoch}",
            "yes" if same[0].trains else "no",
        )
        for same in alike(tried)
    ]
    told = (
        "## Does it train?\n\nOne seed each, few epochs: more right than by guessing, or not. How "
        "good these are can't be told, nor which is better."
    )
    return f"{told}\n\n{table(('case', 'images', 'epoch kept', 'trains'), lines)}"


def reached(entry: Entry, name: str) -> str:
    """A score over the seeds that trained and share a state of the code, and how many did not."""
    found = entry.scores.get(name)
    text = "–" if found is None else score_text(name, found)
    failed = entry.setting.collapsed
    return f"{text}; {failed} of {len(entry.runs)} did not train" if failed else text


def score_text(name: str, summary: Summary) -> str:
    """A score over seeds as tables print it; a loss has no highest value."""
    return summary.shown(math.inf if name == "train_loss" else 1.0)


def overview(cards: Iterable[Card]) -> str:
    """The table baseline → command → images → hardware → minutes → score.

    Lines of tables are left out, and trials, which show only that a system trains.
    """
    lines = [
        (
            f"{card.title}{f' ({card.row})' if card.row else ''}",
            f"`reference train {card.recipe}{_data_option(card, entry)}`",
            entry.data["title"],
            _hardware(entry),
            _minutes(entry),
            reached(entry, "test_accuracy"),
        )
        for card in cards
        for entry in card.entries
        if not entry.case and not entry.is_trial
    ]
    return table(("baseline", "command", "images", "hardware", "minutes", "test accuracy"), lines)


def _data_option(card: Card, entry: Entry) -> str:
    return "" if entry.data["name"] == card.data else f" --data {entry.data['name']}"


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
            "–"
            if run.validation_accuracy is None or entry.is_trial
            else share(run.validation_accuracy),
            "trial" if entry.is_trial else share(run.test_accuracy),
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
