"""Names as a reader sees them: one form of each, whatever system wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from grader.errors import AssignmentError
from grader.pictures.kinds import ALWAYS_READ
from grader.words.letters import one_form
from grader.words.message import Message, said

_SUFFIXES = tuple(sorted(ALWAYS_READ | {".avif", ".heic", ".heif"}))


def without_suffix(name: str) -> str:
    """Take the suffix of a picture off a name.

    >>> without_suffix("i0.PNG"), without_suffix("v1.2")
    ('i0', 'v1.2')
    """
    return name.rpartition(".")[0] if name.casefold().endswith(_SUFFIXES) else name


def files_by_id(files: Mapping[str, str], ids: Sequence[str]) -> tuple[list[str | None], list[str]]:
    """Find the file of each id, which may be written with a suffix or without.

    `files` maps a name, in one form and with its suffix, to whatever stands for the file. Gives the
    files in the order of `ids`, None where there is none, and the ids that two files fit.
    """
    by_stem: dict[str, list[str]] = {}
    for name in files:
        by_stem.setdefault(without_suffix(name), []).append(name)
    found: list[str | None] = []
    unclear = []
    for each in map(one_form, ids):
        fitting = (
            [each] if each in files else by_stem.get(each) or by_stem.get(without_suffix(each), [])
        )
        if len(fitting) > 1:
            unclear.append(each)
        found.append(files[fitting[0]] if fitting else None)
    return found, unclear


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Order class names: as numbers where all are numbers, else as texts.

    >>> in_order(["10", "9"]), in_order(["b", "10", "9"])
    (('9', '10'), ('10', '9', 'b'))
    """
    names = list(names)
    if all(name.isascii() and name.isdigit() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def check_classes(classes: Sequence[str]) -> None:
    """Refuse names that a class can't have, before anything is decoded.

    Raises:
        AssignmentError: with every name that is unfit, and there being fewer than two.
    """
    problems = [problem for at, name in enumerate(classes) for problem in _unfit(at, name)]
    if len(classes) < 2:
        problems.append(said("pictures.one_class", count=len(classes)))
    if problems:
        raise AssignmentError(problems)


def _unfit(index: int, name: str) -> Iterable[Message]:
    if not name or name != name.strip():
        yield said("pictures.class_spaces", name=repr(name))
    elif not name.isprintable():
        yield said("pictures.class_unprintable", name=repr(name))
    elif name.isdigit() and name != str(index):
        yield said("pictures.class_digits", name=repr(name), index=index)
