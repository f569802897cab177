"""The hidden answers: reads answers.csv, splits it, and holds it so that nothing prints it."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grader.assignments.answer_hints import header_hint, labels_hint, missing_file_hint
from grader.assignments.answer_rows import (
    AnswerColumns,
    AnswerRows,
    class_index,
    order_of,
    read_plain_rows,
)
from grader.errors import AssignmentError
from grader.settings.tables import Split
from grader.words.letters import one_form
from grader.words.message import Message, said
from grader.words.placed import placed


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
        content = one_form(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        hint = missing_file_hint(path)
        place = f"{path.parent.name}/{name}"
        raise AssignmentError([placed(place, said("folder.missing"), hint)]) from None
    except UnicodeDecodeError as error:
        raise AssignmentError([placed(name, said("folder.not_utf8", byte=error.start))]) from error
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(io.StringIO(content, newline=""))
        if row
    ]
    header = [cell.casefold() for cell in rows[0]] if rows else []
    missing = [column for column in required if column.casefold() not in header]
    if missing:
        raise AssignmentError(
            [placed(f"{name}:1", said("folder.no_column", name=repr(missing[0])))]
        )
    ragged = [
        placed(f"{name}:{line}", said("folder.ragged", count=len(row), expected=len(header)))
        for line, row in enumerate(rows[1:], start=2)
        if len(row) != len(header)
    ]
    if ragged:
        raise AssignmentError(ragged[:20])
    return header, rows[1:]


def read_answers(
    path: Path, classes: tuple[str, ...], id_column: str, label_column: str
) -> AnswerRows:
    """Read answers.csv: ids, labels, and the split where a column states it.

    Raises:
        AssignmentError: with every line that is wrong, 20 at most.
    """
    try:
        plain = read_plain_rows(path.read_bytes(), classes, id_column, label_column)
    except FileNotFoundError:
        plain = None
    return plain or read_each_row(path, classes, id_column, label_column)


def read_each_row(
    path: Path, classes: tuple[str, ...], id_column: str, label_column: str
) -> AnswerRows:
    """Read answers.csv as `read_answers` does, row after row: whatever `csv` can read.

    Raises:
        AssignmentError: with every line that is wrong, 20 at most.
    """
    header, rows = read_table(path, ())
    try:
        columns = AnswerColumns.of(header, id_column, label_column)
    except KeyError as missing:
        problem = said("answers.no_column", name=repr(missing.args[0]), header=str(header))
        hint = header_hint(header, classes, id_column, label_column)
        raise AssignmentError([placed(f"{path.name}:1", problem, hint)]) from None
    known = {name: index for index, name in enumerate(classes)}
    ids = tuple(row[columns.id] for row in rows)
    labels = [class_index(row[columns.label], classes, known) for row in rows]
    split = columns.split
    public = None if split is None else [row[split].casefold() for row in rows]
    hint = ""
    if -1 in labels:
        hint = labels_hint([row[columns.label] for row in rows], len(classes))
    problems = _row_problems(path.name, ids, labels, public, hint)
    if not rows:
        problems.append(placed(f"{path.name}:1", said("folder.no_rows")))
    if problems:
        raise AssignmentError(problems[:20])
    return AnswerRows(
        ids=ids,
        labels=np.array(labels, dtype=np.int64),
        public=None if public is None else np.array([name == "public" for name in public]),
        order=order_of(ids),
    )


def _row_problems(
    name: str,
    ids: Sequence[str],
    labels: Sequence[int],
    public: Sequence[str] | None,
    hint: str,
) -> list[Message]:
    """Say which rows of answers.csv are wrong; labels themselves are not repeated."""
    problems = []
    first_seen: dict[str, int] = {}
    for line, (row_id, label) in enumerate(zip(ids, labels, strict=True), start=2):
        if not row_id or not row_id.isprintable():
            problems.append(placed(f"{name}:{line}", said("answers.id_unprintable")))
        if row_id in first_seen:
            twice = said("answers.id_twice", id=repr(row_id), line=first_seen[row_id])
            problems.append(placed(f"{name}:{line}", twice))
        first_seen.setdefault(row_id, line)
        if label < 0:
            problems.append(placed(f"{name}:{line}", said("answers.no_class"), hint))
        if public is not None and public[line - 2] not in ("public", "private"):
            ignored = said("answers.ignored") if public[line - 2] == "ignored" else ""
            problems.append(placed(f"{name}:{line}", said("answers.split"), ignored))
    return problems


def stratified_split(
    ids: Sequence[str], labels: NDArray[np.int64], split: Split
) -> NDArray[np.bool_]:
    """Choose the public rows: the same fraction of each class, the same rows for the same seed.

    The choice within a class follows SHA-256 of seed and id, so that it depends neither on the
    order of the file nor on a library's random generator. The shares are rounded by largest
    remainder; a class of two or more images has at least one on each side.
    """
    counts = np.bincount(labels)
    share_of = _shares({int(at): int(counts[at]) for at in np.flatnonzero(counts)}, split)
    targets = np.array([share_of.get(label, 0) for label in range(len(counts))])
    sha256, seed = hashlib.sha256, f"{split.seed}:".encode()
    order = by_digest(b"".join([sha256(seed + name.encode()).digest() for name in ids]))
    by_class = order[np.argsort(labels[order], kind="stable")]
    place_in_class = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
    public = np.zeros(len(ids), dtype=np.bool_)
    public[by_class[place_in_class < np.repeat(targets, counts)]] = True
    return public


def by_digest(digests: bytes) -> NDArray[np.intp]:
    """Give the rows in the order of their 32-byte digests: intp (N,).

    >>> by_digest(bytes(31) + b"b" + bytes(31) + b"a" + bytes(32)).tolist()
    [2, 1, 0]
    """
    words = np.frombuffer(digests, dtype=">u8").reshape(-1, 4).astype(np.uint64)
    order = np.argsort(words[:, 0], kind="stable")
    first = words[order, 0]
    if (first[1:] == first[:-1]).any():  # once in 2**64 pairs
        return np.lexsort(words.T[::-1])
    return order


def _shares(counts: dict[int, int], split: Split) -> dict[int, int]:
    exact = {label: count * split.public_fraction for label, count in sorted(counts.items())}
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


def absent_classes(key: AnswerKey, *, allowed: bool = False) -> list[Message]:
    """Say which split lacks images of which class (unless that is allowed), or images at all."""
    problems = []
    for name, rows in (("public", key.public), ("private", ~key.public)):
        counts = np.bincount(key.labels[rows], minlength=key.num_classes)
        absent = [key.classes[index] for index in np.flatnonzero(counts == 0)]
        if not rows.any():
            problems.append(placed("answers.csv", said("answers.empty_split", name=name)))
        elif absent and not allowed:
            more = said("answers.more_classes", count=len(absent) - 5) if len(absent) > 5 else ""
            names = ", ".join(absent[:5])
            lacks = said("answers.absent_classes", name=name, names=names, more=more)
            problems.append(placed("answers.csv", lacks))
    return problems
