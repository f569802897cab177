"""A tiny assignment of our own, evaluated as a worker would: shows that the whole way works here.

Published into a folder that goes away again, unpacked by the catalog, handed in as a CSV and as a
code bundle. Nothing of it reaches the database, the store of files or a board.
"""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

import grader
from leaderboard.assignments import editions
from leaderboard.blobs import FolderStore
from leaderboard.rules.catalog import Catalog

_IMAGES: Final = 8
_SETTINGS: Final = """\
slug = "trial"
title = "Trial"
classes = ["dark", "bright"]
[limits]
wall_seconds = 60
memory_mb = 2048
"""
_MODEL: Final = """\
import torch


def build_model():
    return torch.nn.Identity()


def predict(model, batch):
    return (batch.mean(dim=(1, 2, 3)) > 0.5).long()
"""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an evaluation ended: in words, and whether with a right score."""

    ok: bool
    sentence: str


@contextmanager
def published() -> Iterator[Trial]:
    """The assignment, published into a folder of its own for as long as this lasts."""
    with tempfile.TemporaryDirectory(prefix="gradewright-trial-") as name:
        yield Trial(Path(name))


class Trial:
    """The assignment in `home`, and files to hand in, all of whose answers are right."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._blobs = FolderStore(home / "blobs")
        self._catalog = Catalog(self._blobs, home / "cache")

    def of_csv(self) -> Ending:
        """Evaluate a CSV of predictions."""
        path = self._home / "predictions.csv"
        path.write_text(_answers(), encoding="utf-8")
        return self._evaluated(grader.Submission(path, "csv"), None)

    def of_code(self, runner: grader.Runner) -> Ending:
        """Evaluate a code bundle in this sandbox: its sample run and its hidden run."""
        bundle = self._home / "bundle"
        bundle.mkdir(exist_ok=True)
        (bundle / "model.py").write_text(_MODEL, encoding="utf-8")
        return self._evaluated(grader.Submission(bundle, "code"), runner)

    def _evaluated(self, submission: grader.Submission, runner: grader.Runner | None) -> Ending:
        began = time.monotonic()
        try:
            assignment = self._catalog.load_version(self._publish())
            made = grader.evaluate(submission, assignment, runner)
        except Exception as error:  # noqa: BLE001 - whatever it is, a worker would end with IE
            place = traceback.extract_tb(error.__traceback__)[-1]
            why = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
            return Ending(ok=False, sentence=why)
        if made.verdict is not grader.Verdict.OK or made.scores is None:
            reasons = [made.detail, *(problem.message for problem in made.problems)]
            said = "; ".join(reason for reason in reasons if reason)
            return Ending(ok=False, sentence=f"ended as {made.verdict.value}: {said}")
        accuracy = min(made.scores.public.accuracy, made.scores.private.accuracy)
        sentence = f"scored {accuracy:.2f} in {time.monotonic() - began:.1f} s"
        return Ending(ok=accuracy == 1.0, sentence=sentence)

    def _publish(self) -> str:
        self._blobs.prepare()
        source = self._home / "source"
        if not source.exists():
            _write_assignment(source)
        return editions.keep_folder(self._blobs, source).sha256


def _write_assignment(folder: Path) -> None:
    """Images of 8×8 pixels, dark and bright by turns."""
    for name in ("test", "sample"):
        (folder / name).mkdir(parents=True)
        brightness = (np.arange(_IMAGES) % 2 * 200 + 20).astype(np.uint8)
        images = np.repeat(brightness, 64).reshape(_IMAGES, 8, 8)
        np.save(folder / name / "images.npy", images)
    (folder / "assignment.toml").write_text(_SETTINGS, encoding="utf-8")
    (folder / "README.md").write_text("# Trial\n", encoding="utf-8")
    (folder / "answers.csv").write_text(_answers(), encoding="utf-8")
    labels = "".join(f"{index % 2}\n" for index in range(_IMAGES))
    (folder / "sample" / "labels.csv").write_text(f"label\n{labels}", encoding="utf-8")


def _answers() -> str:
    return "id,label\n" + "".join(f"{index},{index % 2}\n" for index in range(_IMAGES))
