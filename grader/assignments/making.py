"""Makes an assignment folder of labelled pictures: whole, or not at all."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grader.assignments.alike import Alike, find_alike, notices_of, write_report
from grader.assignments.assignment import Assignment
from grader.assignments.drawing import Rows, check_counts, draw, first_of_each
from grader.assignments.readiness import load_to_publish
from grader.errors import AssignmentError
from grader.pictures.collection import Collection
from grader.pictures.decoding import Facts
from grader.pictures.duplicates import Copies, Fingerprints, copies
from grader.pictures.survey import Survey, decode_all, survey
from grader.settings.key_reference import commented_schedule
from grader.words.message import Message, said

_BLOCK: Final = 256  # pictures that are copied at a time
_NAMED: Final = 10
_DARK: Final = 64  # of 255: a picture of 14 bits in 16 has no value above

Watch = Callable[[Iterator[None], int], None]
"""Goes through so many steps, and may show how far it is."""
Tell = Callable[[Message], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a new assignment is to be; `size` is (height, width), None for the pictures' own.

    keep_together: pictures that look alike come to one side, training or test.
    """

    slug: str
    title: str
    size: tuple[int, int] | None
    grey: bool
    test_fraction: float
    sample_per_class: int
    seed: int
    keep_together: bool = False


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was made: its settings, the shape of a picture, and how many pictures are where."""

    assignment: Assignment
    shape: tuple[int, ...]
    train: int
    test: int
    sample: int


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """Rows of a collection by where they go; sample rows are training rows too.

    hidden: bool (N,), where the collection's pictures went to the test.
    """

    train: Rows = field(repr=False)
    test: Rows = field(repr=False)
    sample: Rows = field(repr=False)
    alike: Alike = field(repr=False)
    hidden: NDArray[np.bool_] = field(repr=False)


def make_assignment(
    folder: Path, collection: Collection, plan: Plan, *, watch: Watch, tell: Tell
) -> Made:
    """Write the assignment folder `folder`, which must not be there yet or be empty.

    What can be refused is refused before a picture is decoded, and all bad pictures are named
    together. Until all is well, everything lies in a folder beside it, which goes if it is not.

    Raises:
        AssignmentError: the plan, names or pictures are unfit, with everything that is wrong.
    """
    settings = _settings(plan, collection.classes)
    Assignment.parse(settings, folder)
    check_counts(collection.labels, collection.is_test, collection.classes)
    found = survey(collection, size=plan.size, grey=plan.grey)
    for notice in (*collection.notices, *found.notices, *_of_names(collection.classes)):
        tell(notice)
    with _beside(folder) as made:
        prints = Fingerprints(len(collection.pictures))
        every = made / "every.npy"
        watch(decode_all(collection, found, every, prints.look), len(collection.pictures))
        parts = _divided(collection, plan, prints, found.facts, tell)
        _write_texts(made, settings, plan, collection, found)
        pixels = np.load(every, mmap_mode="r")
        _write_parts(made, pixels, parts, collection)
        if len(parts.alike.pairs):
            write_report(made, collection, pixels, parts.alike, parts.hidden)
        del pixels
        every.unlink()
        load_to_publish(made)
    return Made(
        assignment=Assignment.open(folder),
        shape=found.shape,
        train=len(parts.train),
        test=len(parts.test),
        sample=len(parts.sample),
    )


def _of_names(classes: Sequence[str]) -> Iterator[Message]:
    """A sentence for each two classes that readers may take for one."""
    first: dict[str, str] = {}
    for name in classes:
        other = first.setdefault(" ".join(name.casefold().replace("_", " ").split()), name)
        if other != name:
            yield said("pictures.classes_alike", one=repr(other), other=repr(name))


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A folder that becomes `folder` when all went well, and else is removed."""
    there = next(parent for parent in folder.absolute().parents if parent.is_dir())
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=there))
    try:
        yield made
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            folder.rmdir()  # empty: the caller has looked
        made.chmod(0o755)
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _divided(
    collection: Collection,
    plan: Plan,
    prints: Fingerprints,
    facts: Sequence[Facts | None],
    tell: Tell,
) -> _Parts:
    found = copies(prints, collection.labels, collection.is_test)
    for notice in (*_about_depth(prints, facts), *_about_copies(found, prints, collection)):
        tell(notice)
    labels = collection.labels[found.kept]
    is_test = None if collection.is_test is None else collection.is_test[found.kept]
    check_counts(labels, is_test, collection.classes)
    alike = find_alike(prints, found.kept)
    groups = alike.groups if plan.keep_together else np.arange(len(labels))
    train, test = draw(
        labels, is_test, groups=groups, test_fraction=plan.test_fraction, seed=plan.seed
    )
    hidden = np.zeros(len(collection.labels), dtype=np.bool_)
    hidden[found.kept[test]] = True
    check_counts(labels, hidden[found.kept], collection.classes)
    for notice in notices_of(alike, collection, hidden):
        tell(notice)
    sample = train[first_of_each(labels[train], plan.sample_per_class)]
    return _Parts(
        train=found.kept[train],
        test=found.kept[test],
        sample=found.kept[sample],
        alike=alike,
        hidden=hidden,
    )


def _about_depth(prints: Fingerprints, facts: Sequence[Facts | None]) -> Iterator[Message]:
    """Pictures of 10 or 12 bits that were stored with 16 come out dark."""
    deep = [row for row, each in enumerate(facts) if each is not None and each.deep]
    if deep and (brightest := int(prints.small[deep].max())) < _DARK:
        yield said("pictures.dark", count=len(deep), brightest=brightest)


def _about_copies(found: Copies, prints: Fingerprints, collection: Collection) -> Iterator[Message]:
    blank = np.flatnonzero(prints.blank)
    if len(blank):
        yield said("pictures.blank", count=len(blank), names=_some(collection, blank))
    if len(found.doubled):
        yield said("pictures.doubled", count=len(found.doubled))
    if len(found.ambiguous):
        names = _some(collection, found.ambiguous)
        yield said("pictures.ambiguous", count=len(found.ambiguous), names=names)


def _some(collection: Collection, rows: Rows) -> str:
    names = [collection.pictures.name(int(row)) for row in rows[:_NAMED]]
    return ", ".join(names) + (", …" if len(rows) > _NAMED else "")


def _settings(plan: Plan, classes: Sequence[str]) -> str:
    names = ", ".join(json.dumps(name, ensure_ascii=False) for name in classes)
    return (
        f"slug = {json.dumps(plan.slug)}\n"
        f"title = {json.dumps(plan.title, ensure_ascii=False)}\n"
        f"classes = [{names}]\n\n"
        '[data]\ntest_images = "public"\n\n'
        f"[split]\npublic_fraction = 0.3\nseed = {plan.seed}\n\n"
        '[submission]\nkinds = ["csv", "code"]\ndaily_limit = 5\nfinal_picks = 2\n\n'
        '[scoring]\nmetric = "accuracy"\nfeedback = "per_class"\n'
        f"{commented_schedule()}"
    )


def _write_texts(
    folder: Path, settings: str, plan: Plan, collection: Collection, found: Survey
) -> None:
    (folder / "assignment.toml").write_text(settings, encoding="utf-8")
    height, width = found.size
    channels = "grey" if found.grey else "RGB"
    lines = [f"# {plan.title}", "", f"Tell {len(collection.classes)} classes of images apart:", ""]
    lines += [f"{index}. {name}" for index, name in enumerate(collection.classes)]
    lines += ["", f"Images are {channels}, {height} × {width} pixels, uint8."]
    if found.resized:
        lines += ["They were scaled to cover that size (bicubic) and cut to the centre, once."]
    sound = [each for each in found.facts if each is not None]
    if any(each.deep for each in sound):
        lines += ["Values of more than 8 bits were scaled by their depth (16 bits: the upper 8)."]
    if any(each.transparent for each in sound):
        lines += ["Transparent pixels were laid on white."]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_parts(
    folder: Path, every: NDArray[np.uint8], parts: _Parts, collection: Collection
) -> None:
    _write_answers(folder / "answers.csv", parts.test, collection)
    for name, rows in (("test", parts.test), ("train", parts.train), ("sample", parts.sample)):
        (folder / name).mkdir()
        _write_rows(folder / name / "images.npy", every, rows)
        if name != "test":
            labels = ((str(label),) for label in collection.labels[rows].tolist())
            _write_csv(folder / name / "labels.csv", ("label",), labels)


def _write_answers(path: Path, rows: Rows, collection: Collection) -> None:
    names = [collection.classes[label] for label in collection.labels[rows]]
    ids = map(str, range(len(names)))
    if collection.is_public is None:
        _write_csv(path, ("id", "label"), zip(ids, names, strict=True))
        return
    splits = np.where(collection.is_public[rows], "public", "private").tolist()
    _write_csv(path, ("id", "label", "split"), zip(ids, names, splits, strict=True))


def _write_rows(path: Path, every: NDArray[np.uint8], rows: Rows) -> None:
    shape = (len(rows), *every.shape[1:])
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    for start in range(0, len(rows), _BLOCK):
        array[start : start + _BLOCK] = every[rows[start : start + _BLOCK]]
    array.flush()


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def check_parts(collection: Collection, *, wanted: str | None) -> Collection:
    """Say what is to become of the parts that a source comes in: `join` or `test`.

    Where nobody said, what a source marks for testing is hidden as it is; but folders that could
    be classes need a word.

    Raises:
        AssignmentError: that word is missing, or there is no part for testing.
    """
    if not collection.parts:
        return collection
    names = ", ".join(collection.parts)
    if wanted is None and collection.looks_like_classes:
        raise AssignmentError([said("pictures.splits", names=names)])
    if wanted == "join":
        return collection.joined()
    if collection.is_test is None or not collection.is_test.any():
        if wanted is None:
            return collection.joined()
        raise AssignmentError([said("pictures.no_test_part", names=names)])
    if wanted is None:
        notice = said("pictures.test_part", names=names, count=int(collection.is_test.sum()))
        return replace(collection, notices=(*collection.notices, notice))
    return collection
