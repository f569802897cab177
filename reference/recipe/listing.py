"""What `reference list` shows, read without PyTorch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from reference import models
from reference.recipe import recipe
from reference.recipe.rows import rows


def as_dict() -> dict[str, Any]:
    """Every model, recipe and row of the reports, JSON-ready."""
    entries = [models.find(name) for name in models.names()]
    recipes = [recipe.load(name) for name in recipe.names()]
    return {
        "models": [dataclasses.asdict(entry) for entry in entries],
        "recipes": [dataclasses.asdict(each) for each in recipes],
        "rows": [dataclasses.asdict(row) for row in rows()],
    }


def as_text() -> str:
    """Three tables for a terminal."""
    return "\n\n".join((_models(), _recipes(), _rows()))


def _models() -> str:
    entries = [models.find(name) for name in models.names()]
    return _table(
        ("MODEL", "INPUT", "PARAMETERS", "CLASSES", "SOURCE"),
        [
            (
                each.name,
                f"{each.channels}×{each.size}×{each.size}",
                f"{each.parameters:,}",
                str(each.classes),
                each.source,
            )
            for each in entries
        ],
    )


def _recipes() -> str:
    recipes = [recipe.load(name) for name in recipe.names()]
    return _table(
        ("RECIPE", "ROW", "VARIANT", "DATA (STAND-IN)", "EPOCHS", "CASES", "TITLE"),
        [
            (
                each.name,
                each.row or "–",
                each.variant,
                f"{each.data} ({each.stand_in})" if each.stand_in else each.data,
                str(each.training.epochs),
                str(len(each.cases) or "–"),
                each.title,
            )
            for each in recipes
        ],
    )


def _rows() -> str:
    return _table(
        ("ROW", "WHAT", "BY"),
        [(row.name, row.title, ", ".join((*row.recipes, *row.modules))) for row in rows()],
    )


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    columns = zip(header, *lines, strict=True)
    widths = [max(len(cell) for cell in column) for column in columns]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (header, *lines)
    )
