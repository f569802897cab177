"""Runs a recipe, or every case of one that stands for a table, over its seeds.

What is finished already is kept, and what was interrupted goes on: a sweep can be stopped and
started again at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reference.data import ImageSet
from reference.recipe import recipe as recipes
from reference.recipe.recipe import Recipe
from reference.results.cards import settings_of
from reference.results.collection import finished_runs, runs_of

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One run of a sweep. `done` is the folder of a finished run of the same training."""

    recipe: Recipe
    seed: int
    out: Path
    done: Path | None


def plan(name: str, data: str, runs: Path, *, seeds: Sequence[int] = ()) -> tuple[Planned, ...]:
    """Every run of the sweep, all cases of one seed before the next seed.

    Raises:
        RecipeError: see `recipe.load`.
        RunError: a run below `runs` can't be read.
    """
    finished = finished_runs(runs)
    settings = settings_of(name, data)
    own = recipes.load(name).data == data
    planned = []
    for seed in seeds or settings[0].seeds:
        for each in settings:
            found = runs_of(each, finished).get(seed)
            stem = each.full_name if own else f"{each.full_name}-on-{data}"
            planned.append(
                Planned(
                    recipe=each,
                    seed=seed,
                    out=runs / f"{stem}-{seed}",
                    done=found.folder if found else None,
                )
            )
    return tuple(planned)


def run(planned: Sequence[Planned], images: ImageSet, *, say: Say = lambda line: None) -> None:
    """Train what is not finished yet."""
    from reference.training.train import train

    for number, each in enumerate(planned, 1):
        place = f"{number}/{len(planned)} {each.recipe.full_name}, seed {each.seed}"
        if each.done:
            say(f"{place}: finished in {each.done}")
            continue
        say(place)
        train(each.recipe, images, seed=each.seed, out=each.out, resume=True, say=say)
