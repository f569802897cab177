"""Predictions as a notebook has them (a frame of pandas or polars, an array, a tensor) as a CSV.

They are written as they are: what is wrong with them is said, and nothing is put right.
"""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.errors import InvalidPredictions, Problem
from grader.prediction_csv.expected import ExpectedRows
from grader.words.message import Message, said


def is_frame(predictions: object) -> bool:
    """Whether it is a table with columns of its own, of pandas or polars."""
    return hasattr(predictions, "to_csv") or hasattr(predictions, "write_csv")


def csv_of_frame(frame: Any) -> bytes:
    """Write a frame; an index of pandas is none of its columns."""
    text = frame.write_csv() if hasattr(frame, "write_csv") else frame.to_csv(index=False)
    return str(text).encode()


def csv_of_array(values: object, expected: ExpectedRows) -> bytes:
    """Write labels (N,) or scores (N, K), row i for the i-th id of the pack's ids.csv.

    Raises:
        InvalidPredictions: it has another shape.
    """
    array = _array(values)
    num_rows, num_classes = len(expected.ids), len(expected.classes)
    if array.ndim == 2 and array.shape[1] == num_classes:
        header = [expected.id_column, *expected.classes]
    elif array.ndim == 1:
        header = [expected.id_column, expected.label_column]
    else:
        shape = "×".join(map(str, array.shape))
        raise _wrong(said("notebook.shape", shape=shape, rows=num_rows, classes=num_classes))
    if len(array) != num_rows:
        raise _wrong(said("notebook.rows", rows=len(array), expected=num_rows))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    rows = array.reshape(num_rows, -1).tolist()
    writer.writerows([name, *row] for name, row in zip(expected.ids, rows, strict=True))
    return text.getvalue().encode()


def _array(values: Any) -> NDArray[Any]:
    """An array of what may be a tensor on another device."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    return np.asarray(values)


def _wrong(message: Message) -> InvalidPredictions:
    return InvalidPredictions([Problem(kind="shape", message=message)])
