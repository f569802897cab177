"""Labels as people write them, as classes and their indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grader.errors import AssignmentError
from grader.pictures.names import check_classes, in_order
from grader.words.letters import one_form
from grader.words.message import said

_MANY: Final = 100
_FEW_EACH: Final = 4


def classes_of(values: Sequence[str], source: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Give the classes, and the index of each label: int64 (N,).

    Numbers that do not count from 0 become names, since a class named 7 would be class 7.

    >>> classes_of(["2.0", "1.0", "2.0"], "y")
    (('class 1', 'class 2'), array([1, 0, 1]))

    Raises:
        AssignmentError: a label is empty or unfit, or there are nearly as many as pictures.
    """
    plain = [_plain(value) for value in values]
    names = set(plain)
    if len(names) > _MANY and _FEW_EACH * len(names) > len(plain):
        raise AssignmentError(
            [said("pictures.too_many_labels", source=source, count=len(names), all=len(plain))]
        )
    classes = in_order(names)
    shown = classes
    if all(name.isascii() and name.isdigit() for name in names):
        counts = [str(at) for at in range(len(classes))]
        shown = classes if list(classes) == counts else tuple(f"class {name}" for name in classes)
    check_classes(shown)
    place = {name: at for at, name in enumerate(classes)}
    return shown, np.array([place[name] for name in plain], dtype=np.int64)


def _plain(value: str) -> str:
    """A label without spaces around it, and a whole number without its `.0`."""
    value = one_form(value.strip())
    whole, dot, rest = value.partition(".")
    return whole if dot and whole.isdigit() and not rest.strip("0") else value


def from_one_hot(rows: NDArray[np.generic]) -> NDArray[np.int64] | None:
    """Give the index of the 1 in each row, int64 (N,); None where a row has not just one.

    >>> from_one_hot(np.array([[0, 1], [1, 0]]))
    array([1, 0])
    """
    values = rows.astype(np.float64)
    if not np.isin(values, (0, 1)).all() or not (values.sum(axis=1) == 1).all():
        return None
    return np.asarray(values.argmax(axis=1), dtype=np.int64)
