"""What a score is measured by: whether two scores of an assignment may be compared.

The order of the rows plays no part: a file that somebody sorted measures the same.
"""

from __future__ import annotations

import hashlib

import numpy as np

import grader


def measure_of(assignment: grader.Assignment) -> str:
    """The SHA-256 of answers, splits, classes and metric."""
    key = assignment.answer_key()
    digest = hashlib.sha256()
    digest.update("\n".join((assignment.scoring.metric, *key.classes)).encode() + b"\0")
    order = np.argsort(np.array(key.ids, dtype=object), kind="stable")
    digest.update("\n".join(sorted(key.ids)).encode() + b"\0")
    digest.update(key.labels[order].astype("<i8").tobytes() + key.public[order].tobytes())
    return digest.hexdigest()


def images_of(assignment: grader.Assignment) -> str | None:
    """The SHA-256 of the hidden images, each by its id; None where there are none."""
    if not (assignment.folder / "test").is_dir():
        return None
    images, ids = assignment.test_images(), assignment.answer_key().ids
    rows = assignment.rows_in_answers_order()
    digest = hashlib.sha256(repr(images.shape[1:]).encode())
    for place in sorted(range(len(ids)), key=ids.__getitem__):
        digest.update(ids[place].encode() + b"\0")
        digest.update(np.ascontiguousarray(images[rows[place]]).tobytes())
    return digest.hexdigest()
