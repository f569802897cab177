"""What an ensemble leaves: one bundle of all its members, and the same answers as a CSV."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

import grader
from reference import data, models
from reference.errors import PackError
from reference.submitting import combining, mirroring
from reference.submitting.bundling import (
    MODEL,
    arguments_of,
    check_replaceable,
    made,
    plain_name,
    test_images,
)
from reference.submitting.combining import combine
from reference.submitting.ensembles import Chosen, Rival, choose, logits_of, weights_of
from reference.training.runs import CHECKPOINT, RunRecord
from reference.training.transforms import preprocessing

MODEL_FILE = '''\
"""{count} models as one, put together by {rule}.

Needs PyTorch and the files beside this one.
"""

from functools import partial

from torch import Tensor, nn

from combining import Ensemble
from preprocessing import prepare
{imports}


def build_model() -> nn.Module:
    """The members, without their weights: those are in {checkpoint}."""
    members = [
{members}
    ]
    prepares = [
{prepares}
    ]
    return Ensemble(members, prepares, rule="{rule}")


def preprocess(images: Tensor) -> Tensor:
    """uint8 N×C×H×W, as they are: each member prepares them as its own training did."""
    return images
'''


def make(
    name: str,
    runs: Sequence[Path],
    csvs: Sequence[Path],
    *,
    rule: str,
    everyone: bool,
    pack: Path | None,
    out: Path,
) -> str:
    """Write `out/NAME/`, its zip and, with a pack, `out/NAME.csv`; what was reached, in words.

    Raises:
        RunError: see `ensembles.choose`.
        PackError: the CSVs have no scores that the rule needs, or the pack no images.
        BundleError: see `bundling.bundle`.
    """
    folder, table = out / plain_name(name), out / f"{name}.csv"
    out.mkdir(parents=True, exist_ok=True)
    if csvs:
        assert pack is not None  # the command sees to it
        combine_tables(csvs, pack, rule, table)
        return str(table)
    check_replaceable(folder)
    images = data.load(RunRecord.read(runs[0]).data["name"])
    chosen = choose(runs, images, rule, all_of_them=everyone)
    members = [each.run for each in chosen.members]
    if folder.exists():
        shutil.rmtree(folder)
    write_bundle(members, rule, folder)
    archive = out / f"{name}.zip"
    archive.unlink(missing_ok=True)
    grader.pack_bundle(folder, archive)
    if pack is not None:
        write_table(members, rule, pack, table)
    return f"{told(chosen, len(runs))}\n{archive}"


def told(chosen: Chosen, tried: int) -> str:
    """What was chosen and what it is worth, in sentences."""
    names = ", ".join(str(each.run) for each in chosen.members)
    lines = [
        f"{len(chosen.members)} of {tried} members by {chosen.rule}: {names}",
        f"validation {chosen.validation_accuracy:.4f}, test {chosen.test_accuracy:.4f}",
        f"best member on test: {_against(chosen.best_member)}",
    ]
    if chosen.best_tried.run != chosen.best_member.run:
        lines.append(f"best run on test that was not taken: {_against(chosen.best_tried)}")
    return "\n".join(lines)


def _against(rival: Rival) -> str:
    test = rival.test
    return (
        f"{rival.run} {rival.accuracy:.4f}; {test.only_first} images that the ensemble alone has "
        f"right, {test.only_second} that this one has, McNemar p = {test.p_value:.2g}"
    )


def write_bundle(members: Sequence[Path], rule: str, folder: Path) -> None:
    """Write the bundle of these runs into a new folder."""
    records = [RunRecord.read(run) for run in members]
    folder.mkdir(parents=True)
    (folder / MODEL).write_text(model_source(records, rule), encoding="utf-8")
    sources = {models.find(record.model).source_file for record in records}
    for source in (*sources, Path(preprocessing.__file__), Path(combining.__file__)):
        shutil.copyfile(source, folder / source.name)
    if any(record.mirror for record in records):
        shutil.copyfile(Path(mirroring.__file__), folder / "mirroring.py")
    save_file(weights_of(members), folder / CHECKPOINT)


def model_source(records: Sequence[RunRecord], rule: str) -> str:
    """The text of the bundle's `model.py`."""
    entries = [models.find(record.model) for record in records]
    pairs = zip(entries, records, strict=True)
    members = (
        f"        {made(entry.builder, record)}({', '.join(arguments_of(record))}),"
        for entry, record in pairs
    )
    prepares = (
        f"        partial(prepare, size={r.size}, mean={r.mean}, std={r.std}, enlarge={r.enlarge}),"
        for r in records
    )
    imports = {f"from {entry.family} import {entry.builder}" for entry in entries}
    if any(record.mirror for record in records):
        imports.add("from mirroring import mirrored")
    return MODEL_FILE.format(
        count=len(records),
        rule=rule,
        imports="\n".join(sorted(imports)),
        checkpoint=CHECKPOINT,
        members="\n".join(members),
        prepares="\n".join(prepares),
    )


def write_table(members: Sequence[Path], rule: str, pack_folder: Path, path: Path) -> None:
    """Write the scores of every test image of the public pack.

    Raises:
        PackError: it is of other classes, or has no test images.
    """
    pack = grader.Pack.load(pack_folder)
    records = [RunRecord.read(run) for run in members]
    if pack.classes != records[0].classes:
        raise PackError(f"{pack_folder} is of {pack.slug!r}, with other classes than the model's")
    images = test_images(pack_folder, len(pack.expected().ids))
    pixels = images[:, None] if images.ndim == 3 else np.moveaxis(images, -1, 1)
    pixels = np.array(pixels, order="C")
    scores = combine(
        [logits_of(run, r, pixels) for run, r in zip(members, records, strict=True)], rule
    )
    _write(path, pack, scores)


def combine_tables(tables: Sequence[Path], pack_folder: Path, rule: str, path: Path) -> None:
    """Put prediction CSVs together, each with a score a class; for votes labels are enough.

    Raises:
        PackError: a CSV has no scores and the rule needs them.
        InvalidPredictions: a CSV can't be read.
    """
    pack = grader.Pack.load(pack_folder)
    expected = pack.expected()
    logits = []
    for each in tables:
        read = grader.parse_predictions(each.read_bytes(), expected)
        if read.scores is None and rule != "votes":
            raise PackError(f"{each} holds labels and no scores: only --rule votes can take it")
        logits.append(as_logits(read, len(pack.classes)))
    _write(path, pack, combine(logits, rule))


def as_logits(read: grader.Predictions, classes: int) -> Tensor:
    """Logits N×K of a CSV: the logarithm of probabilities, other scores as they are.

    A label alone is a 1 among zeros.
    """
    if read.scores is None:
        return torch.nn.functional.one_hot(torch.from_numpy(read.labels), classes).float()
    scores: NDArray[np.float64] = read.scores
    if scores.min() >= 0 and np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        scores = np.log(np.maximum(scores, np.finfo(np.float32).tiny))
    return torch.from_numpy(scores)


def _write(path: Path, pack: grader.Pack, scores: Tensor) -> None:
    expected = pack.expected()
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([expected.id_column, *pack.classes])
        for name, row in zip(expected.ids, scores.tolist(), strict=True):
            writer.writerow([name, *(repr(value) for value in row)])
