"""Recipes: how one baseline is trained, read from `recipes/<report>/<name>.toml`.

A key that is not known is an error that names its line and the nearest key, since a misspelt
setting would otherwise train something else in silence.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from reference import models
from reference.errors import ModelError, RecipeError
from reference.models import pretrained
from reference.models.registry import Option, nearest
from reference.recipe.augmentation_settings import AugmentationSettings, SamplingSettings
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


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How the weights are found.

    Attributes:
        epochs: passes over the training images, at most.
        batch_size: images a step; the last step of a pass takes what is left, and a single image
            that is left joins the step before.
        loss: `cross_entropy`; the same `class_weighted` by the inverse of a class's share of the
            images as they are drawn, or `class_balanced` by the inverse of its effective number
            (Cui et al. 2019, with their `beta`); or `balanced_softmax` (Ren et al. 2020), with
            those shares as the prior. label_smoothing: Szegedy et al. 2016, with each of them.
        adjust: τ of logit adjustment after training (Menon et al. 2021): the classifier's biases
            lose τ times the logarithm of these shares; 0: none.
        freeze: modules, by name, that take no steps. frozen_statistics: those of their batch
            normalisation are `held`, or go on `moving` with every batch, a mistake easily made.
        rates: factors on the learning rate, by the name of a module; of several that hold for a
            parameter the innermost counts.
        retrain: epochs, after the others, in which the classifier alone is trained anew by
            cross-entropy on class-balanced draws (Kang et al. 2020, cRT); 0: none.
        optimiser: `sgd` (with `momentum`, Nesterov's unless `nesterov` is false), `adam`,
            `adam_beta2_099` (Adam with β2 .99, as report 003), `adamw`, `rmsprop`.
        decay: which parameters `weight_decay` holds for: `matrices`, those of more than one
            dimension (neither biases nor batch normalisation), or `all`, as PyTorch does unasked.
        lr: learning rate; the highest one where a schedule changes it.
        schedule: `none`; `step`: ×`gamma` after each `period`; `multistep`: ×`gamma` at each of
            `milestones`; `plateau`: ×`gamma` after more than `patience` epochs without a better
            validation accuracy; `cosine`: half a cosine down to 0 (Loshchilov and Hutter 2017);
            `one_cycle`: the same after a rise (Smith 2018).
        period, milestones: shares of all epochs, each rounded to a whole number of them.
        warmup: share of all steps in which the learning rate rises from 0 to `lr`, before any of
            these.
        early_stopping: end after so many epochs without a better validation accuracy; 0: never.
        init: `default` is torch's; `xavier` draws all weights as Glorot and Bengio 2010.
        precision: `bfloat16` trains under autocast where the processor has the instructions.
        compile: let `torch.compile` fuse the model's operations; on a CPU it needs g++.
        validation: share of the training images kept for selection; 0 trains on all of them.
        same_validation: keep the same ones whatever the seed, so that runs can be put together.
        select: `best` keeps the epoch with the highest validation accuracy, `last` the last one.
            The test set is read once, after that.
    """

    epochs: int
    batch_size: int
    lr: float
    loss: Literal["cross_entropy", "class_weighted", "class_balanced", "balanced_softmax"] = (
        "cross_entropy"
    )
    beta: float = 0.9999
    label_smoothing: float = 0.0
    optimiser: Literal["sgd", "adam", "adam_beta2_099", "adamw", "rmsprop"] = "sgd"
    momentum: float = 0.0
    nesterov: bool = True
    weight_decay: float = 0.0
    decay: Literal["matrices", "all"] = "matrices"
    schedule: Literal["none", "step", "multistep", "plateau", "cosine", "one_cycle"] = "none"
    gamma: float = 0.1
    period: float = 0.0
    milestones: tuple[float, ...] = ()
    patience: int = 4
    warmup: float = 0.0
    early_stopping: int = 0
    adjust: float = 0.0
    freeze: tuple[str, ...] = ()
    frozen_statistics: Literal["held", "moving"] = "held"
    rates: Mapping[str, float] = field(default_factory=dict)
    retrain: int = 0
    init: Literal["default", "xavier"] = "default"
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    validation: float = 0.1
    same_validation: bool = False
    select: Literal["best", "last"] = "best"

    def __post_init__(self) -> None:
        _check(self.epochs >= 1, "epochs must be at least 1")
        _check(self.batch_size >= 1, "batch_size must be at least 1")
        _check(0 < self.lr < math.inf, "lr must be positive")
        _check(0 <= self.momentum < 1, "momentum must be from 0 to below 1")
        _check(0 <= self.weight_decay < math.inf, "weight_decay must not be negative")
        _check(0 <= self.validation < 1, "validation must be a share from 0 to below 1")
        _check(0 <= self.warmup < 1, "warmup must be a share from 0 to below 1")
        _check(0 <= self.label_smoothing < 1, "label_smoothing must be from 0 to below 1")
        _check(0 < self.gamma < 1, "gamma must be between 0 and 1")
        _check(self.patience >= 0, "patience must not be negative")
        _check(self.early_stopping >= 0, "early_stopping must not be negative")
        _check(0 <= self.beta < 1, "beta must be from 0 to below 1")
        _check(0 <= self.adjust < math.inf, "adjust must not be negative")
        _check(self.retrain >= 0, "retrain must not be negative")
        _check(all(0 < each < math.inf for each in self.rates.values()), "rates must be positive")
        self._check_schedule()
        self._check_selection()

    def _check_schedule(self) -> None:
        _check(
            (self.schedule == "step") == (self.period > 0),
            'period (a share of all epochs) goes with schedule = "step"',
        )
        _check(
            (self.schedule == "multistep") == bool(self.milestones),
            'milestones (shares of all epochs) go with schedule = "multistep"',
        )
        _check(self.period < 1, "period must be a share below 1")
        rising = (0.0, *sorted(set(self.milestones)), 1.0)
        _check(
            (0.0, *self.milestones, 1.0) == rising and all(0 < m < 1 for m in self.milestones),
            "milestones must be shares between 0 and 1 that rise",
        )
        _check(
            self.schedule != "one_cycle" or self.warmup > 0,
            'warmup must be positive with schedule = "one_cycle"',
        )

    def _check_selection(self) -> None:
        _check(
            not (self.adjust and self.select == "best"),
            'adjust needs select = "last": validation sees logits before they are adjusted',
        )
        _check(
            not (self.retrain and self.early_stopping),
            "retrain does not go with early_stopping: it begins after all epochs",
        )
        for key, needs in {
            "select": self.select == "best",
            "schedule": self.schedule == "plateau",
            "early_stopping": self.early_stopping > 0,
        }.items():
            value = getattr(self, key)
            hint = ', or select = "last"' if key == "select" else ""
            _check(
                not needs or self.validation > 0,
                f"{key} = {value!r} needs validation images: set validation{hint}",
            )


# The tables of a recipe that become settings; a case or another data set may change each of them.
SECTIONS: Mapping[str, type[Any]] = {
    "training": TrainingSettings,
    "augmentation": AugmentationSettings,
    "sampling": SamplingSettings,
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
    stand_in: str = ""
    others: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    reason: str = ""
    reported: Mapping[str, float] = field(default_factory=dict)
    reported_runs: int = 1
    cases: tuple[Case, ...] = ()
    case: str = ""

    def __post_init__(self) -> None:
        _check(bool(self.seeds), "seeds must name at least one")
        _check(all(0 <= seed < 2**32 for seed in self.seeds), "seeds must be from 0 to 2³² − 1")
        _check(len(set(self.seeds)) == len(self.seeds), "seeds must not repeat")
        _check(self.reported_runs >= 1, "reported_runs must be at least 1")
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
    stem, _, case = name.partition(":")
    path = _find(stem)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not UTF-8 text: {error.reason}") from error
    return parse(text, path, data=data, case=case)


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
