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
from reference.recipe import SECTIONS, Recipe, TrainingSettings
from reference.runs import RECORD, RunRecord


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
    wanted = identity(recipe)
    found: dict[int, FoundRun] = {}
    for run in runs:
        if run.record.data["name"] == recipe.data and identity_of_run(run.record) == wanted:
            found.setdefault(run.record.seed, run)
    return found


def identity(recipe: Recipe) -> str:
    """All settings that decide what is trained, as one text; name, title and reason are not."""
    options = models.find(recipe.model.name).with_options(recipe.model.options)
    model = {**dataclasses.asdict(recipe.model), "options": dict(options)}
    sections = {name: dataclasses.asdict(getattr(recipe, name)) for name in SECTIONS}
    return _text({"model": model, **sections})


def identity_of_run(record: RunRecord) -> str:
    """The same for a finished run; settings that came later have the values they had before."""
    settings = record.settings
    model = {"size": 0, "channels": 0, **settings["model"]}
    model["options"] = _with_later_options(record)
    sections = {
        name: {**_defaults(kind), **_before_schedules(name, settings.get(name, {}))}
        for name, kind in SECTIONS.items()
    }
    return _text({"model": model, **sections})


def short(fingerprint: str) -> str:
    """The first digits of a fingerprint, for reading."""
    return fingerprint[:12] or "unknown"


def _with_later_options(record: RunRecord) -> dict[str, Any]:
    return {**models.find(record.model).options, **record.options}


def _before_schedules(section: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Until schedules had settings of their own, `warmup` was recorded for runs without one too."""
    if section == "training" and "decay" not in settings and settings["schedule"] != "one_cycle":
        return {**settings, "warmup": TrainingSettings.warmup}
    return dict(settings)


def _defaults(kind: type[Any]) -> dict[str, Any]:
    return {
        each.name: each.default
        for each in dataclasses.fields(kind)
        if each.default is not dataclasses.MISSING
    }


def _text(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)
