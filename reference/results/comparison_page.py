"""`reference compare` as text and as JSON."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence

from reference.results.card_page import SCORE_NAMES, score_text
from reference.results.compare import Difference, Line
from reference.results.markdown import table
from reference.results.spread import Summary, share


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
    by_table = itertools.groupby(differences, key=lambda each: each.table)
    sentences = [_sentence(name, list(pairs)) for name, pairs in by_table]
    return "\n\n".join((figures, *sentences))


def _row(line: Line) -> tuple[str, ...]:
    return (
        line.row,
        f"{line.recipe}:{line.case}" if line.case else line.recipe,
        SCORE_NAMES[line.score],
        share(line.reported),
        _shown(line.score, line.as_reported),
        _shown(line.score, line.corrected),
        _judged(line),
    )


def _judged(line: Line) -> str:
    if not line.data:
        return "not run"
    if not line.same_data:
        return f"can't be compared: ours is on {line.data}"
    return {True: "within noise", False: "beyond noise", None: "–"}[line.within_noise]


def _shown(score: str, summary: Summary | None) -> str:
    return "–" if summary is None else score_text(score, summary)


def _sentence(table: str, pairs: Sequence[Difference]) -> str:
    within = [each for each in pairs if each.within_noise]
    beyond = [each for each in pairs if not each.within_noise]
    limits = [each.limit for each in pairs]
    span = share(max(limits))
    runs = pairs[0].runs
    two = "two runs" if runs == 1 else f"two means of {runs} runs"
    why = {
        "seeds": f"{two} of one setting differ by up to {span} in 95% of cases",
        "images": f"on other images of the kind equals differ by up to {span} in 95% of cases",
    }[pairs[0].noise]
    told = f"{table}: of {len(pairs)} differences {len(within)} are within noise ({why})"
    if not beyond:
        return f"{told}."
    shown = ", ".join(f"{each.first} to {each.second} ({each.reported:+.3f})" for each in beyond)
    return f"{told}. Beyond it: {shown}."
