"""Plots of a card: every run as a dot, the mean as a bar, the report's figure as a cross."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from reference.cards import Card


def plot_card(card: Card, path: Path) -> None:
    """Draw test accuracy by case into a file; its suffix says the format."""
    figure = Figure(figsize=(max(4.0, 1.1 + 0.8 * len(card.entries)), 3.6), layout="constrained")
    axes = figure.add_subplot()
    for place, entry in enumerate(card.entries):
        axes.plot([place] * len(entry.values), entry.values, "o", color="tab:blue", alpha=0.6)
        mean = entry.scores["test_accuracy"].mean
        axes.hlines(mean, place - 0.25, place + 0.25, color="tab:blue")
        if "test_accuracy" in entry.reported:
            axes.plot(place, entry.reported["test_accuracy"], "x", color="tab:red")
    axes.set_xticks(range(len(card.entries)), [entry.case or "–" for entry in card.entries])
    axes.set_ylabel("test accuracy")
    axes.set_title(f"{card.title}: dots are seeds, crosses the report", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
