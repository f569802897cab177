"""All that one run is made of, in the order in which it is read: model, loop, recipe, plan."""

from __future__ import annotations

from pathlib import Path

from reference import models
from reference.recipe import recipe as recipes
from reference.recipe.recipe import Recipe

LOOP = Path(__file__).parents[1] / "training" / "loop.py"


def shown(name: str, *, data: str | None = None) -> str:
    """The model's file, the loop's, the recipe's, and what will happen, in order.

    Raises:
        RecipeError: see `recipe.load`.
    """
    settings = recipes.load(name, data=data)
    entry = models.find(settings.model.name)
    files = (entry.source_file, LOOP, recipes.path_of(name))
    texts = [f"# {path.name}\n\n{path.read_text(encoding='utf-8').rstrip()}" for path in files]
    lines = [f"{number}. {line}" for number, line in enumerate(plan(settings), 1)]
    return "\n\n\n".join([*texts, "\n".join(["# What will happen", "", *lines])]) + "\n"


def plan(recipe: Recipe) -> list[str]:
    """What training this recipe does, a sentence a step.

    >>> plan(recipes.load("lenet5"))[0]
    'Load fashion-mnist; keep 0.1 of its training images for validation, by the seed.'
    """
    training, augmentation = recipe.training, recipe.augmentation
    kept = "keep none of its training images"
    if training.validation:
        how = "the same whatever the seed" if training.same_validation else "by the seed"
        kept = f"keep {training.validation:g} of its training images for validation, {how}"
    told = [f"Load {recipe.data}; {kept}.", *_sampled(recipe)]
    size = recipe.model.size or models.find(recipe.model.name).size
    weights = recipe.model.weights or "random weights"
    told.append(f"Build {recipe.model.name} for {size}×{size} pixels from {weights}.")
    if training.freeze:
        told.append(f"Hold {', '.join(training.freeze)} still.")
    steps = " → ".join(
        f"{name} {_written(getattr(augmentation, name))}" for name in augmentation.steps
    )
    after = [f"normalise ({augmentation.normalise})"]
    after += [f"cutout {augmentation.cutout}"] if augmentation.cutout else []
    after += [f"mixup {augmentation.mixup:g}"] if augmentation.mixup else []
    before = f"{steps} → " if steps else ""
    told.append(f"Each batch of {training.batch_size}: {before}{' → '.join(after)}.")
    told.append(
        f"Minimise {training.loss} by {training.optimiser}, lr {training.lr:g}, schedule "
        f"{training.schedule}, weight decay {training.weight_decay:g}, {training.epochs} epochs."
    )
    if training.retrain:
        told.append(f"Train the classifier anew for {training.retrain} epochs, classes balanced.")
    if training.validation:
        told.append("After each epoch: accuracy and the area under each class's ROC curve.")
    chosen = "highest validation accuracy" if training.select == "best" else "last epoch"
    told.append(f"Keep the weights of the {chosen}; read the test images once.")
    return [*told, "Write run.json, results.jsonl, checkpoint.safetensors, answers.safetensors."]


def _sampled(recipe: Recipe) -> list[str]:
    sampling, told = recipe.sampling, []
    if sampling.most:
        told.append(f"Train on at most {sampling.most} images of a class.")
    if sampling.imbalance > 1:
        told.append(f"Thin classes out, {sampling.profile}, to 1 in {sampling.imbalance:g}.")
    if recipe.augmentation.static:
        copies = ", ".join(recipe.augmentation.static)
        told.append(f"Add changed copies of all training images: {copies}.")
    return told


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return "–".join(f"{each:g}" for each in value)
    return "" if value is True else f"{value:g}" if isinstance(value, float) else str(value)
