"""Drawn images in the on-disk forms of sets that can't be had, so that their readers can be tried.

A class is the direction and the colour of a striped pattern; phase, width and noise differ from
picture to picture. They are never called by a real set's name.
"""

from __future__ import annotations

import csv
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NOTICE = "Generated images: striped patterns in the on-disk form of {form}, not that set."
SEED = 7


def draw(labels: NDArray[np.int64], classes: int, size: int, *, seed: int) -> NDArray[np.uint8]:
    """One colour picture a label: uint8 N×3×size×size."""
    generator = np.random.default_rng(seed)
    count = len(labels)
    angle = np.pi * labels / classes + generator.normal(0, 0.2 / classes, count)
    waves = generator.uniform(3, 5, count)
    phase = generator.uniform(0, 2 * np.pi, count)
    row, column = np.meshgrid(*(np.linspace(0, 2 * np.pi, size, dtype=np.float32),) * 2)
    across = np.cos(angle)[:, None, None] * row + np.sin(angle)[:, None, None] * column
    stripes = np.sin(waves[:, None, None] * across + phase[:, None, None])
    hue = 2 * np.pi * (labels / classes)[:, None] + np.array([0, 2, 4]) * np.pi / 3
    colour = 128 + 64 * np.cos(hue)
    pixels: NDArray[np.float64] = colour[:, :, None, None] + 50 * stripes[:, None]
    pixels += generator.normal(0, 20, pixels.shape)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def write_cifar_100_form(folder: Path, *, per_class: int = 10) -> None:
    """`train`, `test` and `meta` as CIFAR-100 has them: 100 fine classes in 20 coarse ones."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count, seed in (("train", per_class, SEED), ("test", per_class // 5, SEED + 1)):
        fine = np.random.default_rng(seed).permutation(np.repeat(np.arange(100), count))
        batch = {
            "data": draw(fine, 100, 32, seed=seed).reshape(len(fine), -1),
            "fine_labels": fine.tolist(),
            "coarse_labels": (fine // 5).tolist(),
        }
        _pickle(folder / name, batch)
    names = {
        "fine_label_names": [f"pattern {k}" for k in range(100)],
        "coarse_label_names": [f"patterns {5 * k} to {5 * k + 4}" for k in range(20)],
    }
    _pickle(folder / "meta", names)


def write_cifar_10_form(folder: Path, *, per_class: int = 100) -> None:
    """Five training batches, a test batch and `batches.meta` as CIFAR-10 has them."""
    folder.mkdir(parents=True, exist_ok=True)
    batches = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    for seed, name in enumerate(batches, SEED):
        labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(10), per_class // 5))
        pixels = draw(labels, 10, 32, seed=seed).reshape(len(labels), -1)
        _pickle(folder / name, {"data": pixels, "labels": labels.tolist()})
    _pickle(folder / "batches.meta", {"label_names": [f"pattern {k}" for k in range(10)]})


def write_class_folders(
    folder: Path, *, classes: int, size: int, per_class: int = 60, first: int | None = None
) -> None:
    """One folder of JPEGs a class; the first class holds `first` of them, where that is given."""
    from PIL import Image

    for label in range(classes):
        count = per_class if first is None or label else first
        pixels = draw(np.full(count, label), classes, size, seed=SEED + label)
        home = folder / f"pattern {label:02}"
        home.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pixels):
            image = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)))
            image.save(home / f"{number:04}.jpg", quality=90)


def write_competition_form(folder: Path, *, per_class: int = 120) -> None:
    """`train.npy`, `train.csv`, `test.npy`: 28×28, grey, 10 classes; the answers are not given."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count, seed in (("train", per_class, SEED), ("test", per_class // 6, SEED + 1)):
        labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(10), count))
        grey = draw(labels, 10, 28, seed=seed).mean(axis=1)
        np.save(folder / f"{name}.npy", np.rint(grey).astype(np.uint8), allow_pickle=False)
        if name == "train":
            with (folder / "train.csv").open("w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream, lineterminator="\n")
                writer.writerow(["id", "label"])
                writer.writerows(enumerate(labels.tolist()))


def once(folder: Path, write: Callable[[Path], None]) -> Path:
    """`folder`, written by `write` if it is not there yet; it appears only whole.

    Of two processes that write it at once, one is a little late: what it wrote is the same.
    """
    if not folder.is_dir():
        part = folder.with_name(f"part-{os.getpid()}-{folder.name}")
        write(part)
        try:
            part.rename(folder)
        except OSError:
            shutil.rmtree(part)
            if not folder.is_dir():
                raise
    return folder


def _pickle(path: Path, content: object) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))
