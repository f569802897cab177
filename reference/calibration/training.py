"""Trains the ladder on an assignment: a first short try of each, then all seeds, round by round.

What is finished already in the folder is kept, so that a calibration that was killed goes on.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from grader.scoring.grading import FEWEST_SEEDS, FEWEST_SEEDS_AT_AN_EDGE
from reference.calibration.images import Material
from reference.calibration.ladder import Rung, recipe_of
from reference.calibration.planning import Cost, Plan, Planned, plan
from reference.data import ImageSet
from reference.errors import Refused
from reference.results import collection
from reference.results.collection import FoundRun
from reference.training.train import train

PLAN = "plan.json"
TRIAL_IMAGES = 640
HEAVY_FACTOR = 20
TRIAL_EPOCHS = 2
Say = Callable[[str], None]
Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What was trained: the plan, the runs of each baseline by name, and whether time ran out."""

    plan: Plan
    runs: Mapping[str, Sequence[FoundRun]]
    ran_out: bool


def train_ladder(
    material: Material,
    rungs: Sequence[Rung],
    out: Path,
    *,
    minutes: float,
    say: Say = lambda line: None,
    clock: Clock = time.monotonic,
) -> Trained:
    """Train five seeds of each baseline that fits, then five more of the two at the ends.

    The ends are those with the lowest and the highest mean test accuracy. No run is begun that
    would not end in time.

    Raises:
        Refused: the minutes are too few for two baselines; it says how many would do.
    """
    begun = clock()
    chosen = _plan(material, rungs, out, minutes=minutes, say=say, clock=clock)
    if not chosen.planned:
        budget = material.assignment.grading.training_minutes
        told = f" and the {budget:g} minutes that students may train" if budget else ""
        raise Refused(
            f"two baselines don't fit into {minutes:g} minutes{told}: they take about "
            f"{chosen.needed_minutes:.1f} here"
        )
    known = {rung.name: rung for rung in rungs}
    kept: dict[str, list[FoundRun]] = {each.name: [] for each in chosen.planned}

    def one(planned: Planned, seed: int) -> bool:
        """Train a seed, unless it would end too late."""
        rung, folder = known[planned.name], out / "runs" / f"{planned.name}-{seed}"
        recipe = recipe_of(rung, material.images, epochs=planned.epochs)
        fingerprint = material.images.fingerprint
        record = collection.finished_in(folder, recipe, images=fingerprint, seed=seed)
        if record is None:
            walls = [run.record.result["seconds"] for run in kept[planned.name]]
            expected = statistics.fmean(walls) if walls else planned.seconds
            if clock() - begun + expected > 60 * minutes:
                return False
            say(f"{planned.name}, seed {seed}: {planned.epochs} epochs, about {expected:.0f} s")
            record = train(recipe, material.images, seed=seed, out=folder, resume=True)
        kept[planned.name].append(FoundRun(folder=folder, record=record))
        return True

    ended = [one(each, seed) for seed in range(FEWEST_SEEDS) for each in chosen.planned]
    lasting = [each for each in chosen.planned if kept[each.name]]
    lasting.sort(key=lambda each: _mean(kept[each.name]))
    for seed in range(FEWEST_SEEDS, FEWEST_SEEDS_AT_AN_EDGE):
        ended += [one(each, seed) for each in lasting if each in (lasting[0], lasting[-1])]
    return Trained(
        plan=chosen,
        runs={name: tuple(runs) for name, runs in kept.items() if runs},
        ran_out=not all(ended),
    )


def _plan(
    material: Material,
    rungs: Sequence[Rung],
    out: Path,
    *,
    minutes: float,
    say: Say,
    clock: Clock,
) -> Plan:
    """The plan that lies in the folder if it is of the same images and minutes; else a new one."""
    path, begun = out / PLAN, clock()
    belongs: dict[str, Any] = {
        "images": material.images.fingerprint,
        "minutes": minutes,
        "budget": material.assignment.grading.training_minutes,
        "rungs": [rung.name for rung in rungs],
    }
    if path.is_file():
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["belongs"] == belongs:
            planned = tuple(Planned(**each) for each in table["planned"])
            return Plan(planned=planned, left_out=table["left_out"])
    costs: list[Cost] = []
    for rung in rungs:
        # to try what can't fit would cost time that the others need
        least = FEWEST_SEEDS * sum(each.seconds(each.least()) for each in costs)
        if least * (HEAVY_FACTOR if rung.is_heavy else 1) > 60 * minutes:
            break
        costs.append(_cost(rung, material.images))
        say(f"{rung.name}: {costs[-1].epoch_seconds:.1f} s an epoch")
    untried = {rung.name: "time" for rung in rungs[len(costs) :]}
    spent = (clock() - begun) / 60
    chosen = plan(costs, minutes=minutes - spent, budget_minutes=belongs["budget"])
    chosen = dataclasses.replace(
        chosen,
        left_out=chosen.left_out | untried,
        needed_minutes=chosen.needed_minutes + spent,
    )
    if chosen.planned:
        out.mkdir(parents=True, exist_ok=True)
        content = {
            "belongs": belongs,
            "planned": [dataclasses.asdict(each) for each in chosen.planned],
            "left_out": chosen.left_out,
        }
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return chosen


def _cost(rung: Rung, images: ImageSet) -> Cost:
    """Measured on a few images: the second of two epochs, and answering the test images."""
    few = _few(images)
    recipe = recipe_of(rung, few, epochs=TRIAL_EPOCHS)
    with tempfile.TemporaryDirectory() as folder:
        record = train(recipe, few, seed=0, out=Path(folder))
        lines = (Path(folder) / "results.jsonl").read_text(encoding="utf-8").splitlines()
    second = json.loads(lines[-1])["seconds"]
    images_each = sum(record.images_per_class)
    epoch = max(second, 0.005) * len(images.train_labels) / len(few.train_labels)
    # an image that is only answered takes about a third of one that is learnt from
    answering = second / max(1, images_each) * len(images.test_labels) / 3
    wanted = recipe_of(rung, images).training.epochs
    return Cost(name=rung.name, epoch_seconds=epoch, other_seconds=answering, epochs=wanted)


def _few(images: ImageSet) -> ImageSet:
    """Training images in the set's own shares of classes, and some test images."""
    count = len(images.train_labels)
    if count <= TRIAL_IMAGES:
        return images
    draw = np.random.default_rng(0)
    rows = np.sort(draw.permutation(count)[:TRIAL_IMAGES])
    return dataclasses.replace(
        images,
        train_images=images.train_images[rows],
        train_labels=images.train_labels[rows],
        test_images=images.test_images[:64],
        test_labels=images.test_labels[:64],
    )


def _mean(runs: Sequence[FoundRun]) -> float:
    return statistics.fmean(run.record.result["test_accuracy"] for run in runs)
