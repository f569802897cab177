"""Makes assignment folders from real image sets, so that a course can start today.

Needs NumPy only (and scikit-learn for the digits).
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference.data import ImageSet

SAMPLES_PER_CLASS = 3
WALL_SECONDS = 120
LOOK_UP_WARNING = (
    "{title} is public: whoever downloads it can look the hidden labels up by comparing pixels. "
    "Use it for practice or where code is handed in and read; grade on images of your own."
)

SETTINGS = """\
slug = {slug}
title = {title}
classes = {classes}

[data]
test_images = "public"

[split]
public_fraction = 0.3
seed = {seed}

[submission]
kinds = ["csv", "code"]
daily_limit = 5
final_picks = 2

[rules]
pretrained = "allowed"
external_data = "forbidden"

[scoring]
metric = "accuracy"
feedback = "confusion"

[limits]
wall_seconds = {wall}
memory_mb = 2048
"""

README = """\
# {title}

Classify {height}×{width} {colours} pictures into {count} classes:

| label | class |
|---|---|
{table}

You get {train} labelled pictures to train on and {test} without labels to predict. Your score is
the **accuracy**: the share of test pictures whose class you predict. The leaderboard shows it on
30% of them; your grade comes from the other 70%, which are scored at the same time and shown after
the deadline. Choose between your models on pictures that you keep aside from the training set, not
on the leaderboard.

## What is in the pack

- `train/images.npy`: {train}×{shape} bytes (uint8), and `train/labels.csv`, one row each
- `test/images.npy`: {test}×{shape} bytes; row *i* belongs to row *i* of `ids.csv`
- `sample/`: {sample} labelled pictures on which `grader check` tries your code
- `sample_submission.csv`: a valid submission that calls everything "{first}"

```python
import numpy as np

images = np.load("train/images.npy")                                  # uint8 {train_shape}
labels = np.loadtxt("train/labels.csv", delimiter=",", skiprows=1, usecols=1, dtype=int)
```

## What to hand in

Either **predictions**, a CSV with one row a test picture,

```
id,label
0,9
1,2
```

or **code**, a folder or zip with `model.py` (it defines `build_model()`) and
`checkpoint.safetensors`, which runs here on the test pictures within {wall} s on one CPU core.
`grader init` gives you a working start for both, and `grader check` tells you beforehand what would
be refused.

{about}
"""

ABOUT = {
    "fashion-mnist": """\
The pictures are Fashion-MNIST's (Xiao, Rasul and Vollgraf, *Fashion-MNIST: a novel image dataset
for benchmarking machine learning algorithms*, 2017, arXiv:1708.07747; MIT licence), in another
order.""",
    "digits": """\
The pictures are the test part of *Optical Recognition of Handwritten Digits* (Alpaydin and Kaynak,
UCI Machine Learning Repository, 1998; CC BY 4.0), in another order.""",
}


@dataclass(frozen=True, kw_only=True)
class Written:
    """An assignment folder that was written, and what staff should know of it."""

    folder: Path
    slug: str
    origin: str
    warning: str


def write_assignment(images: ImageSet, folder: Path, *, seed: int, force: bool = False) -> Written:
    """Write the assignment of an image set: its test set hidden, its training set public.

    `seed` orders the test images and splits them; keep it from students. With `force` an assignment
    folder in the way is replaced.

    Raises:
        FileExistsError: `folder` holds something, and not `force` or it is no assignment.
    """
    _make_room(folder, force=force)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(images.test_labels))
    sample = _sample_rows(images.train_labels, generator)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "assignment.toml").write_text(settings(images, seed), encoding="utf-8")
    (folder / "README.md").write_text(readme(images, len(sample)), encoding="utf-8")
    _write_labels(folder / "answers.csv", images.test_labels[order])
    _write_images(folder / "test", images.test_images[order])
    for name, rows in (("sample", sample), ("train", np.arange(len(images.train_labels)))):
        _write_images(folder / name, images.train_images[rows])
        _write_labels(folder / name / "labels.csv", images.train_labels[rows])
    return Written(
        folder=folder,
        slug=images.name,
        origin=images.origin,
        warning=LOOK_UP_WARNING.format(title=images.title),
    )


def settings(images: ImageSet, seed: int) -> str:
    """The text of `assignment.toml`."""
    # JSON's strings and lists are TOML's too
    return SETTINGS.format(
        slug=json.dumps(images.name),
        title=json.dumps(images.title),
        classes=json.dumps(images.classes, ensure_ascii=False),
        seed=seed,
        wall=WALL_SECONDS,
    )


def readme(images: ImageSet, samples: int) -> str:
    """What students read."""
    count, channels, height, width = images.train_images.shape
    shape = (height, width) if channels == 1 else (height, width, channels)
    return README.format(
        title=images.title,
        height=height,
        width=width,
        colours="grey" if channels == 1 else "colour",
        count=len(images.classes),
        table="\n".join(f"| {index} | {name} |" for index, name in enumerate(images.classes)),
        train=f"{count:,}",
        test=f"{len(images.test_labels):,}",
        shape="×".join(str(side) for side in shape),
        train_shape=(count, *shape),
        sample=samples,
        first=images.classes[0],
        wall=WALL_SECONDS,
        about=ABOUT[images.name],
    )


def _make_room(folder: Path, *, force: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not force:
        raise FileExistsError(f"{folder} is there already; --force replaces it")
    if not (folder / "assignment.toml").is_file():
        raise FileExistsError(f"{folder} is no assignment folder, and is not replaced")
    shutil.rmtree(folder)


def _sample_rows(labels: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """A few training rows of each class, in random order."""
    chosen = [
        generator.choice(np.flatnonzero(labels == label), SAMPLES_PER_CLASS, replace=False)
        for label in np.unique(labels)
    ]
    return generator.permutation(np.concatenate(chosen))


def _write_images(folder: Path, images: NDArray[np.uint8]) -> None:
    """Write N×C×H×W as the N×H×W or N×H×W×C that assignments hold."""
    folder.mkdir()
    layout = images[:, 0] if images.shape[1] == 1 else np.moveaxis(images, 1, -1)
    np.save(folder / "images.npy", np.ascontiguousarray(layout), allow_pickle=False)


def _write_labels(path: Path, labels: Iterable[np.int64]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["id", "label"])
        writer.writerows((index, int(label)) for index, label in enumerate(labels))
