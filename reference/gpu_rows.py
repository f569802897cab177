"""The deep rows on a machine with a card: one command, restartable, JSON out.

    python -m reference.gpu_rows [--seconds 540] [--out runs] [--json gpu_rows.json] [--dry]

Trains the networks and ablations that a processor takes hours for, on all of Fashion-MNIST, three
seeds each, all rows of one seed before the next seed. It stops after `--seconds`, in the middle of
a run if need be, and the same command goes on from there to the same bits. The run folders are
those of `reference train`: `reference card --make --runs runs` makes cards of them. `--dry` trains
each row for moments on a few images, on any processor. What the sandbox makes of a card is
`deploy/gpu_check.sh`'s.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch

from reference import data
from reference.data import ImageSet, stratified_split
from reference.errors import Refused
from reference.recipe import recipe as recipes
from reference.results import cards
from reference.results.collection import finished_in
from reference.training.train import train

IMAGES = "fashion-mnist"
SECONDS = 540.0
DRY_IMAGES = 200  # fewer leave a class without any to validate with
SEEDS = (0, 1, 2)
now = time.monotonic
# recipes, or single lines of a recipe's table
ROWS = (
    *("resnets_as_reported:resnet18", "resnets_as_reported:resnet34"),
    "resnets_as_reported:resnet50",
    *("resnext18", "resnext_as_reported", "se_resnet34", "densenet121"),
    *("dlresnet18", "wide_resnets_as_reported:wide_resnet50"),
    *("optimisers_as_reported", "augmentation_as_reported", "schedules_cifar_as_reported"),
    *("resnext18_ablation_as_reported", "shake_shake:2x32d"),
)


class OutOfTime(Exception):
    """The time is up; what was trained so far is kept."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One training: its name with the seed, and what it reached, None until it has finished."""

    name: str
    test_accuracy: float | None = None
    validation_accuracy: float | None = None
    seconds: float | None = None


def settings(rows: Sequence[str] = ROWS) -> tuple[recipes.Recipe, ...]:
    """What is trained: each recipe on Fashion-MNIST, a table line by line, each training once.

    Raises:
        RecipeError: see `recipe.load`.
    """
    found: dict[str, recipes.Recipe] = {}
    for row in rows:
        name, _, case = row.partition(":")
        each = cards.settings_of(name, IMAGES)
        found |= {one.full_name: one for one in each if case in ("", one.case)}
    return tuple(found.values())


def run(
    rows: Sequence[str],
    images: ImageSet,
    out: Path,
    *,
    deadline: float,
    seeds: Sequence[int] = SEEDS,
    smoke: bool = False,
) -> tuple[Line, ...]:
    """Train what has not finished in `out` until `now()` reaches `deadline`.

    Raises:
        Refused: a run can't be trained or can't be gone on with.
    """
    lines = []
    for seed in seeds:
        for recipe in settings(rows):
            folder = out / f"{recipe.full_name}-{seed}"
            found = _trained(recipe, images, folder, seed=seed, smoke=smoke, deadline=deadline)
            lines.append(Line(name=folder.name, **found))
            click.echo(f"{folder.name}: {found or 'not finished'}", err=True)
    return tuple(lines)


def _trained(
    recipe: recipes.Recipe,
    images: ImageSet,
    folder: Path,
    *,
    seed: int,
    smoke: bool,
    deadline: float,
) -> dict[str, float]:
    """The figures of a run; none where time is up before its end."""

    def watch(measured: dict[str, Any]) -> None:
        if now() > deadline:
            raise OutOfTime

    record = finished_in(folder, recipe, images=images.fingerprint, seed=seed, smoke=smoke)
    if record is None:
        if now() > deadline:
            return {}
        try:
            record = train(
                recipe, images, seed=seed, out=folder, smoke=smoke, resume=True, watch=watch
            )
        except OutOfTime:
            return {}
    kept = ("test_accuracy", "validation_accuracy", "seconds")
    return {key: record.result[key] for key in kept}


def few(images: ImageSet, count: int) -> ImageSet:
    """The same set with about so many training and test images."""
    share = count / len(images.train_labels)
    _, rows = stratified_split(images.train_labels, share, seed=0)
    _, test = stratified_split(images.test_labels, count / len(images.test_labels), seed=0)
    return dataclasses.replace(
        images,
        train_images=images.train_images[rows],
        train_labels=images.train_labels[rows],
        test_images=images.test_images[test],
        test_labels=images.test_labels[test],
        sha256={**images.sha256, "few": str(count)},
    )


def report(lines: Sequence[Line], *, seconds: float) -> dict[str, Any]:
    """What the JSON file holds."""
    card = torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name() if card else "processor",
        "torch": torch.__version__,
        "seconds": round(seconds, 1),
        "finished": [dataclasses.asdict(each) for each in lines if each.seconds is not None],
        "left": [each.name for each in lines if each.seconds is None],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, write the JSON; 0 when all has finished, 3 when the command has to be given again."""
    parser = argparse.ArgumentParser(prog="python -m reference.gpu_rows", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--json", type=Path, default=Path("gpu_rows.json"))
    parser.add_argument("--row", dest="rows", action="append", help="only these")
    parser.add_argument("--dry", action="store_true", help="moments a row, one seed, any processor")
    options = parser.parse_args(arguments)
    started = now()
    if not (options.dry or torch.cuda.is_available()):
        click.echo("PyTorch sees no card here; --dry tries the rows on the processor", err=True)
        return 2
    try:
        images = data.load(IMAGES)
        lines = run(
            options.rows or ROWS,
            few(images, DRY_IMAGES) if options.dry else images,
            options.out,
            deadline=started + options.seconds,
            seeds=SEEDS[:1] if options.dry else SEEDS,
            smoke=options.dry,
        )
    except Refused as error:
        click.echo(str(error), err=True)
        return error.exit_code
    found = report(lines, seconds=now() - started)
    options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 3 if found["left"] else 0


if __name__ == "__main__":
    sys.exit(main())
