"""Searches a recipe's settings by trials, each a short training judged on validation images.

Optuna's tree of Parzen estimators proposes (Bergstra et al. 2011), its median rule ends trials that
fall behind, and its SQLite file keeps what was found, so that a search can be killed and started
again at any time. It then ends as it would have: what is proposed depends on the finished trials
and on a seed of its own for the place of each trial, not on how often the search was started.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from reference.data import ImageSet
from reference.errors import RecipeError, RunError
from reference.recipe.recipe import Recipe, with_settings
from reference.recipe.settings import Range
from reference.training.train import train

STORAGE = "search.sqlite"
DONE = (TrialState.COMPLETE, TrialState.PRUNED)
STARTUP = 10  # trials at random before any is proposed, and before any is ended early
FIRST_EPOCHS = 1  # of a trial, that can't end it
Say = Callable[[str], None]


def search(
    recipe: Recipe,
    images: ImageSet,
    folder: Path,
    *,
    trials: int,
    seed: int,
    say: Say = lambda line: None,
) -> optuna.Study:
    """Go on until so many trials have ended, early or not; those in `folder` count.

    All train with the run's seed `seed`, so that they validate on the same images.

    Raises:
        RecipeError: the recipe says nothing to search, or keeps no validation images.
        RunError: `folder` holds a search of something else.
    """
    if not recipe.search:
        raise RecipeError(f"{recipe.name} has no [search] table: nothing to try")
    if not recipe.training.validation:
        raise RecipeError(f"{recipe.name} keeps no validation images to judge trials on")
    study = open_study(recipe, images, folder, seed=seed)
    for place in range(len(ended(study)), trials):
        study.sampler = optuna.samplers.TPESampler(
            seed=(seed * 1_000_003 + place) % 2**32, n_startup_trials=STARTUP
        )
        trial = study.ask()
        trial.set_user_attr("place", place)
        state, value = _run(recipe, images, trial, seed=seed)
        study.tell(trial, value, state)
        told = f"{value:.4f}" if value is not None else "ended early"
        say(f"trial {place + 1}/{trials}: {told}, {settings_told(trial.params)}")
    return study


def open_study(recipe: Recipe, images: ImageSet, folder: Path, *, seed: int) -> optuna.Study:
    """The search that `folder` keeps, or a new one; a trial that was killed is left out of it.

    Raises:
        RunError: `folder` holds a search of something else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / STORAGE}",
        study_name="search",
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=FIRST_EPOCHS),
        load_if_exists=True,
    )
    of = {
        "recipe": repr((recipe.model, recipe.training, recipe.augmentation, recipe.sampling)),
        "search": repr(sorted(recipe.search.items())),
        "images": images.fingerprint,
        "seed": seed,
    }
    kept = study.user_attrs.get("of", of)
    if differing := [key for key in of if kept.get(key) != of[key]]:
        raise RunError(
            f"{folder / STORAGE} is a search of something else (its {', '.join(differing)} "
            "differs): give another --out"
        )
    study.set_user_attr("of", of)
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that have run to their end, or were ended early, in their order."""
    return study.get_trials(deepcopy=False, states=DONE)


def settings_told(values: dict[str, Any]) -> str:
    """Settings with their values, for reading.

    >>> settings_told({"training.lr": 0.012345, "training.optimiser": "adam"})
    'lr 0.0123, optimiser adam'
    """
    return ", ".join(
        f"{key.partition('.')[2]} {value:.3g}"
        if isinstance(value, float)
        else f"{key.partition('.')[2]} {value}"
        for key, value in values.items()
    )


def _run(
    recipe: Recipe, images: ImageSet, trial: Trial, *, seed: int
) -> tuple[TrialState, float | None]:
    """Train once, in a folder that is not kept; the best validation accuracy of its epochs."""
    values = {key: _suggested(trial, key, each) for key, each in recipe.search.items()}

    def watch(measured: dict[str, Any]) -> None:
        trial.report(measured["validation_accuracy"], measured["epoch"])
        if trial.should_prune():
            raise optuna.TrialPruned

    with tempfile.TemporaryDirectory(prefix="trial-") as folder:
        try:
            record = train(
                with_settings(recipe, values), images, seed=seed, out=Path(folder), watch=watch
            )
        except optuna.TrialPruned:
            return TrialState.PRUNED, None
    return TrialState.COMPLETE, record.result["validation_accuracy"]


def _suggested(trial: Trial, key: str, within: Range) -> Any:
    if within.choices:
        return trial.suggest_categorical(key, cast("tuple[str, ...]", within.choices))
    if within.whole:
        return trial.suggest_int(key, int(within.low), int(within.high), log=within.log)
    return trial.suggest_float(key, within.low, within.high, log=within.log)
