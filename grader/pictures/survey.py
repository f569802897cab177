"""Looks at all pictures before anything is written: sizes, forms, and every one that is bad."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grader.errors import AssignmentError
from grader.pictures.collection import Collection
from grader.pictures.decoding import BadPicture, Facts, fitted
from grader.words.message import Message, said

MIXED_SIZE: Final = (224, 224)
USUAL_SHARE: Final = 0.9
"""From this share of the pictures on, their size is the set's, and the others are outliers."""
FAR: Final = 4.0
"""In a set of many sizes, a side that differs by this factor from the median makes an outlier."""
TELLING_SHARE: Final = 0.9
"""A form that so many of a class have, and so few of another, tells the two apart."""
_NAMED: Final = 10
_MOST_PROBLEMS: Final = 100


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the headers of a collection say.

    facts: a picture's, None where it is bad. size: (height, width) of all of them once decoded.
    resized: whether any has another size. problems: what is bad, so far.
    """

    facts: tuple[Facts | None, ...] = field(repr=False)
    size: tuple[int, int]
    grey: bool
    resized: bool
    notices: tuple[Message, ...]
    problems: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one decoded picture: (H, W) when all are grey, else (H, W, 3)."""
        return self.size if self.grey else (*self.size, 3)


def survey(collection: Collection, *, size: tuple[int, int] | None, grey: bool) -> Survey:
    """Read every header; `size` (height, width) and `grey` are what the caller wants, if anything.

    Raises:
        AssignmentError: not one picture can be read.
    """
    pictures = collection.pictures
    facts: list[Facts | None] = []
    problems: list[str] = []
    for row in range(len(pictures)):
        try:
            facts.append(pictures.facts(row))
        except BadPicture as error:
            facts.append(None)
            problems += error.problems
    sound = [each for each in facts if each is not None]
    if not sound:
        raise AssignmentError(_first_of(problems))
    sizes = Counter((each.height, each.width) for each in sound)
    target = size or usual_size(sizes)
    notices = [
        *_about_sizes(collection, facts, sizes, target),
        *_about_forms(collection, facts, grey=grey),
    ]
    return Survey(
        facts=tuple(facts),
        size=target,
        grey=grey or all(each.grey for each in sound),
        resized=set(sizes) != {target},
        notices=tuple(notices),
        problems=tuple(problems),
    )


def decode_all(
    collection: Collection,
    found: Survey,
    into: Path,
    look: Callable[[int, bytes, NDArray[np.uint8]], None],
) -> Iterator[None]:
    """Decode into the .npy file `into`, uint8 (N, H, W) or (N, H, W, 3); one step a picture.

    `look` sees each row, what it is stored as, and its pixels before they were scaled.

    Raises:
        AssignmentError: when all were tried, with every picture that is bad.
    """
    shape = (len(collection.pictures), *found.shape)
    array = np.lib.format.open_memmap(into, mode="w+", dtype=np.uint8, shape=shape)
    problems = list(found.problems)
    for row, facts in enumerate(found.facts):
        if facts is not None:
            try:
                pixels = collection.pictures.pixels(row)
                look(row, collection.pictures.content(row), pixels)
                array[row] = fitted(pixels, found.size, grey=found.grey)
            except BadPicture as error:
                problems += error.problems
        yield
    if problems:
        raise AssignmentError(_first_of(problems))
    array.flush()


def _first_of(problems: Sequence[str]) -> list[str]:
    rest = len(problems) - _MOST_PROBLEMS
    more = [said("pictures.more_bad", count=rest)] if rest > 0 else []
    return [*problems[:_MOST_PROBLEMS], *more]


def usual_size(sizes: Counter[tuple[int, int]]) -> tuple[int, int]:
    """The (height, width) that nearly all have; without one, MIXED_SIZE. Of sizes and how often."""
    size, count = sizes.most_common(1)[0]
    return size if count >= USUAL_SHARE * sizes.total() else MIXED_SIZE


def _about_sizes(
    collection: Collection,
    facts: Sequence[Facts | None],
    sizes: Counter[tuple[int, int]],
    target: tuple[int, int],
) -> Iterator[Message]:
    others = sizes.total() - sizes[target]
    if not others:
        return
    height, width = target
    yield said("pictures.scaled", count=others, all=sizes.total(), height=height, width=width)
    usual, count = sizes.most_common(1)[0]
    if count >= USUAL_SHARE * sizes.total():
        far = [row for row, each in enumerate(facts) if each and (each.height, each.width) != usual]
    else:
        usual = _median(sizes)
        far = [row for row, each in enumerate(facts) if each and _is_far(each, usual)]
    if far:
        names = [_with_size(collection, facts, row) for row in far[:_NAMED]]
        yield said(
            "pictures.outliers",
            count=len(far),
            height=usual[0],
            width=usual[1],
            names=_some(names, len(far)),
        )


def _median(sizes: Counter[tuple[int, int]]) -> tuple[int, int]:
    sides = np.array(list(sizes), dtype=np.int64)
    every = np.repeat(sides, list(sizes.values()), axis=0)
    height, width = np.median(every, axis=0).astype(int).tolist()
    return height, width


def _is_far(facts: Facts, usual: tuple[int, int]) -> bool:
    pairs = ((facts.height, usual[0]), (facts.width, usual[1]))
    return any(max(one, other) >= FAR * min(one, other) for one, other in pairs)


def _with_size(collection: Collection, facts: Sequence[Facts | None], row: int) -> str:
    each = facts[row]
    size = f" ({each.height}x{each.width})" if each else ""
    return collection.pictures.name(row) + size


def _about_forms(
    collection: Collection, facts: Sequence[Facts | None], *, grey: bool
) -> Iterator[Message]:
    rows = [row for row, each in enumerate(facts) if each is not None]
    sound = [each for each in facts if each is not None]
    for count, notice in (
        (sum(each.deep for each in sound), "deep"),
        (sum(each.transparent for each in sound), "transparent"),
        (sum(each.frames > 1 for each in sound), "frames"),
    ):
        if count:
            yield _form(notice, collection, facts, count)
    greys = sum(each.grey for each in sound)
    if not grey and 0 < greys < len(sound):
        yield said("pictures.grey_and_colour", grey=greys, colour=len(sound) - greys)
    labels = collection.labels[rows]
    aspects = [
        ("colour", np.array([0 if each.grey or grey else 1 for each in sound])),
        ("size", _coded([(each.height, each.width) for each in sound])),
        ("format", _coded([each.kind for each in sound])),
    ]
    for aspect, values in aspects:
        pair = _told_apart(labels, values, len(collection.classes))
        if pair is not None:
            one, other = (collection.classes[index] for index in pair)
            yield _telling(aspect, one, other)


def _form(
    notice: str, collection: Collection, facts: Sequence[Facts | None], count: int
) -> Message:
    if notice == "deep":
        return said("pictures.deep", count=count)
    if notice == "transparent":
        return said("pictures.transparent", count=count)
    several = [row for row, each in enumerate(facts) if each and each.frames > 1]
    names = [collection.pictures.name(row) for row in several[:_NAMED]]
    return said("pictures.frames", count=count, names=_some(names, count))


def _telling(aspect: str, one: str, other: str) -> Message:
    if aspect == "colour":
        return said("pictures.colour_tells", one=one, other=other)
    if aspect == "size":
        return said("pictures.size_tells", one=one, other=other)
    return said("pictures.format_tells", one=one, other=other)


def _coded(values: Sequence[object]) -> NDArray[np.int64]:
    """Number values in the order of their first appearance: int64 (N,)."""
    codes: dict[object, int] = {}
    return np.array([codes.setdefault(value, len(codes)) for value in values], dtype=np.int64)


def _told_apart(
    labels: NDArray[np.int64], values: NDArray[np.int64], classes: int
) -> tuple[int, int] | None:
    """Find two classes of which most of one have a form that hardly any of the other has."""
    if len(set(values.tolist())) < 2:
        return None
    shares = np.zeros((classes, int(values.max()) + 1))
    np.add.at(shares, (labels, values), 1)
    totals = shares.sum(axis=1, keepdims=True)
    present = np.flatnonzero(totals[:, 0])
    shares = shares[present] / totals[present]
    for form in range(shares.shape[1]):
        most, least = int(shares[:, form].argmax()), int(shares[:, form].argmin())
        if shares[most, form] >= TELLING_SHARE and shares[least, form] <= 1 - TELLING_SHARE:
            return int(present[most]), int(present[least])
    return None


def _some(names: Sequence[str], count: int) -> str:
    return ", ".join(names) + (", …" if count > len(names) else "")
