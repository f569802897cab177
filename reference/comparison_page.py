"""`reference compare` as text and as JSON."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence

from reference.card_page import SCORE_NAMES, table
from reference.compare import Difference, Line
from reference.spread import Summary, share


def as_json(lines: Sequence[Line], differences: Sequence[Difference]) -> str:
    """Both lists as one JSON object."""
    content = {
        "figures": [dataclasses.asdict(line) for line in lines],
        "differences": [
            {**dataclasses.asdict(each), "within_noise": each.within_noise} for each in differences
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def as_text(lines: Sequence[Line], differences: Sequence[Difference]) -> str:
    """A table of figures, and a sentence for each table of a report."""
    header = ("row", "recipe", "score", "report", "as reported", "corrected", "report's figure")
    figures = table(header, [_row(line) for line in lines])
    by_recipe = itertools.groupby(differences, key=lambda each: each.recipe)
    sentences = [_sentence(name, list(pairs)) for name, pairs in by_recipe]
    return "\n\n".join((figures, *sentences))


def _row(line: Line) -> tuple[str, ...]:
    words = {True: "within noise", False: "beyond noise", None: "–"}[line.within_noise]
    return (
        line.row,
        f"{line.recipe}:{line.case}" if line.case else line.recipe,
        SCORE_NAMES[line.score],
        share(line.reported),
        _shown(line.as_reported),
        _shown(line.corrected),
        words if line.same_data else "ours is on other images",
    )


def _shown(summary: Summary | None) -> str:
    return "–" if summary is None else str(summary)


def _sentence(recipe: str, pairs: Sequence[Difference]) -> str:
    within = [each for each in pairs if each.within_noise]
    beyond = [each for each in pairs if not each.within_noise]
    told = (
        f"{recipe}: of the report's {len(pairs)} differences {len(within)} are within noise (two "
        f"runs of one setting differ by up to {share(pairs[0].limit)} in 95% of cases)"
    )
    if not beyond:
        return f"{told}."
    shown = ", ".join(f"{each.first} to {each.second} ({each.reported:+.3f})" for each in beyond)
    return f"{told}. Beyond it: {shown}."
