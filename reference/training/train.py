"""Trains one recipe: one plain loop over images that lie in memory as one tensor.

    train(recipe.load("lenet5"), data.load("fashion-mnist"), seed=0, out=Path("runs/lenet5-0"))

Indexing one resident tensor and augmenting whole batches is more than twice as fast on two cores as
the usual `DataLoader` with transforms image by image. The same seed gives the same bits on one
machine with the same number of threads.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from tqdm import tqdm

from reference import models
from reference.data import ImageSet
from reference.errors import ModelError
from reference.models import pretrained
from reference.recipe.recipe import SECTIONS, Recipe, TrainingSettings, quick
from reference.training import evaluation, fingerprint, resuming
from reference.training.augment import (
    EvaluationTransform,
    TrainingTransform,
    random_mixup,
)
from reference.training.freezing import draw_anew, freeze, freeze_all_but, lower_biases, train_mode
from reference.training.losses import Loss, log_prior, new_loss
from reference.training.optimisers import new_optimiser
from reference.training.parts import (
    Part,
    Parts,
    divide,
    evaluation_transform,
    input_channels,
    input_size,
)
from reference.training.runs import CHECKPOINT, RECORD, RunRecord, write_results
from reference.training.sampling import epoch_order, shown
from reference.training.schedules import Schedule

LOADED = fingerprint.of_loop()
Say = Callable[[str], None]
Watch = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Selected:
    """The epoch that was kept, and its weights."""

    epoch: dict[str, Any]
    weights: dict[str, Tensor]


@dataclass(kw_only=True)
class Learner:
    """A model in training, with all that its next step depends on.

    Attributes:
        epochs: what each epoch measured. selected: the one to keep so far.
        frozen: names of the modules that stand still. retraining: whether the classifier is
            trained anew by now.
    """

    model: nn.Module
    loss: Loss
    optimiser: Optimizer
    schedule: Schedule
    generator: torch.Generator
    epochs: list[dict[str, Any]] = field(default_factory=list)
    selected: Selected | None = None
    frozen: tuple[str, ...] = ()
    retraining: bool = False

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on from here; torch's own generators are apart."""
        assert self.selected is not None  # taken after an epoch
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
            "epochs": self.epochs,
            "selected": dataclasses.asdict(self.selected),
            "retraining": self.retraining,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.generator.set_state(state["generator"])
        self.epochs = state["epochs"]
        self.selected = Selected(**state["selected"])


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
    """
    recipe = quick(recipe) if smoke else recipe
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    make_deterministic(seed)
    parts = divide(images, recipe, seed=seed, device=device, smoke=smoke)
    transform = evaluation_transform(recipe, parts.training.images)
    channels = input_channels(recipe, parts.training.images)
    model = new_model(recipe, len(images.classes), channels).to(device)
    # torch's own annotations have this argument for tensors only
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learner = new_learner(model, recipe, parts, seed=seed)

    out.mkdir(parents=True, exist_ok=True)
    belongs_to = {
        "recipe": repr([getattr(recipe, each) for each in ("model", *SECTIONS)]),
        "smoke": smoke,
        "seed": seed,
        "images": images.fingerprint,
        "device": device.type,
    }
    if resume and (state := resuming.load(out, belongs_to=belongs_to)):
        if state.get("retraining"):
            begin_retraining(learner, recipe, parts, seed=seed)
        learner.load_state_dict(state)
        say(f"going on after epoch {len(learner.epochs)}")
    (out / RECORD).unlink(missing_ok=True)  # until this run is finished there is none
    write_results(out, learner.epochs)  # it may have been killed before it wrote its last epoch
    for measured in fit_both(learner, parts, transform, recipe, seed=seed):
        resuming.save(out, learner.state_dict(), belongs_to=belongs_to)
        write_results(out, learner.epochs)
        with tqdm.external_write_mode():
            last = recipe.training.epochs + recipe.training.retrain
            say(f"epoch {measured['epoch']}/{last}: {_words(measured)}")
        watch(measured)
    selected = learner.selected
    assert selected is not None  # a recipe has at least one epoch

    model.load_state_dict(selected.weights)
    if recipe.training.adjust:
        prior = log_prior(images_shown(parts, recipe))
        classifier = models.find(recipe.model.name).classifier
        lower_biases(model, classifier, recipe.training.adjust * prior)
    scores = evaluation.predict(model, parts.test.images, transform)
    save_file(copy_weights(model), out / CHECKPOINT)
    record = RunRecord(
        recipe=recipe.full_name,
        title=recipe.title,
        seed=seed,
        quick=smoke,
        model=recipe.model.name,
        options=models.find(recipe.model.name).with_options(recipe.model.options),
        classes=images.classes,
        channels=channels,
        size=transform.size,
        mean=transform.mean,
        std=transform.std,
        data={
            "name": images.name,
            "title": images.title,
            "origin": images.origin,
            "notice": images.notice,
            "sha256": images.fingerprint,
        },
        settings=dataclasses.asdict(recipe),
        environment=environment(device, recipe.training),
        code=fingerprint.of_training(models.find(recipe.model.name).source_file, LOADED),
        confusion=evaluation.confusion(scores, parts.test.labels).tolist(),
        images_per_class=parts.images_per_class,
        result={
            "epoch": selected.epoch["epoch"],
            "train_loss": selected.epoch["train_loss"],
            "train_accuracy": selected.epoch["train_accuracy"],
            "validation_accuracy": selected.epoch["validation_accuracy"],
            "test_accuracy": evaluation.accuracy(scores, parts.test.labels),
            "test_images": len(parts.test.labels),
            "seconds": round(sum(epoch["seconds"] for epoch in learner.epochs), 1),
        },
    )
    record.write(out)
    resuming.discard(out)
    return record


def new_learner(model: nn.Module, recipe: Recipe, parts: Parts, *, seed: int) -> Learner:
    """A model before its first step."""
    settings = recipe.training
    frozen = freeze(model, settings.freeze)
    optimiser = new_optimiser(model, settings)
    steps_per_epoch = len(batches(parts.training.labels, settings.batch_size))
    return Learner(
        model=model,
        loss=new_loss(settings, images_shown(parts, recipe)),
        optimiser=optimiser,
        schedule=Schedule(optimiser, settings, steps_per_epoch=steps_per_epoch),
        generator=torch.Generator().manual_seed(seed),
        frozen=frozen if settings.frozen_statistics == "held" else (),
    )


def images_shown(parts: Parts, recipe: Recipe) -> Tensor:
    """How many images of each class an epoch shows: float64 K."""
    return shown(parts.training.labels, parts.num_classes, recipe.sampling.draw)


def begin_retraining(learner: Learner, recipe: Recipe, parts: Parts, *, seed: int) -> None:
    """Take the weights that were selected, but for a fresh classifier, which alone learns on."""
    if learner.selected is not None:
        learner.model.load_state_dict(learner.selected.weights)
    classifier = models.find(recipe.model.name).classifier
    draw_anew(learner.model.get_submodule(classifier), seed=seed)
    learner.frozen = freeze_all_but(learner.model, classifier)
    second = new_learner(learner.model, retraining(recipe), parts, seed=seed)
    learner.loss, learner.optimiser = second.loss, second.optimiser
    learner.schedule, learner.selected, learner.retraining = second.schedule, None, True


def retraining(recipe: Recipe) -> Recipe:
    """The recipe of the classifier's second training, a balanced one."""
    training = dataclasses.replace(
        recipe.training, epochs=recipe.training.retrain, retrain=0, loss="cross_entropy"
    )
    sampling = dataclasses.replace(recipe.sampling, draw="class_balanced")
    return dataclasses.replace(recipe, training=training, sampling=sampling)


def batches(order: Tensor, size: int) -> list[Tensor]:
    """Rows in parts of `size`; the last part is what is left.

    A single image that is left joins the part before it: batch normalisation of 1×1 maps has
    nothing to normalise one image by.
    """
    parts = list(order.split(size))
    if size > 1 and len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def fit_both(
    learner: Learner, parts: Parts, transform: EvaluationTransform, recipe: Recipe, *, seed: int
) -> Iterator[dict[str, Any]]:
    """`fit`, and once more for the classifier where the recipe trains that anew."""
    if not learner.retraining:
        yield from fit(learner, parts, transform, recipe, last=recipe.training.epochs)
    if recipe.training.retrain:
        if not learner.retraining:
            begin_retraining(learner, recipe, parts, seed=seed)
        last = recipe.training.epochs + recipe.training.retrain
        yield from fit(learner, parts, transform, retraining(recipe), last=last)


def fit(
    learner: Learner, parts: Parts, transform: EvaluationTransform, recipe: Recipe, *, last: int
) -> Iterator[dict[str, Any]]:
    """The loop: weights from `parts.training`, the epoch to keep from `parts.validation`.

    Yields what each epoch measured, the learner being up to date with it.
    """
    settings, labels = recipe.training, parts.training.labels
    augment = TrainingTransform(evaluation=transform, settings=recipe.augmentation)
    model = learner.model
    if settings.compile:  # annotated as a function, it gives a module for a module
        model = cast("nn.Module", torch.compile(model))
    half = autocast(settings, labels.device)
    first = len(learner.epochs) + 1
    for epoch in range(first, last + 1):
        if has_stalled(learner.epochs, settings.early_stopping):
            return
        started = time.perf_counter()
        train_mode(learner.model, learner.frozen)
        order = epoch_order(labels, parts.num_classes, recipe.sampling.draw, learner.generator)
        outputs = []
        name = f"{recipe.full_name}, epoch {epoch}/{last}"
        for batch in _shown(batches(order, settings.batch_size), name):
            images, targets = (
                augment(parts.training.images[batch], learner.generator),
                labels[batch],
            )
            if recipe.augmentation.mixup:
                images, targets = random_mixup(
                    images, targets, parts.num_classes, recipe.augmentation.mixup, learner.generator
                )
            with half:
                logits = model(images)
            loss = learner.loss(logits.float(), targets)
            learner.optimiser.zero_grad()
            loss.backward()
            learner.schedule.apply()
            learner.optimiser.step()
            outputs.append(logits.detach().float())
        scores = torch.cat(outputs)
        measured = {
            "epoch": epoch,
            "lr": learner.optimiser.param_groups[0]["lr"],
            "train_loss": functional.cross_entropy(scores, labels[order]).item(),
            "train_accuracy": evaluation.accuracy(scores.cpu(), labels[order]),
            "validation_accuracy": validate(learner.model, parts.validation, transform),
            "seconds": round(time.perf_counter() - started, 2),
        }
        learner.schedule.end_epoch(measured["validation_accuracy"])
        learner.epochs.append(measured)
        if learner.selected is None or is_better(measured, learner.selected.epoch, settings):
            learner.selected = Selected(epoch=measured, weights=copy_weights(learner.model))
        yield measured


def has_stalled(epochs: Sequence[dict[str, Any]], patience: int) -> bool:
    """Whether the last `patience` epochs brought no better validation accuracy; 0: never."""
    if len(epochs) <= patience or not patience:
        return False
    accuracies = [epoch["validation_accuracy"] for epoch in epochs]
    return accuracies.index(max(accuracies)) < len(epochs) - patience


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


def new_model(recipe: Recipe, num_classes: int, channels: int) -> nn.Module:
    """The recipe's model with weights drawn from torch's global generator."""
    try:
        model = models.find(recipe.model.name).build(
            num_classes, channels=channels, size=input_size(recipe), **recipe.model.options
        )
    except ValueError as error:  # families know no error of ours: bundles carry their files
        raise ModelError(f"{recipe.model.name}: {error}") from error
    if recipe.model.weights:
        entry = models.find(recipe.model.name)
        pretrained.load_into(model, pretrained.find(recipe.model.weights), entry.classifier)
    if recipe.training.init == "xavier":
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
    return model


def autocast(settings: TrainingSettings, device: torch.device) -> torch.autocast:
    """bfloat16 where the recipe asks for it and the processor multiplies in it, else float32.

    Emulated on a CPU without the instructions it is several times slower than float32.
    """
    return torch.autocast(
        device.type,
        torch.bfloat16,
        enabled=settings.precision == "bfloat16" and has_bfloat16(device),
    )


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16 products."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return any(bool(capabilities.get(name)) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def validate(model: nn.Module, part: Part, transform: EvaluationTransform) -> float | None:
    """Accuracy on the validation images; None where the recipe keeps none."""
    if not len(part.labels):
        return None
    return evaluation.accuracy(evaluation.predict(model, part.images, transform), part.labels)


def is_better(measured: dict[str, Any], kept: dict[str, Any], settings: TrainingSettings) -> bool:
    """Whether to keep this epoch in place of an earlier one; of equals the earlier stays."""
    if settings.select == "last":
        return True
    better: bool = measured["validation_accuracy"] > kept["validation_accuracy"]
    return better


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """The state of the model as it is now, on the CPU, in the order of rows that files hold."""
    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in model.state_dict().items()
    }


def environment(device: torch.device, settings: TrainingSettings) -> dict[str, str | int]:
    """What else the bits depend on."""
    half = settings.precision == "bfloat16" and has_bfloat16(device)
    cpu = str(torch.cpu.get_capabilities().get("cpu_name", platform.machine()))
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        "threads": torch.get_num_threads(),
        "precision": "bfloat16" if half else "float32",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _shown(batches: Sequence[Tensor], name: str) -> Iterable[Tensor]:
    """The batches of an epoch, under a progress bar on a terminal."""
    # disable=None: no bar where stderr is not a terminal
    shown: Iterable[Tensor] = tqdm(batches, desc=name, unit="step", leave=False, disable=None)
    return shown


def _words(measured: dict[str, Any]) -> str:
    validation = measured["validation_accuracy"]
    shown = "" if validation is None else f", validation {validation:.4f}"
    return f"loss {measured['train_loss']:.4f}{shown}, {measured['seconds']:.1f} s"
