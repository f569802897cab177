"""The assignment of the exhibition: scikit-learn's digits, and predictions of several qualities."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

README = """\
# Handwritten digits

Tell the ten digits apart on **8 × 8** grey images. You get 1,000 images with labels; the labels of
the other 797 stay with us.

## What to hand in

| kind | what |
|------|------|
| CSV  | one row a test image: its `id` and your `label` |
| code | `model.py` with `build_model()` and a checkpoint |

Start with a linear model, then try a small network with two convolutions. *Do not* tune on the
public board: the private part decides.
"""


TOML = """\
slug = "digits"
title = "Handwritten digits"
classes = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

[data]
test_images = "public"

[split]
public_fraction = 0.3
seed = 20260101

[submission]
kinds = ["csv", "code"]
daily_limit = 20

[schedule]
opens = 2026-01-01T00:00:00+08:00
due = {due}
time_zone = "Asia/Shanghai"

[scoring]
metric = "accuracy"
feedback = "confusion"
baseline_minutes = { ridge = 0.02, svm = 3 }
"""


@dataclass(frozen=True, kw_only=True)
class Digits:
    """The images, uint8 N×8×8, and labels, int64 (N,), in the order of a seeded shuffle."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    test_ids: tuple[str, ...]


def load_digits() -> Digits:
    """Return 1,000 images to train on and 797 to predict; ids tell nothing of the class."""
    from sklearn import datasets

    data = datasets.load_digits()
    rng = np.random.default_rng(20260101)
    order = rng.permutation(len(data.target))
    images = (data.images * (255 / 16)).round().astype(np.uint8)[order]
    labels = data.target.astype(np.int64)[order]
    ids = tuple(f"d{number:05d}" for number in rng.choice(90_000, size=797, replace=False) + 10_000)
    return Digits(
        train_images=images[:1000],
        train_labels=labels[:1000],
        test_images=images[1000:],
        test_labels=labels[1000:],
        test_ids=ids,
    )


def write_assignment(digits: Digits, folder: Path) -> None:
    """Write the assignment folder of the digits."""
    parts = {
        "sample": (digits.train_images[:40], digits.train_labels[:40]),
        "train": (digits.train_images, digits.train_labels),
    }
    for name, (images, labels) in parts.items():
        (folder / name).mkdir(parents=True)
        np.save(folder / name / "images.npy", images)
        lines = ["label", *map(str, labels.tolist())]
        (folder / name / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "test").mkdir()
    np.save(folder / "test" / "images.npy", digits.test_images)
    rows = zip(digits.test_ids, digits.test_labels.tolist(), strict=True)
    answers = "".join(f"{name},{label}\n" for name, label in rows)
    (folder / "answers.csv").write_text("id,label\n" + answers, encoding="utf-8")
    due = (datetime.now(UTC) + timedelta(days=24)).strftime("%Y-%m-%dT15:59:59+00:00")
    (folder / "assignment.toml").write_text(TOML.replace("{due}", due), encoding="utf-8")
    (folder / "README.md").write_text(README, encoding="utf-8")


def prediction_csv(digits: Digits, labels: NDArray[np.int64]) -> bytes:
    """Return predictions as a file to hand in."""
    rows = zip(digits.test_ids, labels.tolist(), strict=True)
    return ("id,label\n" + "".join(f"{name},{label}\n" for name, label in rows)).encode()


def score_csv(digits: Digits, scores: NDArray[np.float64]) -> bytes:
    """Return scores, float64 (797, 10), as a file to hand in: one column a class."""
    rows = zip(digits.test_ids, scores.round(4).tolist(), strict=True)
    lines = (
        "id," + ",".join(map(str, range(10))),
        *(f"{name},{','.join(map(str, row))}" for name, row in rows),
    )
    return ("\n".join(lines) + "\n").encode()


def spoil(content: bytes) -> bytes:
    """Return the file with an id doubled in the place of another, and a label written as 8.0."""
    lines = content.decode().splitlines()
    lines[5] = lines[9]
    lines[20] += ".0"
    return ("\n".join(lines) + "\n").encode()


def svm_scores(digits: Digits, train_on: int) -> NDArray[np.float64]:
    """Train a support vector machine on the first images and score the test images."""
    from sklearn.svm import SVC

    images = digits.train_images[:train_on].reshape(train_on, -1) / 16.0
    machine = SVC(gamma=0.001, C=10).fit(images, digits.train_labels[:train_on])
    unseen = digits.test_images.reshape(len(digits.test_images), -1) / 16.0
    return np.asarray(machine.decision_function(unseen), dtype=np.float64)


def predict(digits: Digits, model: str, train_on: int) -> NDArray[np.int64]:
    """Train a model on the first images and predict the test images: int64 (797,)."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    images = digits.train_images[:train_on].reshape(train_on, -1) / 16.0
    labels = digits.train_labels[:train_on]
    unseen = digits.test_images.reshape(len(digits.test_images), -1) / 16.0
    if model == "centroids":
        centres = np.stack([images[labels == digit].mean(axis=0) for digit in range(10)])
        return np.square(unseen[:, None] - centres).sum(axis=2).argmin(axis=1)
    models = {
        "ridge": RidgeClassifier(),
        "tree": DecisionTreeClassifier(random_state=0),
        "neighbours": KNeighborsClassifier(5),
        "svm": SVC(gamma=0.001, C=10),
    }
    return np.asarray(models[model].fit(images, labels).predict(unseen), dtype=np.int64)
