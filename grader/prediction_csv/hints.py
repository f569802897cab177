"""Says what the cause of a problem is, where it is known."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from grader.prediction_csv.lookup import Lookup
from grader.prediction_csv.tally import Tally, shown


def add_hints(tally: Tally, ids: Sequence[str], lookup: Lookup, classes: Sequence[str]) -> None:
    """Look at the first place of each kind of problem and add what it shows."""
    if "unknown_id" in tally:
        value = tally.first_value("unknown_id")
        for candidate, hint in _repairs(value, ids[0]):
            if lookup.find_all([candidate])[0] >= 0:
                tally.hint("unknown_id", f"{hint}: write {shown(candidate)}")
                break
        starts_at_1 = "missing_id" in tally and tally.first_value("missing_id") == "0"
        if starts_at_1 and value == str(len(ids)):
            tally.hint("unknown_id", "ids start at 0, not at 1")
    if "label_unknown" in tally:
        near = _nearest(tally.first_value("label_unknown"), classes)
        if near is not None:
            tally.hint("label_unknown", f"did you mean {shown(near)}?")


def _repairs(value: str, example: str) -> Iterator[tuple[str, str]]:
    """Give what the id may have been meant to be, and what happened to it."""
    name = re.split(r"[/\\]", value)[-1]
    if name != value:
        yield name, "ids carry a folder"
    stem, dot, _ = name.rpartition(".")
    if dot and stem:
        yield stem, "ids carry a file extension or a decimal point"
    zeroless = stem.lstrip("0") if dot and stem else name.lstrip("0")
    yield zeroless or "0", "ids are padded with zeros"
    yield value.zfill(len(example)), "ids have lost their leading zeros"
    _, dot, suffix = example.rpartition(".")
    if dot:
        yield f"{value}.{suffix}", "ids lack their file extension"
    yield value.lower(), "ids are written in capitals"
    yield value.upper(), "ids are written in small letters"
    yield value.strip(), "ids carry white space"


def _nearest(value: str, classes: Sequence[str]) -> str | None:
    folded = value.casefold().strip()
    same = [name for name in classes if name.casefold() == folded]
    # A long list of classes is not searched: the hint is not worth the time.
    near = difflib.get_close_matches(value[:200], classes[:2000], n=1)
    return next(iter([*same, *near]), None)
