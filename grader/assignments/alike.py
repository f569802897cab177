"""Pictures of a new assignment that look alike: what staff are told, and shown, of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grader.pictures.collection import Collection
from grader.pictures.contact_sheet import MOST_PAIRS, write_sheet
from grader.pictures.duplicates import Fingerprints
from grader.pictures.lookalikes import (
    MOST_BITS,
    MOST_DIFFERENT,
    MOST_IN_A_PLACE,
    lookalikes,
)
from grader.words.message import Message, said

REPORT: Final = "lookalikes"
"""The name of the two files, .csv and .png, in the assignment's folder."""
_NAMED: Final = 5


@dataclass(frozen=True, kw_only=True)
class Alike:
    """Pairs of rows of a collection that look alike, most alike first: int64 (P, 2).

    groups: int64, for each kept row the place of the first that it hangs together with.
    """

    pairs: NDArray[np.int64]
    difference: NDArray[np.float32]
    groups: NDArray[np.int64]
    complete: bool


def find_alike(prints: Fingerprints, kept: NDArray[np.int64]) -> Alike:
    """Compare the pictures that stay of a collection."""
    found = lookalikes(prints, kept)
    order = np.argsort(found.difference, kind="stable")
    return Alike(
        pairs=kept[found.pairs[order]],
        difference=found.difference[order],
        groups=found.groups,
        complete=found.complete,
    )


def notices_of(
    alike: Alike, collection: Collection, hidden: NDArray[np.bool_]
) -> Iterator[Message]:
    """Say how many pairs look alike, where they are, and by which bounds."""
    if not alike.complete:
        yield said("pictures.too_uniform")
    if not len(alike.pairs):
        return
    sides = hidden[alike.pairs].sum(axis=1)
    labels = collection.labels[alike.pairs]
    names = [
        " = ".join(collection.pictures.name(int(row)) for row in pair)
        for pair in alike.pairs[:_NAMED]
    ]
    yield said(
        "pictures.alike",
        count=len(alike.pairs),
        names=", ".join(names) + (", …" if len(alike.pairs) > _NAMED else ""),
        bits=MOST_BITS,
        whole=f"{MOST_DIFFERENT:.0%}",
        place=f"{MOST_IN_A_PLACE:.0%}",
        file=f"{REPORT}.png",
    )
    if across := int((sides == 1).sum()):
        yield said("pictures.alike_across", count=across)
    if other := int((labels[:, 0] != labels[:, 1]).sum()):
        yield said("pictures.alike_classes", count=other)


def write_report(
    folder: Path,
    collection: Collection,
    pixels: NDArray[np.uint8],
    alike: Alike,
    hidden: NDArray[np.bool_],
) -> None:
    """Write all pairs as a table, and the most alike as one picture; neither is for students."""
    with (folder / f"{REPORT}.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("pair", "first", "first_in", "second", "second_in", "difference"))
        for at, (pair, difference) in enumerate(zip(alike.pairs, alike.difference, strict=True)):
            cells: list[str] = [str(at + 1)]
            for row in pair.tolist():
                cells += [collection.pictures.name(row), "test" if hidden[row] else "train"]
            writer.writerow([*cells, f"{difference:.3f}"])
    shown = alike.pairs[:MOST_PAIRS]
    names = [f"{at + 1}: {_sides(pair, hidden)}" for at, pair in enumerate(shown)]
    write_sheet(folder / f"{REPORT}.png", [(pixels[one], pixels[two]) for one, two in shown], names)


def _sides(pair: NDArray[np.int64], hidden: NDArray[np.bool_]) -> str:
    return " / ".join("test" if hidden[row] else "train" for row in pair)
