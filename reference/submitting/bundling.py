"""Turns a finished run into what a student hands in: a code bundle and a prediction CSV.

The bundle holds copies of the model's family file and of `preprocessing.py`, so that it needs
nothing of ours; the CSV comes from the training side's own evaluation. That both score the same is
then a check of the bundle and of the sandbox.
"""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import grader
from reference import models
from reference.errors import BundleError, PackError
from reference.submitting import mirroring
from reference.training import evaluation
from reference.training.runs import CHECKPOINT, RunRecord, load_model
from reference.training.transforms import preprocessing

MODEL = "model.py"
MODEL_FILE = '''\
"""{title}: trained on {data}, seed {seed}.

Needs PyTorch and the files beside this one.
"""

from torch import Tensor, nn

from {family} import {builder}
{mirroring}from preprocessing import prepare

SIZE = {size}
MEAN = {mean}
STD = {std}
{enlarge}

def build_model() -> nn.Module:
    """The model, without its weights: those are in {checkpoint}."""
    return {made}(
{arguments}
    )


def preprocess(images: Tensor) -> Tensor:
    """uint8 N×C×H×W to what the model takes; the same as in training's own evaluation."""
    return prepare(images, SIZE, MEAN, STD{enlarged})
'''


@dataclass(frozen=True, kw_only=True)
class Bundled:
    """What was written: the bundle as a folder and as a zip, and the CSV if a pack was given."""

    folder: Path
    archive: Path
    predictions: Path | None


def bundle(name: str, run: Path, out: Path, *, pack: Path | None = None) -> Bundled:
    """Write `out/name/`, `out/name.zip` and, for the test images of `pack`, `out/name.csv`.

    A bundle of this name is replaced.

    Raises:
        BundleError: `name` is no plain name, or `out/name/` holds something else than a bundle.
        RunError: `run` holds no finished run.
        PackError: `pack` holds no test images, or is of another assignment.
    """
    record = RunRecord.read(run)
    folder, archive = out / plain_name(name), out / f"{name}.zip"
    check_replaceable(folder)
    predictions = None
    if pack is not None:
        predictions = out / f"{name}.csv"
        out.mkdir(parents=True, exist_ok=True)
        write_predictions(run, record, pack, predictions)
    if folder.exists():
        shutil.rmtree(folder)
    write_bundle(run, record, folder)
    archive.unlink(missing_ok=True)
    grader.pack_bundle(folder, archive)
    return Bundled(folder=folder, archive=archive, predictions=predictions)


def plain_name(name: str) -> str:
    """The name, if it can be that of a folder.

    Raises:
        BundleError: it can't.
    """
    if name in ("", ".", "..") or Path(name).name != name:
        raise BundleError(f"{name!r} is no name for a bundle: letters and digits, without a /")
    return name


def check_replaceable(folder: Path) -> None:
    """A folder of the same name may be anything, such as the run itself: it is deleted if ours.

    Raises:
        BundleError: it is not.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MODEL).is_file():
        raise BundleError(
            f"{folder} is no bundle (it has no {MODEL}): choose another name or --out"
        )


def write_bundle(run: Path, record: RunRecord, folder: Path) -> None:
    """Write the bundle of a run into a new folder."""
    entry = models.find(record.model)
    folder.mkdir(parents=True)
    (folder / MODEL).write_text(model_source(record), encoding="utf-8")
    shutil.copyfile(entry.source_file, folder / entry.source_file.name)
    shutil.copyfile(Path(preprocessing.__file__), folder / "preprocessing.py")
    if record.mirror:
        shutil.copyfile(Path(mirroring.__file__), folder / "mirroring.py")
    shutil.copyfile(run / CHECKPOINT, folder / "checkpoint.safetensors")


def model_source(record: RunRecord) -> str:
    """The text of the bundle's `model.py`."""
    entry = models.find(record.model)
    return MODEL_FILE.format(
        title=record.title.replace("\\", r"\\").replace('"', r"\""),
        seed=record.seed,
        data=record.data["name"],
        family=entry.family,
        builder=entry.builder,
        made=made(entry.builder, record),
        mirroring="from mirroring import mirrored\n" if record.mirror else "",
        enlarge=f"ENLARGE = {record.enlarge}\n" if record.enlarge else "",
        enlarged=", ENLARGE" if record.enlarge else "",
        size=record.size,
        mean=record.mean,
        std=record.std,
        checkpoint="checkpoint.safetensors",
        arguments="\n".join(f"        {each}," for each in arguments_of(record)),
    )


def made(builder: str, record: RunRecord) -> str:
    """What is called to build the model, as Python."""
    return f"mirrored({builder})" if record.mirror else builder


def arguments_of(record: RunRecord) -> list[str]:
    """What builds the model, as Python writes arguments."""
    arguments = {
        "num_classes": len(record.classes),
        "channels": record.channels,
        "size": record.size,
        **record.options,
    }
    return [f"{key}={_literal(value)}" for key, value in arguments.items()]


def write_predictions(run: Path, record: RunRecord, pack_folder: Path, path: Path) -> None:
    """Write `id,label` for every test image of the public pack, labels as class indices.

    Raises:
        PackError: see `bundle`.
    """
    pack = grader.Pack.load(pack_folder)
    if pack.classes != record.classes:
        raise PackError(f"{pack_folder} is of {pack.slug!r}, with other classes than the model's")
    expected = pack.expected()
    labels = predict_labels(run, record, test_images(pack_folder, len(expected.ids)))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([expected.id_column, expected.label_column])
        writer.writerows(zip(expected.ids, labels.tolist(), strict=True))


def predict_labels(run: Path, record: RunRecord, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Class indices of uint8 N×H×W or N×H×W×C images: int64 N. On the CPU, as the sandbox does."""
    grey = images.ndim == 3
    pixels = images[:, None] if grey else np.moveaxis(images, -1, 1)
    tensor = torch.from_numpy(np.array(pixels, order="C"))
    scores = evaluation.predict(load_model(run), tensor, record.transform)
    labels: NDArray[np.int64] = scores.numpy().argmax(axis=1).astype(np.int64)
    return labels


def test_images(pack_folder: Path, count: int) -> NDArray[np.uint8]:
    """The public test images, in the order of the pack's ids.

    Raises:
        PackError: there are none, or not `count`.
    """
    path = pack_folder / "test" / "images.npy"
    if not path.is_file():
        raise PackError(f"{pack_folder} holds no test images: only code can be handed in for it")
    images: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    if len(images) != count:
        raise PackError(f"{path} holds {len(images)} images for {count} ids")
    return images


def _literal(value: object) -> str:
    """The value as a formatter would write it in Python."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
