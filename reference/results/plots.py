"""Plots of a card: every run as a dot, the mean as a bar, the report's figure as a cross."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from reference.results.cards import Card

# so that the same card gives the same file
SVG_SALT = "gradewright"


def plot_card(card: Card, path: Path) -> bool:
    """Draw test accuracy by case into a file, whose suffix says the format; whether it was drawn.

    Only of settings that can be compared: of trials alone nothing is drawn. Crosses where their
    images are the report's.
    """
    entries = card.compared
    if not entries:
        return False
    data = entries[0].data
    figure = Figure(figsize=(max(4.0, 1.1 + 0.8 * len(entries)), 3.6), layout="constrained")
    axes = figure.add_subplot()
    crosses = 0
    for place, entry in enumerate(entries):
        axes.plot([place] * len(entry.values), entry.values, "o", color="tab:blue", alpha=0.6)
        if "test_accuracy" in entry.scores:
            mean = entry.scores["test_accuracy"].mean
            axes.hlines(mean, place - 0.25, place + 0.25, color="tab:blue")
        if data["name"] == card.data and "test_accuracy" in entry.reported:
            axes.plot(place, entry.reported["test_accuracy"], "x", color="tab:red")
            crosses += 1
    turned = 30 if max(len(entry.case) for entry in entries) > 9 else 0
    axes.set_xticks(range(len(entries)), [entry.case or "–" for entry in entries])
    axes.tick_params(axis="x", rotation=turned)
    axes.set_ylabel("test accuracy")
    shown = "dots are seeds, crosses the report" if crosses else "dots are seeds"
    where = "" if data["name"] == card.data else f"\n{data['title']}"
    axes.set_title(f"{card.title}: {shown}{where}", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with mpl.rc_context({"svg.hashsalt": SVG_SALT}):
        figure.savefig(path, dpi=150, metadata=metadata)
    return True
