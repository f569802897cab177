"""Says what an answers.csv that can't be read looks like, and what to do; repeats no label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from grader.assignments.answer_rows import SPLIT_COLUMNS
from grader.words.message import Message, said

_SEPARATORS: Final = (";", "\t", "|")
_DECIMAL: Final = re.compile(r"[0-9]+\.0*", re.ASCII)
_ELSEWHERE: Final = ("solution.csv", "answer.csv", "labels.csv", "test.csv", "y_test.csv")


def missing_file_hint(path: Path) -> Message | Literal[""]:
    """Name the file that may be meant by one that is missing.

    >>> missing_file_hint(Path("nowhere/answers.csv"))
    ''
    """
    if path.name != "answers.csv":
        return ""
    meant = next((name for name in _ELSEWHERE if (path.parent / name).is_file()), None)
    return said("answers.hint_file", name=meant) if meant else ""


def header_hint(
    header: Sequence[str], classes: Sequence[str], id_column: str, label_column: str
) -> Message | Literal[""]:
    """Say what to do about a case-folded header that lacks the id or the label.

    >>> header_hint(["id;label"], ["cat"], "id", "label")
    " (columns are separated by ';', not by commas: save as CSV UTF-8, comma delimited)"
    >>> header_hint(["id", "category"], ["cat", "dog"], "id", "label")
    " (rename 'category' to 'label', or set [submission] label_column to its name)"
    """
    if len(header) == 1:
        found = next((mark for mark in _SEPARATORS if mark in header[0]), None)
        return said("answers.hint_separator", mark=repr(found)) if found else ""
    if {name.casefold() for name in classes} <= set(header):
        return said("answers.hint_one_hot", name=repr(label_column))
    wanted = {id_column.casefold(), "id", label_column.casefold(), "label", *SPLIT_COLUMNS}
    others = [name for name in header if name not in wanted]
    if len(others) != 1:
        return ""
    role = "label" if {id_column.casefold(), "id"} & set(header) else "id"
    name = label_column if role == "label" else id_column
    return said("answers.hint_rename", given=repr(others[0]), name=repr(name), key=f"{role}_column")


def labels_hint(labels: Sequence[str], num_classes: int) -> Message | Literal[""]:
    """Say what kind of labels these are, some of which are no class.

    >>> labels_hint(["1.0", "0.0"], 2)
    ' (labels are written as decimals: write 3, not 3.0)'
    >>> labels_hint(["1", "2", "3"], 3)
    ' (labels seem to start at 1: classes are numbered from 0)'
    >>> labels_hint(["0", "2"], 2)
    ''
    """
    if all(_DECIMAL.fullmatch(label) for label in labels):
        return said("answers.hint_decimals")
    if all(label.isascii() and label.isdigit() and len(label) < 10 for label in labels):
        numbers = [int(label) for label in labels]
        if min(numbers) == 1 and max(numbers) == num_classes:
            return said("answers.hint_one_based")
    return ""
