"""The command `reference search`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.command("search")
@click.argument("recipe")
@click.option("--data", metavar="SET", help="Image set. Default: the recipe's own.")
@click.option("--trials", type=click.IntRange(min=1), default=40, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option(
    "--fresh",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Seeds that the winner and the recipe as it is are trained with at the end.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Default: searches/RECIPE.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def search_command(
    recipe: str,
    data: str | None,
    trials: int,
    seed: int,
    fresh: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Search the settings that RECIPE's [search] table names, judged on validation images.

    Can be killed and started again: it goes on where it was, and ends as it would have. What wins
    is trained anew with fresh seeds beside the recipe as it is, before it is believed.

    \b
    Example: reference search search --trials 40
    """
    from reference.recipe import recipe as recipes
    from reference.recipe.stand_in import images_for
    from reference.searching import confirming, plots
    from reference.searching.search import ended, search, settings_told

    images = images_for(recipe, data, say=_talk)
    settings = recipes.load(recipe, data=images.name)
    folder = out or Path("searches") / settings.full_name
    study = search(settings, images, folder, trials=trials, seed=seed, say=_talk)
    best, searched = study.best_trial, study.best_value
    for path in plots.plot(study, folder):
        _talk(f"plot: {path}")
    found: dict[str, Any] = {
        "trials": len(ended(study)),
        "trial": best.user_attrs["place"],
        "validation_accuracy": searched,
        "settings": best.params,
    }
    said = f"best of {found['trials']}: trial {found['trial'] + 1}, {settings_told(best.params)}"
    if fresh:
        seeds = tuple(range(seed + 1, seed + 1 + fresh))
        confirmed = confirming.confirm(
            settings, best.params, searched, images, folder, seeds=seeds, say=_talk
        )
        found |= {"winner": confirmed.winner.mean, "recipe": confirmed.recipe.mean}
        said += f"\n{confirmed}"
    click.echo(json.dumps(found) if as_json else said)


def _talk(line: str) -> None:
    click.echo(line, err=True)
