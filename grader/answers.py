"""The hidden answers: reads answers.csv, splits it, and holds it so that nothing prints it."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader.errors import AssignmentError
from grader.settings import Split

_SPLIT_COLUMNS = ("split", "usage")


@dataclass(frozen=True, kw_only=True)
class AnswerKey:
    """The answers of one assignment; row i of each array belongs to `ids[i]`.

    labels: int64 (N,), class indices. public: bool (N,), True where the row is in the public split.
    sha256 identifies the key among staff; it is not for students: with few rows it can be guessed.
    """

    ids: tuple[str, ...] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    public: NDArray[np.bool_] = field(repr=False)
    num_classes: int
    classes: tuple[str, ...] = field(repr=False)
    sha256: str = field(repr=False)


def read_table(path: Path, required: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Read a small trusted CSV of the course: lower-cased header and rows of equal length.

    Raises:
        AssignmentError: it is missing, not UTF-8, ragged, or lacks a required column.
    """
    name = path.name
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise AssignmentError([f"{path.parent.name}/{name}: is missing"]) from None
    except UnicodeDecodeError as error:
        raise AssignmentError([f"{name}: is not UTF-8 (byte {error.start})"]) from error
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(io.StringIO(content, newline=""))
        if row
    ]
    header = [cell.casefold() for cell in rows[0]] if rows else []
    missing = [column for column in required if column.casefold() not in header]
    if missing:
        raise AssignmentError([f"{name}:1: has no column {missing[0]!r}"])
    ragged = [
        f"{name}:{line}: has {len(row)} columns where the header has {len(header)}"
        for line, row in enumerate(rows[1:], start=2)
        if len(row) != len(header)
    ]
    if ragged:
        raise AssignmentError(ragged[:20])
    return header, rows[1:]


def class_index(value: str, classes: Sequence[str], known: dict[str, int]) -> int:
    """Give the index of a label written as a class name or an index, or -1."""
    if value in known:
        return known[value]
    if value.isascii() and value.isdigit() and len(value) < 10 and int(value) < len(classes):
        return int(value)
    return -1


def read_answers(
    path: Path, classes: tuple[str, ...], id_column: str, label_column: str
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.bool_] | None]:
    """Read answers.csv in its own order: ids, labels, and the split where a column states it.

    Raises:
        AssignmentError: with every line that is wrong, 20 at most.
    """
    id_column, label_column = id_column.casefold(), label_column.casefold()
    header, rows = read_table(path, ())
    id_at = _column(path, header, (id_column, "id"))
    label_at = _column(path, header, (label_column, "label"))
    split_at = next((header.index(name) for name in _SPLIT_COLUMNS if name in header), None)
    known = {name: index for index, name in enumerate(classes)}
    ids = tuple(row[id_at] for row in rows)
    labels = [class_index(row[label_at], classes, known) for row in rows]
    public = [row[split_at].casefold() for row in rows] if split_at is not None else None
    problems = _row_problems(path.name, ids, labels, public)
    if not rows:
        problems.append(f"{path.name}:1: holds no rows")
    if problems:
        raise AssignmentError(problems[:20])
    mask = np.array([name == "public" for name in public]) if public is not None else None
    return ids, np.array(labels, dtype=np.int64), mask


def _column(path: Path, header: list[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise AssignmentError([f"{path.name}:1: has no column {names[0]!r}; it has {header}"])


def _row_problems(
    name: str, ids: Sequence[str], labels: Sequence[int], public: Sequence[str] | None
) -> list[str]:
    """Say which rows of answers.csv are wrong; labels themselves are not repeated."""
    problems = []
    first_seen: dict[str, int] = {}
    for line, (row_id, label) in enumerate(zip(ids, labels, strict=True), start=2):
        if not row_id or not row_id.isprintable():
            problems.append(f"{name}:{line}: an id must be printable text on one line")
        if row_id in first_seen:
            problems.append(f"{name}:{line}: id {row_id!r} is on line {first_seen[row_id]} already")
        first_seen.setdefault(row_id, line)
        if label < 0:
            problems.append(f"{name}:{line}: the label is no class name and no index of a class")
        if public is not None and public[line - 2] not in ("public", "private"):
            problems.append(
                f"{name}:{line}: the split must be public or private"
                + (" (rows that are not scored must be left out)" * (public[line - 2] == "ignored"))
            )
    return problems


def stratified_split(
    ids: Sequence[str], labels: NDArray[np.int64], split: Split
) -> NDArray[np.bool_]:
    """Choose the public rows: the same fraction of each class, the same rows for the same seed.

    The choice within a class follows SHA-256 of seed and id, so that it depends neither on the
    order of the file nor on a library's random generator. The shares are rounded by largest
    remainder; a class of two or more images has at least one on each side.
    """
    counts = Counter(labels.tolist())
    targets = _shares(counts, split.public_fraction)
    order = sorted(
        range(len(ids)),
        key=lambda row: hashlib.sha256(f"{split.seed}:{ids[row]}".encode()).digest(),
    )
    public = np.zeros(len(ids), dtype=np.bool_)
    for row in order:
        label = int(labels[row])
        if targets[label] > 0:
            targets[label] -= 1
            public[row] = True
    return public


def _shares(counts: Counter[int], fraction: float) -> dict[int, int]:
    exact = {label: count * fraction for label, count in sorted(counts.items())}
    shares = {label: int(value) for label, value in exact.items()}
    left = round(sum(exact.values())) - sum(shares.values())
    by_remainder = sorted(exact, key=lambda label: (shares[label] - exact[label], label))
    for label in by_remainder[:left]:
        shares[label] += 1
    return {
        label: min(max(share, 1), counts[label] - 1) if counts[label] > 1 else share
        for label, share in shares.items()
    }


def answer_key(
    ids: tuple[str, ...],
    labels: NDArray[np.int64],
    public: NDArray[np.bool_],
    classes: tuple[str, ...],
) -> AnswerKey:
    """Build the key; row order is part of it, and so are the class names and the split."""
    labels.setflags(write=False)
    public.setflags(write=False)
    digest = hashlib.sha256()
    digest.update("\n".join(classes).encode() + b"\0")
    digest.update("\n".join(ids).encode() + b"\0")
    digest.update(labels.astype("<i8").tobytes() + public.tobytes())
    return AnswerKey(
        ids=ids,
        labels=labels,
        public=public,
        num_classes=len(classes),
        classes=classes,
        sha256=digest.hexdigest(),
    )


def order_tells_class(labels: NDArray[np.int64]) -> bool:
    """Say whether neighbouring rows share their class far more often than chance would have it.

    The number of equal neighbours is compared with its mean under random orders, in standard
    deviations; five of them happen by chance once in a few million orders.

    >>> order_tells_class(np.repeat(np.arange(10), 20)), order_tells_class(np.arange(200) % 10)
    (True, False)
    """
    pairs = len(labels) - 1
    equal = np.count_nonzero(labels[1:] == labels[:-1])
    shares = np.bincount(labels) / len(labels)
    chance = float((shares**2).sum())
    return bool(equal - pairs * chance > 5 * np.sqrt(pairs * chance * (1 - chance)))


def absent_classes(key: AnswerKey) -> list[str]:
    """Say which split lacks images of which class (or lacks images at all)."""
    problems = []
    for name, rows in (("public", key.public), ("private", ~key.public)):
        counts = np.bincount(key.labels[rows], minlength=key.num_classes)
        absent = [key.classes[index] for index in np.flatnonzero(counts == 0)]
        if not rows.any():
            problems.append(f"answers.csv: the {name} split has no rows")
        elif absent:
            problems.append(
                f"answers.csv: the {name} split has no image of {', '.join(absent[:5])}"
                f"{f' and {len(absent) - 5} more classes' if len(absent) > 5 else ''}"
                " (allow_absent = true permits this)"
            )
    return problems
