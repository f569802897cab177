"""Trains one recipe: divides the images, seeds, goes on where it was interrupted, keeps a record.

    train(recipe.load("lenet5"), data.load("fashion-mnist"), seed=0, out=Path("runs/lenet5-0"))

The loop itself is `loop.fit`. Images lie in memory as one tensor: indexing that and augmenting
whole batches is more than twice as fast on two cores as the usual `DataLoader` with transforms
image by image. The same seed gives the same bits on one machine with the same number of threads.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from reference import models
from reference.data import ImageSet
from reference.recipe.recipe import SECTIONS, Recipe, quick
from reference.training import evaluation, fingerprint
from reference.training.learner import (
    Learner,
    begin_retraining,
    copy_weights,
    images_shown,
    new_learner,
    new_model,
    retraining,
)
from reference.training.loop import fit
from reference.training.parts import (
    Parts,
    Pixels,
    Source,
    divide,
    evaluation_transform,
    input_channels,
)
from reference.training.runs import (
    CHECKPOINT,
    RECORD,
    Answers,
    RunRecord,
    discard_unfinished,
    environment,
    load_unfinished,
    save_unfinished,
    write_results,
)
from reference.training.steps import log_prior
from reference.training.transforms.evaluating import EvaluationTransform

LOADED = fingerprint.of_loop()
FIRST = "first"  # the run, in a run's folder, that its class weights were measured on
Say = Callable[[str], None]
Watch = Callable[[dict[str, Any]], None]


def train(
    recipe: Recipe,
    images: ImageSet,
    *,
    seed: int,
    out: Path,
    smoke: bool = False,
    resume: bool = False,
    say: Say = lambda line: None,
    watch: Watch = lambda measured: None,
) -> RunRecord:
    """Train, select on validation, read the test set once; the folder `out` then holds the run.

    `smoke` cuts the run to seconds. `resume` goes on with a run that was interrupted in `out`, to
    the same bits. `say` gets one line an epoch and `watch` its figures; a terminal gets a bar.

    Raises:
        RunError: the run to be resumed is of another training, or damaged.
        RecipeError: it keeps validation images of a set that is too small to give any, or cuts
            out more than the images have.
        ModelError: the model does not take images of this size.
        NoData: the weights to begin from can't be had.
    """
    recipe = quick(recipe) if smoke else recipe
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    again = {"seed": seed, "smoke": smoke, "resume": resume, "say": say}
    aucs = first_aucs(recipe, images, out / FIRST, **again)
    make_deterministic(seed)
    parts = divide(images, recipe, seed=seed, device=device, smoke=smoke)
    transform = evaluation_transform(recipe, parts.originals)
    channels = input_channels(recipe, parts.training.images)
    model = new_model(recipe, len(images.classes), channels).to(device)
    # torch's own annotations have this argument for tensors only
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learner = new_learner(model, recipe, parts, seed=seed, aucs=aucs)
    source = source_of(model, parts, transform, recipe)

    out.mkdir(parents=True, exist_ok=True)
    belongs_to = {
        "recipe": repr([getattr(recipe, each) for each in ("model", *SECTIONS)]),
        "smoke": smoke,
        "seed": seed,
        "images": images.fingerprint,
        "device": device.type,
    }
    if resume and (state := load_unfinished(out, belongs_to=belongs_to)):
        if state.get("retraining"):
            begin_retraining(learner, recipe, parts, seed=seed)
        learner.load_state_dict(state)
        say(f"going on after epoch {len(learner.epochs)}")
    (out / RECORD).unlink(missing_ok=True)  # until this run is finished there is none
    write_results(out, learner.epochs)  # it may have been killed before it wrote its last epoch
    for measured in fit_both(learner, source, parts, recipe, seed=seed):
        save_unfinished(out, learner.state_dict(), belongs_to=belongs_to)
        write_results(out, learner.epochs)
        with tqdm.external_write_mode():
            last = recipe.training.epochs + recipe.training.retrain
            say(f"epoch {measured['epoch']}/{last}: {_words(measured)}")
        watch(measured)
    record = finish(learner, parts, transform, recipe, images, seed=seed, smoke=smoke, out=out)
    discard_unfinished(out)
    return record


def first_aucs(recipe: Recipe, images: ImageSet, out: Path, **how: Any) -> Tensor | None:
    """Areas under the ROC curves of a first training by cross-entropy, where the loss asks for it.

    Float64 K. `auc_of = "held_out"` measures them on the test images, as report 003 did: what is
    chosen so has seen them, and its own test accuracy is no longer one of unseen images.
    """
    if recipe.training.loss != "auc_weighted":
        return None
    plain = dataclasses.replace(recipe.training, loss="cross_entropy")
    train(dataclasses.replace(recipe, training=plain), images, out=out, **how)
    answers = Answers.read(out)
    scores, labels = answers.test, images.test_labels
    if recipe.training.auc_of == "validation":
        scores, labels = answers.validation, images.train_labels[answers.validation_rows.numpy()]
    found = evaluation.class_aucs(scores, torch.from_numpy(labels))
    return torch.tensor([1.0 if each is None else each for each in found], dtype=torch.float64)


def source_of(
    model: nn.Module, parts: Parts, transform: EvaluationTransform, recipe: Recipe
) -> Source:
    """What batches are taken from: images, or what frozen modules have answered to them once."""
    if not recipe.training.cache_features:
        return Pixels(parts, transform, recipe)
    from reference.training.cached_features import Features

    return Features(model, parts, transform, recipe)


def fit_both(
    learner: Learner, source: Source, parts: Parts, recipe: Recipe, *, seed: int
) -> Iterator[dict[str, Any]]:
    """`fit`, and once more for the classifier where the recipe trains that anew."""
    if not learner.retraining:
        yield from fit(learner, source, recipe, last=recipe.training.epochs)
    if recipe.training.retrain:
        if not learner.retraining:
            begin_retraining(learner, recipe, parts, seed=seed)
        last = recipe.training.epochs + recipe.training.retrain
        yield from fit(learner, source, retraining(recipe), last=last)


def finish(
    learner: Learner,
    parts: Parts,
    transform: EvaluationTransform,
    recipe: Recipe,
    images: ImageSet,
    *,
    seed: int,
    smoke: bool,
    out: Path,
) -> RunRecord:
    """Read the test set once, with the weights that were selected, and write the run."""
    model, selected = learner.model, learner.selected
    assert selected is not None  # a recipe has at least one epoch
    model.load_state_dict(selected.weights)
    if recipe.training.adjust:
        from reference.training.freezing import lower_biases

        prior = log_prior(images_shown(parts, recipe))
        classifier = models.find(recipe.model.name).classifier
        lower_biases(model, classifier, recipe.training.adjust * prior)
    answers = Answers(
        validation_rows=parts.validation_rows,
        validation=evaluation.predict(model, parts.validation.images, transform),
        test=evaluation.predict(model, parts.test.images, transform),
    )
    save_file(copy_weights(model), out / CHECKPOINT)
    answers.write(out)
    record = RunRecord(
        recipe=recipe.full_name,
        title=recipe.title,
        seed=seed,
        quick=smoke,
        model=recipe.model.name,
        options=models.find(recipe.model.name).with_options(recipe.model.options),
        classes=images.classes,
        channels=input_channels(recipe, parts.training.images),
        size=transform.size,
        mean=transform.mean,
        std=transform.std,
        enlarge=transform.enlarge,
        mirror=transform.mirror,
        data={
            "name": images.name,
            "title": images.title,
            "origin": images.origin,
            "notice": images.notice,
            "sha256": images.fingerprint,
        },
        settings=dataclasses.asdict(recipe),
        environment=environment(parts.training.images.device, recipe.training),
        code=fingerprint.of_training(models.find(recipe.model.name).source_file, LOADED),
        confusion=evaluation.confusion(answers.test, parts.test.labels).tolist(),
        images_per_class=parts.images_per_class,
        result={
            "epoch": selected.epoch["epoch"],
            "train_loss": selected.epoch["train_loss"],
            "train_accuracy": selected.epoch["train_accuracy"],
            "validation_accuracy": selected.epoch["validation_accuracy"],
            "test_accuracy": evaluation.accuracy(answers.test, parts.test.labels),
            "test_images": len(parts.test.labels),
            "seconds": round(sum(epoch["seconds"] for epoch in learner.epochs), 1),
        },
    )
    record.write(out)
    return record


def make_deterministic(seed: int) -> None:
    """Seed the weights and dropout, and refuse algorithms that differ from run to run."""
    # cuBLAS reads this when it starts; without it deterministic mode refuses every product
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    # filling each new tensor with NaN, to find reads of what was never written, takes a sixth
    # (a property: torch puts an object in the place of that module, which the annotations lack)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    # a test accuracy measured in TF32 would not be the one of the same model on a CPU
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(seed)


def _words(measured: dict[str, Any]) -> str:
    validation = measured["validation_accuracy"]
    shown = "" if validation is None else f", validation {validation:.4f}"
    return f"loss {measured['train_loss']:.4f}{shown}, {measured['seconds']:.1f} s"
