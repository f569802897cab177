"""What `reference list` shows, read without PyTorch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from reference import models, recipe


def as_dict() -> dict[str, Any]:
    """Every model and every recipe, JSON-ready."""
    entries = [models.find(name) for name in models.names()]
    recipes = [recipe.load(name) for name in recipe.names()]
    return {
        "models": [dataclasses.asdict(entry) for entry in entries],
        "recipes": [dataclasses.asdict(each) for each in recipes],
    }


def as_text() -> str:
    """Two tables for a terminal."""
    entries = [models.find(name) for name in models.names()]
    recipes = [recipe.load(name) for name in recipe.names()]
    return "\n\n".join(
        (
            _table(
                ("MODEL", "INPUT", "PARAMETERS", "SOURCE"),
                [
                    (
                        each.name,
                        f"{each.channels}×{each.size}×{each.size}",
                        f"{each.parameters:,}",
                        each.source,
                    )
                    for each in entries
                ],
            ),
            _table(
                ("RECIPE", "ROW", "VARIANT", "DATA", "EPOCHS", "TITLE"),
                [
                    (
                        each.name,
                        each.row or "–",
                        each.variant,
                        each.data,
                        str(each.training.epochs),
                        each.title,
                    )
                    for each in recipes
                ],
            ),
        )
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    columns = zip(header, *rows, strict=True)
    widths = [max(len(cell) for cell in column) for column in columns]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (header, *rows)
    )
