"""Pictures of a search: how much each setting mattered, and what went with what."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import optuna
from matplotlib.figure import Figure
from optuna.exceptions import ExperimentalWarning

from reference.searching.search import ended

IMPORTANCE, PARALLEL = "importance.png", "parallel.png"
SEED = 0  # of the random forest that importances come from


def plot(study: optuna.Study, folder: Path) -> tuple[Path, ...]:
    """Draw `importance.png` and `parallel.png`; neither of fewer than two finished trials."""
    complete = [each for each in ended(study) if each.value is not None]
    if len({each.value for each in complete}) < 2:
        return ()
    return _importance(study, folder / IMPORTANCE), _parallel(complete, folder / PARALLEL)


def importances(study: optuna.Study) -> dict[str, float]:
    """Shares of the variance that settings explain, largest first (fANOVA, Hutter et al. 2014)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=SEED)
        )


def _importance(study: optuna.Study, path: Path) -> Path:
    found = importances(study)
    figure = Figure(figsize=(5.5, 0.8 + 0.4 * len(found)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(list(found)[::-1], list(found.values())[::-1])
    axes.set(xlabel="share of the variance of validation accuracy", xlim=(0, 1))
    figure.savefig(path, dpi=120)
    return path


def _parallel(trials: list[optuna.trial.FrozenTrial], path: Path) -> Path:
    """A line a trial, over an axis a setting; dark lines are good ones."""
    names = list(trials[0].params)
    figure = Figure(figsize=(1.6 * (len(names) + 1), 4.2), layout="constrained")
    axes = figure.add_subplot()
    best, worst = (pick(each.value or 0.0 for each in trials) for pick in (max, min))
    places = {name: _placed(trials, name) for name in names}
    for number, each in sorted(enumerate(trials), key=lambda pair: pair[1].value or 0.0):
        value = each.value or 0.0
        good = (value - worst) / (best - worst)
        line = [places[name][number] for name in names]
        axes.plot([*line, good], color="tab:blue", alpha=0.08 + 0.8 * good**3)
    labels = [f"{name.partition('.')[2]}\n{_ends(trials, name)}" for name in names]
    axes.set_xticks(range(len(names) + 1), [*labels, f"validation\n{worst:.3f} – {best:.3f}"])
    axes.set(yticks=[], ylim=(-0.03, 1.03))
    axes.grid(axis="x")
    figure.savefig(path, dpi=120)
    return path


def _placed(trials: list[optuna.trial.FrozenTrial], name: str) -> list[float]:
    """Each trial's value as a height from 0 to 1, evenly in its logarithm where it was drawn so."""
    within = trials[0].distributions[name]
    if isinstance(within, optuna.distributions.CategoricalDistribution):
        most = max(1, len(within.choices) - 1)
        return [within.choices.index(each.params[name]) / most for each in trials]
    assert isinstance(
        within, optuna.distributions.FloatDistribution | optuna.distributions.IntDistribution
    )
    change = math.log if within.log else float
    low, high = change(within.low), change(within.high)
    return [(change(each.params[name]) - low) / (high - low) for each in trials]


def _ends(trials: list[optuna.trial.FrozenTrial], name: str) -> str:
    within = trials[0].distributions[name]
    if isinstance(within, optuna.distributions.CategoricalDistribution):
        return " · ".join(str(each) for each in within.choices)
    assert isinstance(
        within, optuna.distributions.FloatDistribution | optuna.distributions.IntDistribution
    )
    return f"{within.low:g} – {within.high:g}"
