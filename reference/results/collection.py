"""Finds the finished runs of a recipe in a folder of runs, by what was trained, not by its name.

Two recipes, or a line of a sweep and its base, that train the same thing share their runs.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reference import models
from reference.errors import RunError
from reference.recipe.recipe import SECTIONS, Recipe, quick
from reference.recipe.settings import TrainingSettings
from reference.training.runs import RECORD, RunRecord


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoundRun:
    """A finished run and where it lies."""

    folder: Path
    record: RunRecord


def finished_runs(folder: Path) -> tuple[FoundRun, ...]:
    """Every finished run directly below `folder` that was not a smoke run, sorted by name.

    Raises:
        RunError: one can't be read.
    """
    found = (
        FoundRun(folder=path.parent, record=RunRecord.read(path.parent))
        for path in sorted(folder.glob(f"*/{RECORD}"))
    )
    return tuple(run for run in found if not run.record.quick)


def runs_of(recipe: Recipe, runs: tuple[FoundRun, ...]) -> dict[int, FoundRun]:
    """By seed, the runs that trained what `recipe` trains on the same image set.

    Of two with the same seed the first counts.
    """
    wanted = settings_of_recipe(recipe)
    found: dict[int, FoundRun] = {}
    for run in runs:
        same_data = run.record.data["name"] == recipe.data
        if same_data and settings_of_run(run.record) == wanted:
            found.setdefault(run.record.seed, run)
    return found


def finished_in(
    folder: Path, recipe: Recipe, *, images: str, seed: int, smoke: bool = False
) -> RunRecord | None:
    """The run that has finished in `folder`, if it trained this on images of this fingerprint."""
    try:
        record = RunRecord.read(folder)
    except RunError:
        return None
    wanted = settings_of_recipe(quick(recipe) if smoke else recipe)
    same = (record.data["sha256"], record.seed, record.quick) == (images, seed, smoke)
    return record if same and settings_of_run(record) == wanted else None


def check_room(folder: Path) -> None:
    """Refuse to train over a finished run; a smoke run is soon made again.

    Raises:
        RunError: `folder` holds one.
    """
    try:
        record = RunRecord.read(folder)
    except RunError:
        return
    if not record.quick:
        raise RunError(
            f"{folder} holds a finished run ({record.recipe} on {record.data['name']}, seed "
            f"{record.seed}) of another training: give another --out, or delete it"
        )


def settings_of_recipe(recipe: Recipe) -> dict[str, Any]:
    """All that decides what is trained and is not the default, by section; title and row are not.

    A setting that is added later, with a default that does what was done before, leaves these as
    they are.
    """
    model = {**dataclasses.asdict(recipe.model), "options": dict(recipe.model.options)}
    return _changed(model, {name: dataclasses.asdict(getattr(recipe, name)) for name in SECTIONS})


def settings_of_run(record: RunRecord) -> dict[str, Any]:
    """The same for a finished run."""
    model = {**record.settings["model"], "options": dict(record.options)}
    sections = {name: dict(record.settings.get(name, {})) for name in SECTIONS}
    training = sections["training"]
    if "decay" not in training and training["schedule"] != "one_cycle":
        # until schedules had settings of their own, `warmup` was recorded for runs without one too
        training["warmup"] = TrainingSettings.warmup
    return _changed(model, sections)


def short(fingerprint: str) -> str:
    """The first digits of a fingerprint, for reading."""
    return fingerprint[:12] or "unknown"


def _changed(model: dict[str, Any], sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    registered = models.find(model["name"]).options
    options = _without(registered, model["options"])
    own = {key: model.get(key) or 0 for key in ("size", "channels")}
    own |= {"weights": model.get("weights", "")}
    found = {
        "model": {
            "name": model["name"],
            **_without({"size": 0, "channels": 0, "weights": ""}, own),
            **options,
        }
    }
    for name, values in sections.items():
        found[name] = _without(_defaults(SECTIONS[name]), _known(SECTIONS[name], values))
    # through JSON, so that lists and tuples are alike
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return {name: values for name, values in plain.items() if values}


def _known(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Without settings that are gone since and were off: 0, empty or false."""
    names = {each.name for each in dataclasses.fields(kind)}
    return {key: value for key, value in values.items() if key in names or value}


def _without(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not the defaults; of lists and tuples the content counts."""
    return {
        key: value
        for key, value in values.items()
        if key not in defaults or json.dumps(value) != json.dumps(defaults[key])
    }


def _defaults(kind: type[Any]) -> dict[str, Any]:
    return {
        each.name: {} if each.default is dataclasses.MISSING else each.default
        for each in dataclasses.fields(kind)
        if each.default is not dataclasses.MISSING or each.default_factory is dict
    }
