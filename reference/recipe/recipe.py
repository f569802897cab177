"""Recipes: how one baseline is trained, read from `recipes/<report>/<name>.toml`.

A key that is not known is an error that names its line and the nearest key, since a misspelt
setting would otherwise train something else in silence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from reference import models
from reference.errors import ModelError, RecipeError
from reference.models.registry import Option, nearest
from reference.recipe.settings import (
    AugmentationSettings,
    EvaluationSettings,
    Range,
    SamplingSettings,
    TrainingSettings,
)
from reference.recipe.toml_settings import Reader

FOLDER = Path(__file__).parents[1] / "recipes"
QUICK_EPOCHS = 2
QUICK_BATCH = 32
QUICK_IMAGES = 2_000


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Which model, and what differs from its registered options.

    Attributes:
        size: height and width that images are resized to; 0: as the model is registered.
        channels: of the model's input; 0: those of the images. Grey images are repeated.
        weights: those that training begins from, but for the classifier; empty: random ones.
            `models.pretrained` has their names.
    """

    name: str
    size: int = 0
    channels: int = 0
    weights: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self.size >= 0, "size must not be negative")
        _check(self.channels >= 0, "channels must not be negative")


# The tables of a recipe that become settings; a case or another data set may change each of them.
SECTIONS: Mapping[str, type[Any]] = {
    "training": TrainingSettings,
    "augmentation": AugmentationSettings,
    "sampling": SamplingSettings,
    "evaluation": EvaluationSettings,
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of a report's table: what it changes in the recipe, by section, and its figures."""

    name: str
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reported: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One baseline's training, complete.

    Attributes:
        row: the rows of the reports that it stands for, with commas.
        variant: `as_reported` does what the report did, `corrected` what it should have done (with
            the `reason`), `own` is none's.
        data: the image set that it is meant for. stand_in: the real image set that it is run on
            where that one can't be had, which `[on.<stand_in>]` sets up. others: all sets that
            such tables set up.
        seeds: those that its card is made of. reported: the report's own figures. reported_runs:
            of how many runs each of them is the mean.
        cases: the lines of a table or of a sweep. case: which of them this is; empty: none.
        search: by "section.setting", what a search may try.
    """

    name: str
    report: str
    title: str
    row: str
    variant: Literal["as_reported", "corrected", "own"]
    data: str
    model: ModelSettings
    training: TrainingSettings
    augmentation: AugmentationSettings
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    stand_in: str = ""
    others: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    reason: str = ""
    reported: Mapping[str, float] = field(default_factory=dict)
    reported_runs: int = 1
    cases: tuple[Case, ...] = ()
    case: str = ""
    search: Mapping[str, Range] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(bool(self.seeds), "seeds must name at least one")
        _check(all(0 <= seed < 2**32 for seed in self.seeds), "seeds must be from 0 to 2³² − 1")
        _check(len(set(self.seeds)) == len(self.seeds), "seeds must not repeat")
        _check(self.reported_runs >= 1, "reported_runs must be at least 1")
        changed = set(self.augmentation.steps) - {"flip"} or self.augmentation.cutout
        _check(
            not (self.training.cache_features and (changed or self.augmentation.mixup)),
            "cache_features goes with no augmentation but flip",
        )
        names = [case.name for case in self.cases]
        _check(len(set(names)) == len(names), "case names must not repeat")

    @property
    def rows(self) -> tuple[str, ...]:
        """Each of `row`."""
        return tuple(each.strip() for each in self.row.split(",") if each.strip())

    @property
    def full_name(self) -> str:
        """The name with that of the case: what runs and cards are called."""
        return f"{self.name}-{self.case}" if self.case else self.name


def names() -> tuple[str, ...]:
    """Every recipe's name, sorted by report and name."""
    return tuple(path.stem for path in sorted(FOLDER.glob("*/*.toml")))


def load(name: str, *, data: str | None = None) -> Recipe:
    """The recipe of this name, set up for `data`.

    `lenet5`, `002/lenet5` or a path to a file; `lenet5_lr:1.2` is the case `1.2` of a recipe.

    Raises:
        RecipeError: there is none, it has a mistake, or it says nothing about training on `data`.
    """
    path, case = path_of(name), name.partition(":")[2]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not UTF-8 text: {error.reason}") from error
    return parse(text, path, data=data, case=case)


def path_of(name: str) -> Path:
    """The file of the recipe that `load` takes by this name.

    Raises:
        RecipeError: there is none.
    """
    return _find(name.partition(":")[0])


def parse(text: str, path: Path, *, data: str | None = None, case: str = "") -> Recipe:
    """The recipe in `text`; `path` gives its name and report and is named in errors.

    Every case and every `[on.…]` table is checked, chosen or not.

    Raises:
        RecipeError: see `load`.
    """
    reader = Reader(path=path, text=text)
    table = reader.table()
    overrides = reader.section(table, "on")
    cases = _cases(reader, table.get("case", ()))
    base = {key: value for key, value in table.items() if key not in ("on", "case")}
    base["cases"] = cases
    base["search"] = _search(reader, reader.section(table, "search"))
    base["others"] = tuple(overrides)
    known = {each.name: each for each in cases}
    if case and case not in known:
        raise reader.error("case", f"there is no case {case!r}{nearest(case, known)}")
    if data is not None and data not in (base.get("data"), *overrides):
        sets = dict.fromkeys([str(base.get("data")), *overrides])
        told = f"this recipe does not say how to train on {data!r}{nearest(data, sets)}"
        raise reader.error("data", told)

    _build(reader, base)
    for other in overrides:
        _build(reader, _on(reader, base, overrides, other))
    if data is not None and data != base.get("data"):
        base = _on(reader, base, overrides, data)
    built = {name: _build(reader, _with_case(base, each)) for name, each in known.items()}
    return built[case] if case else _build(reader, base)


def quick(recipe: Recipe) -> Recipe:
    """The recipe cut to a smoke run of seconds; the images are cut by `train.divide`."""
    training = dataclasses.replace(
        recipe.training,
        epochs=QUICK_EPOCHS,
        retrain=min(recipe.training.retrain, 1),
        batch_size=min(recipe.training.batch_size, QUICK_BATCH),
        precision="float32",
        compile=False,
    )
    return dataclasses.replace(recipe, training=training)


def _cases(reader: Reader, tables: Any) -> tuple[Case, ...]:
    """`[[case]]` tables: a name, changes by section, the report's figures."""
    if not isinstance(tables, tuple):
        raise reader.error("case", "case must be a list of tables: [[case]]")
    sections = ("model", *SECTIONS)
    cases = []
    for table in tables:
        reader.check_keys(table, ("name", "reported", *sections))
        changes = {key: reader.section(table, key) for key in sections if key in table}
        plain = {key: value for key, value in table.items() if key not in sections}
        cases.append(reader.settings(Case, {**plain, "changes": changes}))
    return tuple(cases)


def _search(reader: Reader, table: Mapping[str, Any]) -> dict[str, Range]:
    """`[search]`: a range for each "section.setting" of this recipe."""
    for key in table:
        section, _, setting = key.partition(".")
        if section not in ("model", *SECTIONS) or not setting:
            told = '[search] names settings as "training.lr"'
            raise reader.error(key, f"{told}, not {key!r}{nearest(section, SECTIONS)}")
    return {key: reader.settings(Range, reader.section(table, key)) for key in table}


def with_settings(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with other values of some settings, each named "section.setting".

    Raises:
        RecipeError: there is no such setting, or it does not take the value.
    """
    changed = recipe
    for key, value in values.items():
        section, _, setting = key.partition(".")
        before = getattr(changed, section)
        if section == "model" and setting not in ("size", "channels"):
            change: dict[str, Any] = {"options": {**before.options, setting: value}}
        else:
            change = {setting: value}
        try:
            changed = dataclasses.replace(
                changed, **{section: dataclasses.replace(before, **change)}
            )
        except TypeError as error:
            raise RecipeError(f"[{section}] has no setting {setting!r}") from error
    return changed


def _on(
    reader: Reader, base: Mapping[str, Any], overrides: Mapping[str, Any], data: str
) -> dict[str, Any]:
    """The table as it is for another image set; figures, if it has its own, in place of others."""
    changes = reader.section(overrides, data)
    reader.check_keys(changes, ("model", "reported", *SECTIONS))
    changes = {key: reader.section(changes, key) for key in changes}
    return {**base, **_merged(base, changes), "data": data}


def _with_case(base: Mapping[str, Any], case: Case) -> dict[str, Any]:
    reported = case.reported or base.get("reported", {})
    return {**base, **_merged(base, case.changes), "reported": reported, "case": case.name}


def _merged(
    base: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    return {
        key: changed if key == "reported" else {**base.get(key, {}), **changed}
        for key, changed in changes.items()
    }


def _build(reader: Reader, table: Mapping[str, Any]) -> Recipe:
    own = {"name": reader.path.stem, "report": reader.path.parent.name}
    for key in own:
        if key in table:
            raise reader.error(key, f"{key!r} is the file's own and is not written in it")
    reader.check_keys(table, [each.name for each in dataclasses.fields(Recipe)])
    sections = {
        key: reader.settings(kind, reader.section(table, key)) for key, kind in SECTIONS.items()
    }
    model = _model(reader, reader.section(table, "model"))
    if model.weights:
        _check_weights(reader, model, sections["augmentation"])
    return reader.settings(Recipe, {**table, **sections, **own, "model": model})


def _model(reader: Reader, table: dict[str, Any]) -> ModelSettings:
    """The [model] table: name, size and channels; every other key is an option of the model."""
    name = table.get("name")
    if not isinstance(name, str):
        raise reader.error("name", "the [model] table needs a name")
    own: dict[str, Any] = {
        key: table.pop(key) for key in ("name", "size", "channels", "weights") if key in table
    }
    try:
        entry = models.find(name)
    except ModelError as error:
        raise reader.error("name", str(error)) from error
    for key, value in table.items():
        try:
            entry.with_options({key: value})
        except ModelError as error:
            raise reader.error(key, str(error)) from error
    return reader.settings(ModelSettings, {**own, "options": table})


def _check_weights(
    reader: Reader, model: ModelSettings, augmentation: AugmentationSettings
) -> None:
    """Weights belong to one model, and see images as their training did."""
    from reference.models import pretrained

    try:
        weights = pretrained.find(model.weights)
    except ModelError as error:
        raise reader.error("weights", str(error)) from error
    if weights.model != model.name:
        raise reader.error("weights", f"weights {weights.name} are those of {weights.model}")
    if weights.normalise != augmentation.normalise:
        raise reader.error(
            "normalise", f'{weights.name} was trained with normalise = "{weights.normalise}"'
        )


def _find(name: str) -> Path:
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise RecipeError(f"there is no file {path}")
        return path
    found = {path.stem: path for path in FOLDER.glob("*/*.toml")}
    found |= {f"{path.parent.name}/{path.stem}": path for path in found.values()}
    if name not in found:
        raise RecipeError(f"there is no recipe {name!r}{nearest(name, dict.fromkeys(names()))}")
    return found[name]


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise RecipeError(message)
