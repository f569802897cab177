"""One file of the corpus of prediction CSVs, and what most of them are made of."""

from __future__ import annotations

from dataclasses import dataclass

IDS = ("0", "1", "2", "3", "4")
CLASSES = ("cat", "dog", "bird")
ANSWER = [0, 1, 2, 1, 0]  # what every accepted file of five rows says, in the order of IDS


@dataclass(frozen=True, kw_only=True)
class Case:
    """One file. Accepted files state `labels`, rejected ones `problems`.

    problems: kind → (count, first line, column); hint: a word that the hints must hold.
    """

    name: str
    content: bytes
    labels: list[int] | None = None
    problems: dict[str, tuple[int, int | None, str | None]] | None = None
    hint: str = ""
    ids: tuple[str, ...] = IDS
    classes: tuple[str, ...] = CLASSES

    @property
    def file_name(self) -> str:
        return f"{self.name}.csv"


GOOD = "id,label\n0,0\n1,1\n2,2\n3,1\n4,0\n"
SCORES = "id,cat,dog,bird\n0,0.5,0.3,0.2\n1,0.1,0.8,0.1\n2,0,0,1\n3,0.2,0.4,0.4\n4,0.4,0.4,0.2\n"
