"""Recipes: how one baseline is trained, read from `recipes/<report>/<name>.toml`.

A key that is not known is an error that names its line and the nearest key, since a misspelt
setting would otherwise train something else in silence.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar, get_args, get_origin, get_type_hints

from reference import models
from reference.errors import ModelError, RecipeError
from reference.models.registry import Option, nearest

FOLDER = Path(__file__).with_name("recipes")
QUICK_EPOCHS = 2
QUICK_BATCH = 32
QUICK_IMAGES = 2_000


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


Settings = TypeVar("Settings", bound=_Dataclass)


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Which model, and what differs from its registered options."""

    name: str
    options: Mapping[str, Option] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How the weights are found.

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step; the rest that does not fill a batch is left out of that pass.
        optimiser: `sgd` (with `momentum`, Nesterov's where it is positive) or `adamw`.
        lr: learning rate; the highest one where a schedule changes it.
        schedule: `none`; `step`: ×0.1 at half and at three quarters of all steps; `one_cycle`: up
            over the first `warmup` share of all steps, then down by a cosine (Smith 2018).
        init: `default` is torch's; `xavier` draws all weights as Glorot and Bengio 2010.
        precision: `bfloat16` trains under autocast where the processor has the instructions.
        validation: share of the training images kept for selection; 0 trains on all of them.
        select: `best` keeps the epoch with the highest validation accuracy, `last` the last one.
            The test set is read once, after that.
    """

    epochs: int
    batch_size: int
    lr: float
    optimiser: Literal["sgd", "adamw"] = "sgd"
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: Literal["none", "step", "one_cycle"] = "none"
    warmup: float = 0.25
    init: Literal["default", "xavier"] = "default"
    label_smoothing: float = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"
    validation: float = 0.1
    select: Literal["best", "last"] = "best"

    def __post_init__(self) -> None:
        _check(self.epochs >= 1, "epochs must be at least 1")
        _check(self.batch_size >= 1, "batch_size must be at least 1")
        _check(self.lr > 0, "lr must be positive")
        _check(0 <= self.validation < 1, "validation must be a share from 0 to below 1")
        _check(0 < self.warmup < 1, "warmup must be a share between 0 and 1")
        _check(0 <= self.label_smoothing < 1, "label_smoothing must be from 0 to below 1")
        _check(
            self.select == "last" or self.validation > 0,
            'select = "best" needs validation images: set validation, or select = "last"',
        )


@dataclass(frozen=True, kw_only=True)
class AugmentationSettings:
    """What training does to images; `augment.TrainingTransform` explains the steps.

    `normalise` holds for evaluation too: `training_set` is mean and SD of the training images,
    `none` leaves pixels in 0…1.
    """

    shift: int = 0
    flip: bool = False
    cutout: int = 0
    normalise: Literal["training_set", "none"] = "training_set"

    def __post_init__(self) -> None:
        _check(self.shift >= 0, "shift must not be negative")
        _check(self.cutout >= 0, "cutout must not be negative")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One baseline's training, complete.

    Attributes:
        row: the rows of the reports that it stands for. variant: `as_reported` does what the report
            did, `corrected` what it should have done (with the `reason`), `own` is none's.
        data: the image set that it is meant for. reported: the report's own figures.
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
    reason: str = ""
    reported: Mapping[str, float] = field(default_factory=dict)


def names() -> tuple[str, ...]:
    """Every recipe's name, sorted by report and name."""
    return tuple(path.stem for path in sorted(FOLDER.glob("*/*.toml")))


def load(name: str, *, data: str | None = None) -> Recipe:
    """The recipe of this name (`lenet5`, `002/lenet5` or a path to a file), set up for `data`.

    Raises:
        RecipeError: there is none, it has a mistake, or it says nothing about training on `data`.
    """
    path = _find(name)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not UTF-8 text: {error.reason}") from error
    return parse(text, path, data=data)


def parse(text: str, path: Path, *, data: str | None = None) -> Recipe:
    """The recipe in `text`; `path` gives its name and report and is named in errors.

    Raises:
        RecipeError: see `load`.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: {error}") from error
    reader = _Reader(path=path, text=text)
    overrides = table.pop("on", {})
    if data is not None and data != table.get("data"):
        reader.check_data(data, overrides)
        for section, changes in overrides[data].items():
            table[section] = {**table.get(section, {}), **changes}
        table["data"] = data
    return reader.recipe(table)


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Reads tables of one file into settings; its errors name file and line."""

    path: Path
    text: str

    def recipe(self, table: dict[str, Any]) -> Recipe:
        self._check_keys(table, get_type_hints(Recipe))
        sections = {
            "model": self._model(self._section(table, "model")),
            "training": self.settings(TrainingSettings, self._section(table, "training")),
            "augmentation": self.settings(
                AugmentationSettings, self._section(table, "augmentation")
            ),
        }
        own = {"name": self.path.stem, "report": self.path.parent.name}
        for key in own:
            if key in table:
                raise self.error(key, f"{key!r} is the file's own and is not written in it")
        return self.settings(Recipe, {**table, **sections, **own})

    def settings(self, kind: type[Settings], table: Mapping[str, Any]) -> Settings:
        """A dataclass from a table: every key known, every value of its type."""
        hints = get_type_hints(kind)
        self._check_keys(table, hints)
        for key, value in table.items():
            if not _fits(value, hints[key]):
                raise self.error(key, f"{key} takes {_words(hints[key])}, not {value!r}")
        needed = [
            each.name
            for each in dataclasses.fields(kind)
            if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        ]
        for key in needed:
            if key not in table:
                raise self.error("", f"{key!r} is missing")
        try:
            return kind(**table)
        except RecipeError as error:
            raise self.error(str(error).split(" ")[0], str(error)) from error

    def check_data(self, data: str, overrides: Mapping[str, Any]) -> None:
        if data not in overrides:
            raise self.error("data", f"this recipe does not say how to train on {data!r}")

    def error(self, key: str, message: str) -> RecipeError:
        quoted = rf"""["']?{re.escape(key)}["']?"""
        pattern = re.compile(rf"\s*(\[{quoted}\]|{quoted}\s*=)")
        lines = self.text.splitlines()
        number = next((n for n, line in enumerate(lines, 1) if key and pattern.match(line)), None)
        place = f"{self.path}:{number}" if number else str(self.path)
        return RecipeError(f"{place}: {message}")

    def _check_keys(self, table: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        for key in table:
            if key not in known:
                raise self.error(key, f"unknown key {key!r}{nearest(key, known)}")

    def _section(self, table: dict[str, Any], key: str) -> dict[str, Any]:
        section = table.pop(key, {})
        if not isinstance(section, dict):
            raise self.error(key, f"{key} must be a table: [{key}]")
        return section

    def _model(self, table: dict[str, Any]) -> ModelSettings:
        name = table.pop("name", None)
        if not isinstance(name, str):
            raise self.error("name", "the [model] table needs a name")
        options = {
            key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
        }
        try:
            entry = models.find(name)
        except ModelError as error:
            raise self.error("name", str(error)) from error
        for key, value in options.items():
            try:
                entry.with_options({key: value})
            except ModelError as error:
                raise self.error(key, str(error)) from error
        return ModelSettings(name=name, options=options)


def quick(recipe: Recipe) -> Recipe:
    """The recipe cut to a smoke run of seconds; the images are cut by `train.divide`."""
    training = dataclasses.replace(
        recipe.training,
        epochs=QUICK_EPOCHS,
        batch_size=min(recipe.training.batch_size, QUICK_BATCH),
        precision="float32",
    )
    return dataclasses.replace(recipe, training=training)


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


def _fits(value: object, hint: Any) -> bool:
    """Whether a value of a TOML file (or one already read) may stand where `hint` is asked for."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, get_origin(hint) or hint)


def _words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(repr(choice) for choice in get_args(hint))
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(
        hint, "a table"
    )


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise RecipeError(message)
