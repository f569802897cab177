"""Assignment folders, written anew for each test."""

from __future__ import annotations

import numpy as np

SETTINGS = """\
slug = "pets"
title = "Pets"
classes = ["cat", "dog", "bird"]

[submission]
kinds = ["csv", "code"]
"""


def write_assignment(folder, settings=SETTINGS, rows=60, answers=None):
    rng = np.random.default_rng(4)
    labels = np.arange(rows) % 3
    ids = rng.permutation(rows)
    if answers is None:
        answers = "id,label\n" + "".join(
            f"{row},{label}\n" for row, label in zip(ids, labels, strict=True)
        )
    (folder / "test").mkdir(parents=True)
    (folder / "sample").mkdir()
    (folder / "assignment.toml").write_text(settings)
    (folder / "README.md").write_text("# Pets\n")
    (folder / "answers.csv").write_text(answers)
    # Each test image shows its own id, each sample image its label.
    images = np.broadcast_to(ids[:, None, None], (rows, 4, 4)).astype(np.uint8)
    np.save(folder / "test" / "images.npy", images)
    np.save(folder / "sample" / "images.npy", images[:6] * 0 + labels[:6, None, None].astype("u1"))
    (folder / "sample" / "labels.csv").write_text("label\ncat\n1\nbird\n0\ndog\n2\n")
    return folder
