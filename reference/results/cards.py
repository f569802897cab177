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
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from grader.scoring import formulas, metrics
from reference.errors import RunError
from reference.models.registry import nearest
from reference.recipe import recipe as recipes
from reference.recipe.recipe import Recipe
from reference.results.collection import FoundRun, runs_of, settings_of_recipe
from reference.results.effects import Effect, Setting, effect_of
from reference.results.spread import Summary, summarise
from reference.training.runs import finite

FOLDER = Path(__file__).parents[1] / "cards"
FORMAT = 1
# What is summarised over seeds, where a run has it.
SUMMARISED = ("test_accuracy", "validation_accuracy", "train_accuracy", "train_loss", "macro_f1")


@dataclass(frozen=True, kw_only=True)
class SeedRun:
    """One run of a card.

    `seconds` is the time of the training loop, validation included, on a machine that may have had
    other work; `code` is the fingerprint of what trained it (`reference.training.fingerprint`);
    `recalls` are those of the classes on the test images, empty in older cards.
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
    recalls: Sequence[float] = ()


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
    recipe as it was run. `reported` are the report's own figures, `images_per_class` the different
    images of each class that were trained on; empty in older cards.
    """

    case: str
    settings: Mapping[str, Any]
    data: Mapping[str, str]
    reported: Mapping[str, float]
    per_class: Sequence[ClassLine]
    runs: Sequence[SeedRun]
    images_per_class: Sequence[int] = ()

    @property
    def pooled(self) -> list[SeedRun]:
        """The runs that one mean may be made of: those that trained, of one state of the code.

        Of several states it is that with the most runs.
        """
        trained = [run for run in self.runs if run.macro_f1 > self.lowest]
        count = Counter(run.code for run in trained)
        return [run for run in trained if run.code == count.most_common(1)[0][0]]

    @cached_property
    def scores(self) -> Mapping[str, Summary]:
        """What the pooled runs reached, by the name of the score; empty where none trained."""
        columns = {name: [getattr(run, name) for run in self.pooled] for name in SUMMARISED}
        return {
            name: summarise(values)
            for name, values in columns.items()
            if values and _all_finite(values)
        }

    @property
    def values(self) -> list[float]:
        """Test accuracy of each run."""
        return [run.test_accuracy for run in self.runs]

    @property
    def lowest(self) -> float:
        """The macro F1 above which a run has trained: whoever guesses has one class's share."""
        return 1.5 / len(self.per_class)

    @property
    def is_trial(self) -> bool:
        """Whether it can say only that the system trains: one seed on a small or generated set."""
        name = self.data["name"]
        return len(self.runs) == 1 and (name.endswith("-small") or name.startswith("generated-"))

    @property
    def trains(self) -> bool:
        """Whether all of its runs are better than guessing."""
        return all(run.macro_f1 > self.lowest for run in self.runs)

    @property
    def setting(self) -> Setting:
        """What a comparison over seeds needs of it."""
        trained = {r.seed: r.test_accuracy for r in self.runs if r.macro_f1 > self.lowest}
        return Setting(name=self.case, runs=trained, collapsed=len(self.runs) - len(trained))


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
    reported_runs: int = 1
    format: int = field(default=FORMAT)

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return FOLDER / f"{self.recipe}.json"

    @property
    def compared(self) -> list[Entry]:
        """The settings that can be held against each other, each training once."""
        real = [entry for entry in self.entries if not entry.is_trial]
        return [same[0] for same in alike(on_same_images(real))] if real else []

    @property
    def effect(self) -> Effect | None:
        """How its settings differ; None where there are fewer than two."""
        settings = [entry.setting for entry in self.compared]
        return effect_of(settings) if len(settings) > 1 else None

    def as_json(self) -> str:
        """Its JSON; figures that are not finite (a loss that collapsed) become null."""
        content = dataclasses.asdict(self)
        for table, entry in zip(content["entries"], self.entries, strict=True):
            table["scores"] = {n: dataclasses.asdict(each) for n, each in entry.scores.items()}
        return json.dumps(finite(content), indent=1, ensure_ascii=False) + "\n"


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
    return _card(recipe, entries, used)


def of_runs(recipe: Recipe, runs: Sequence[FoundRun]) -> Card:
    """The card of a recipe that has no file, from all of its runs, one a seed.

    Raises:
        RunError: they are of different states of one image set.
    """
    return _card(recipe, [_entry(recipe, runs)], runs)


def _card(recipe: Recipe, entries: Sequence[Entry], used: Sequence[FoundRun]) -> Card:
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
        table.pop("noise", None)  # of older cards; it is made of the runs now
        return Card(**table, entries=entries)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} can't be read: {error!r}") from error


def on_same_images(entries: Sequence[Entry]) -> list[Entry]:
    """Those that can be compared: of the image set with most of them, of two the first."""
    by_set: dict[str, list[Entry]] = {}
    for entry in entries:
        by_set.setdefault(entry.data["name"], []).append(entry)
    return max(by_set.values(), key=len)


def alike(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries by what they gave: lines whose runs are the same to the bit stand together.

    Such are lines with equal settings, and lines whose difference never came to bear.
    """
    groups: dict[object, list[Entry]] = {}
    for entry in entries:
        told = [(r.seed, r.epoch, r.test_accuracy, r.macro_f1, r.train_loss) for r in entry.runs]
        groups.setdefault((entry.data["sha256"], repr(told)), []).append(entry)
    return list(groups.values())


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
        per_class=_per_class(runs),
        runs=[_seed_run(run) for run in runs],
        images_per_class=list(runs[0].record.images_per_class),
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
        macro_f1=float(formulas.macro_f1(formulas.Counts.of(np.array(record.confusion)))),
        seconds=result["seconds"],
        code=record.code,
        environment=record.environment,
        recalls=metrics.per_class(np.array(record.confusion)).recall.round(6).tolist(),
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


def _all_finite(values: Sequence[float | None]) -> bool:
    return all(value is not None and math.isfinite(value) for value in values)


def _read_entry(table: dict[str, Any]) -> Entry:
    per_class = tuple(ClassLine(**line) for line in table["per_class"])
    runs = tuple(SeedRun(**run) for run in table["runs"])
    kept = {key: value for key, value in table.items() if key != "scores"}
    return Entry(**{**kept, "per_class": per_class, "runs": runs})
