"""Cards: what a recipe reached over its seeds, made from run folders and kept in `cards/`.

    card = make("lenet5", finished_runs(Path("runs")))
    write(card)                       # cards/lenet5.json
    read("lenet5").entries[0].scores["test_accuracy"].mean

A recipe that stands for a table has one entry for each line (case) that was run.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from grader import metrics
from reference import recipe as recipes
from reference.collection import FoundRun, runs_of, settings_of_recipe
from reference.errors import RunError
from reference.models.registry import nearest
from reference.recipe import Recipe
from reference.runs import finite
from reference.spread import Noise, Summary, noise_of, summarise

FOLDER = Path(__file__).with_name("cards")
FORMAT = 1
# What is summarised over seeds, where a run has it.
SCORES = ("test_accuracy", "validation_accuracy", "train_accuracy", "train_loss")


@dataclass(frozen=True, kw_only=True)
class SeedRun:
    """One run of a card.

    `seconds` is the time of the training loop, validation included, on a machine that may have had
    other work; `code` is the fingerprint of what trained it (`reference.fingerprint`).
    """

    seed: int
    epoch: int
    test_accuracy: float
    validation_accuracy: float | None
    train_accuracy: float | None
    train_loss: float | None
    macro_f1: float
    seconds: float
    code: str
    environment: Mapping[str, str | int]


@dataclass(frozen=True, kw_only=True)
class ClassLine:
    """One class on the test images, means over seeds."""

    name: str
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One setting: the recipe itself, or one of its cases, on one image set.

    `data` holds name, title, notice and fingerprint, `settings` what is not the default in the
    recipe as it was run. `reported` are the report's own figures.
    """

    case: str
    settings: Mapping[str, Any]
    data: Mapping[str, str]
    reported: Mapping[str, float]
    scores: Mapping[str, Summary]
    per_class: Sequence[ClassLine]
    runs: Sequence[SeedRun]

    @property
    def values(self) -> list[float]:
        """Test accuracy of each run."""
        return [run.test_accuracy for run in self.runs]


@dataclass(frozen=True, kw_only=True)
class Card:
    """A recipe's results.

    `data` is the image set that the recipe is meant for. `notice`, the first line of its page, says
    so where another was used; else it is empty. `reported_runs`: of how many runs each of the
    report's figures is the mean.
    """

    recipe: str
    report: str
    row: str
    title: str
    variant: str
    reason: str
    data: str
    notice: str
    test_images: int
    entries: Sequence[Entry]
    noise: Noise | None = None
    reported_runs: int = 1
    format: int = field(default=FORMAT)

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return FOLDER / f"{self.recipe}.json"

    def as_json(self) -> str:
        """Its JSON; figures that are not finite (a loss that collapsed) become null."""
        return json.dumps(finite(dataclasses.asdict(self)), indent=1, ensure_ascii=False) + "\n"


def make(name: str, runs: tuple[FoundRun, ...]) -> Card:
    """The card of a recipe from finished runs on its data, its stand-in and other sets it knows.

    Raises:
        RecipeError: see `recipe.load`.
        RunError: no run trained what the recipe trains, or runs that belong together are of
            different states of one image set.
    """
    recipe = recipes.load(name)
    entries, used = [], []
    for data in dict.fromkeys((recipe.data, recipe.stand_in, *recipe.others)):
        for each in settings_of(name, data) if data else ():
            found = [run for _, run in sorted(runs_of(each, runs).items())]
            if found:
                entries.append(_entry(each, found))
                used += found
    if not entries:
        raise RunError(
            f"no finished run of {recipe.name} lies there: `reference sweep {recipe.name}` trains "
            "all of its seeds"
        )
    return Card(
        recipe=recipe.name,
        report=recipe.report,
        row=recipe.row,
        title=recipe.title,
        variant=recipe.variant,
        reason=recipe.reason.strip(),
        data=recipe.data,
        notice=_notice(recipe, entries),
        test_images=int(used[0].record.result["test_images"]),
        entries=tuple(entries),
        noise=_noise(entries, runs=recipe.reported_runs),
        reported_runs=recipe.reported_runs,
    )


def settings_of(name: str, data: str) -> tuple[Recipe, ...]:
    """The recipe of this name, or each of its cases, as it is on image set `data`.

    Raises:
        RecipeError: see `recipe.load`.
    """
    cases = [f"{name}:{case.name}" for case in recipes.load(name).cases] or [name]
    return tuple(recipes.load(case, data=data) for case in cases)


def write(card: Card, path: Path | None = None) -> Path:
    """Keep a card; where it lies now."""
    path = path or card.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(card.as_json(), encoding="utf-8")
    return path


def names() -> tuple[str, ...]:
    """Recipes that have a card."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def read(name: str) -> Card:
    """The kept card of a recipe.

    Raises:
        RunError: there is none, or it is damaged or of another format.
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        raise RunError(f"there is no card {name!r}{nearest(name, dict.fromkeys(names()))}")
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["format"] != FORMAT:
            raise RunError(f"{path} is of format {table['format']}, not {FORMAT}")
        entries = tuple(_read_entry(each) for each in table.pop("entries"))
        noise = table.pop("noise")
        return Card(**table, entries=entries, noise=noise and Noise(**noise))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} can't be read: {error!r}") from error


def on_same_images(entries: Sequence[Entry]) -> list[Entry]:
    """Those that can be compared: of the image set with most of them, of two the first."""
    by_set: dict[str, list[Entry]] = {}
    for entry in entries:
        by_set.setdefault(entry.data["name"], []).append(entry)
    return max(by_set.values(), key=len)


def _notice(recipe: Recipe, entries: Sequence[Entry]) -> str:
    """What the images were, where they were not the recipe's own; each set's own notice."""
    others = list(dict.fromkeys(e.data["title"] for e in entries if e.data["name"] != recipe.data))
    notices = dict.fromkeys(entry.data["notice"] for entry in entries if entry.data["notice"])
    if not others:
        return " ".join(notices)
    *rest, last = others
    listed = f"{', '.join(rest)} and {last}" if rest else last
    if any(entry.data["name"] == recipe.data for entry in entries):
        first = f"Run on {recipe.data!r} and, beside it, on {listed}."
    elif recipe.stand_in:
        first = f"Not run on {recipe.data!r}, which can't be had here, but on {listed}."
    else:
        first = f"Not run on {recipe.data!r} but on {listed}."
    return " ".join([first, *notices])


def _entry(recipe: Recipe, runs: Sequence[FoundRun]) -> Entry:
    if len({run.record.data["sha256"] for run in runs}) > 1:
        folders = ", ".join(str(run.folder) for run in runs)
        raise RunError(
            f"runs of {recipe.full_name} were made before and after {recipe.data} changed: keep "
            f"those of one state ({folders})"
        )
    told = [_seed_run(run) for run in runs]
    columns = {name: [getattr(run, name) for run in told] for name in (*SCORES, "macro_f1")}
    # runs from before sets had titles are named like the others of their set
    data = max((run.record.data for run in runs), key=len)
    return Entry(
        case=recipe.case,
        settings=settings_of_recipe(recipe),
        data={
            "name": data["name"],
            "title": data.get("title", data["name"]),
            "notice": data.get("notice", ""),
            "sha256": data["sha256"],
        },
        reported=recipe.reported,
        scores={name: summarise(values) for name, values in columns.items() if _all_finite(values)},
        per_class=_per_class(runs),
        runs=told,
    )


def _seed_run(run: FoundRun) -> SeedRun:
    record, result = run.record, run.record.result
    return SeedRun(
        seed=record.seed,
        epoch=result["epoch"],
        test_accuracy=result["test_accuracy"],
        validation_accuracy=result["validation_accuracy"],
        train_accuracy=result.get("train_accuracy"),
        train_loss=result.get("train_loss"),
        macro_f1=metrics.macro(np.array(record.confusion)).f1,
        seconds=result["seconds"],
        code=record.code,
        environment=record.environment,
    )


def _per_class(runs: Sequence[FoundRun]) -> tuple[ClassLine, ...]:
    measured = [metrics.per_class(np.array(run.record.confusion)) for run in runs]
    precision, recall, f1 = (
        np.mean([getattr(each, name) for each in measured], axis=0).round(4).tolist()
        for name in ("precision", "recall", "f1")
    )
    return tuple(
        ClassLine(name=name, precision=p, recall=r, f1=f)
        for name, p, r, f in zip(runs[0].record.classes, precision, recall, f1, strict=True)
    )


def _noise(entries: Sequence[Entry], *, runs: int) -> Noise | None:
    """How the cases differ, each training counted once; `runs`: see `Card.reported_runs`."""
    same = {json.dumps(entry.settings, sort_keys=True): entry for entry in on_same_images(entries)}
    if len(same) < 2:
        return None
    figures = sum("test_accuracy" in entry.reported for entry in same.values())
    values = [entry.values for entry in same.values()]
    return noise_of(values, figures=max(2, figures), runs=runs)


def _all_finite(values: Sequence[float | None]) -> bool:
    return all(value is not None and math.isfinite(value) for value in values)


def _read_entry(table: dict[str, Any]) -> Entry:
    scores = {name: Summary(**summary) for name, summary in table["scores"].items()}
    per_class = tuple(ClassLine(**line) for line in table["per_class"])
    runs = tuple(SeedRun(**run) for run in table["runs"])
    return Entry(**{**table, "scores": scores, "per_class": per_class, "runs": runs})
