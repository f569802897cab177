"""What the story's people write: assignment folders, predictions, bundles, a report."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("cat", "dog", "fox", "owl")
IMAGES = 120
_ANIMALS = """
slug = "animals"
title = "Tiny animals"
classes = ["cat", "dog", "fox", "owl"]
[data]
test_images = "public"
[split]
public_fraction = 0.4
seed = 20260101
[submission]
kinds = ["csv", "code"]
daily_limit = 12
final_picks = 2
[rules]
pretrained = "own track"
external_data = "forbidden"
[schedule]
opens = 2020-09-01T00:00:00+08:00
due = 2099-12-14T23:59:59+08:00
[scoring]
metric = "macro_f1"
feedback = "confusion"
efficiency = ["parameters", "checkpoint_mb"]
[limits]
wall_seconds = 60
memory_mb = 2048
[grading]
anchors = { lenet5 = 60, resnet18 = 90 }
"""
_ODDS = """
slug = "odds"
title = "Odds of the animals"
classes = ["cat", "dog", "fox", "owl"]
[submission]
kinds = ["csv"]
daily_limit = 0
[schedule]
due = DUE
closes = CLOSES
late_penalty_per_day = 2.5
[scoring]
metric = "log_loss"
public_board = "rounded"
feedback = "aggregate"
"""
_LADDER = """
slug = "ladder"
title = "Up the ladder"
classes = ["cat", "dog", "fox", "owl"]
[submission]
kinds = ["csv"]
daily_limit = 2
[scoring]
metric = "accuracy"
public_board = "ladder"
feedback = "aggregate"
"""
_FUTURE = """
slug = "future"
title = "Not yet"
classes = ["cat", "dog", "fox", "owl"]
[schedule]
opens = 2098-09-01T00:00:00+08:00
due = 2099-09-01T00:00:00+08:00
"""
_WRONG = """
slug = "Wrong Slug"
title = "Wrong"
classes = ["cat", "dog"]
[submision]
daily_limit = "five"
[scoring]
metric = "acuracy"
"""
_README = """\
# Tiny animals

Tell them apart by their *brightness*. See [the course](https://example.org/course).

| class | mean |
|-------|------|
| cat   | dark |
| owl   | bright |
"""
REPORT = """\
accuracy 0.7512, macro F1 0.700

              precision    recall  f1-score   support

         cat     0.8000    0.8000    0.8000        10
         dog     0.7000    0.7000    0.7000        10
         fox     0.6000    0.6000    0.6000        10
         owl     0.9000    0.9000    0.9000        10

    accuracy                         0.7500        40
   macro avg     0.7500    0.7500    0.7500        40
"""
_MODEL = """
import torch
from torch import nn


class Brightness(nn.Module):
    def __init__(self):
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(4))

    def forward(self, images):
        brightness = images.mean(dim=(1, 2, 3))
        return -((brightness[:, None] - self.centres) ** 2)


def build_model():
    print("the centres are learnt")
    return Brightness()
"""


def write_assignments(folder: Path) -> None:
    """The assignment folders, each with 120 images 8×8 whose mean brightness tells the class."""
    now = datetime.now(UTC).replace(microsecond=0)
    odds = _ODDS.replace("DUE", (now - timedelta(hours=30)).isoformat())
    odds = odds.replace("CLOSES", (now + timedelta(days=10, hours=1)).isoformat())
    texts = {"animals": _ANIMALS, "odds": odds, "ladder": _LADDER, "future": _FUTURE}
    for name, settings in (texts | {"wrong": _WRONG}).items():
        _write_assignment(folder / name, settings)


def _write_assignment(folder: Path, settings: str) -> None:
    rng = np.random.default_rng(7)
    labels = labels_of()
    for name in ("test", "sample", "train"):
        (folder / name).mkdir(parents=True)
    (folder / "assignment.toml").write_text(settings)
    (folder / "README.md").write_text(_README)
    rows = [f"img{index:03d},{label}" for index, label in enumerate(labels)]
    (folder / "answers.csv").write_text("id,label\n" + "\n".join(rows) + "\n")
    np.save(folder / "test" / "images.npy", _images(labels, rng))
    for name, few in (("sample", np.arange(4)), ("train", np.arange(16) % 4)):
        np.save(folder / name / "images.npy", _images(few, rng))
        column = "\n".join(map(str, few))
        (folder / name / "labels.csv").write_text(f"label\n{column}\n")


def labels_of() -> np.ndarray:
    """The right answers, int64 (120,)."""
    labels = np.arange(IMAGES) % len(CLASSES)
    np.random.default_rng(3).shuffle(labels)
    return labels


def _images(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.integers(0, 20, (len(labels), 8, 8))
    return (labels[:, None, None] * 60 + noise).astype(np.uint8)


def predictions(wrong: int, seed: int = 0) -> bytes:
    """A valid CSV of labels with `wrong` wrong rows, drawn by `seed`."""
    labels = labels_of().copy()
    spoiled = np.random.default_rng(seed).permutation(IMAGES)[:wrong]
    labels[spoiled] = (labels[spoiled] + 1) % len(CLASSES)
    rows = [f"img{index:03d},{label}" for index, label in enumerate(labels)]
    return ("id,label\n" + "\n".join(rows) + "\n").encode()


def odds(wrong: int, sure: float = 0.7) -> bytes:
    """A valid CSV of probabilities: `sure` for the label, the rest shared by the others."""
    header = f"id,{','.join(CLASSES)}"
    lines = predictions(wrong).decode().splitlines()[1:]
    rows = []
    for name, label in (line.split(",") for line in lines):
        values = [f"{(1 - sure) / 3:.6f}"] * 4
        values[int(label)] = f"{1 - 3 * float(values[0]):.6f}"
        rows.append(f"{name},{','.join(values)}")
    return "\n".join([header, *rows, ""]).encode()


def broken(content: bytes) -> bytes:
    """A CSV as students write it: an id twice, one missing, a float, an unknown class, a gap."""
    lines = content.decode().splitlines()
    lines[5] = lines[9]
    lines[20] += ".0"
    lines[30] = lines[30].rpartition(",")[0] + ",17"
    lines[40] = lines[40].rpartition(",")[0] + ","
    return ("\n".join(lines) + "\n").encode()


def bundle(*, prefix: str = "", with_checkpoint: bool = True) -> bytes:
    """A code bundle that answers every image rightly; `prefix` is put before its model.py."""
    centres = ((np.arange(4) * 60 + 9.5) / 255).astype(np.float32).tobytes()
    entry = {"centres": {"dtype": "F32", "shape": [4], "data_offsets": [0, len(centres)]}}
    header = json.dumps(entry).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        members = {"model.py": (prefix + _MODEL).encode(), "claims.toml": b"accuracy = 0.99\n"}
        if with_checkpoint:
            members["checkpoint.safetensors"] = struct.pack("<Q", len(header)) + header + centres
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def write_photos(folder: Path) -> None:
    """A folder of class folders with small pictures of two sizes, one of them twice."""
    rng = np.random.default_rng(5)
    for label, name in enumerate(CLASSES[:2]):
        (folder / name).mkdir(parents=True)
        for number in range(6):
            side = 8 if number else 12
            pixels = rng.integers(label * 90, label * 90 + 80, (side, side, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
        Image.open(folder / name / "1.png").save(folder / name / "copy.png")
