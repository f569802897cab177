"""Which images a recipe is trained on here: its own, or others where those can't be had."""

from __future__ import annotations

from collections.abc import Callable

from reference import data as sets
from reference.data import ImageSet
from reference.errors import NoData
from reference.recipe import recipe as recipes

Say = Callable[[str], None]


def images_for(name: str, data: str | None, *, say: Say = lambda line: None) -> ImageSet:
    """The set `data`; without it the recipe's own, or its stand-in where that is nowhere.

    `say` is told what is trained on, and why it is not the recipe's own.

    Raises:
        RecipeError: see `recipe.load`.
        DataError: neither can be had, or what lies here is damaged.
    """
    recipe = recipes.load(name, data=data)
    try:
        images = sets.load(recipe.data)
    except NoData as error:
        if data is not None or not recipe.stand_in:
            raise
        say(f"{error}. In its place {recipe.stand_in}:")
        images = sets.load(recipe.stand_in)
    say(f"{images.title} from {images.origin}")
    return images
