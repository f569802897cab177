"""Trains one recipe: one plain loop over images that lie in memory as one tensor.

    train(recipe.load("lenet5"), data.load("fashion-mnist"), seed=0, out=Path("runs/lenet5-0"))

Indexing one resident tensor and augmenting whole batches is more than twice as fast on two cores as
the usual `DataLoader` with transforms image by image. The same seed gives the same bits on one
machine with the same number of threads.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from reference import evaluation, fingerprint, models
from reference.augment import EvaluationTransform, TrainingTransform
from reference.data import ImageSet, stratified_split
from reference.recipe import QUICK_IMAGES, AugmentationSettings, Recipe, TrainingSettings, quick
from reference.runs import CHECKPOINT, RECORD, RESULTS, RunRecord

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Images of one purpose, on the device: uint8 N×C×H×W and int64 N."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The image set divided: `training` for weights, `validation` for choices, `test` for once."""

    training: Part
    validation: Part
    test: Part


@dataclass(frozen=True, kw_only=True)
class Selected:
    """The epoch that was kept, and its weights."""

    epoch: dict[str, Any]
    weights: dict[str, Tensor]


def train(
    recipe: Recipe,
    images: ImageSet,
    *,
    seed: int,
    out: Path,
    smoke: bool = False,
    say: Say = lambda line: None,
) -> RunRecord:
    """Train, select on validation, read the test set once; the folder `out` then holds the run.

    `smoke` cuts the run to seconds. `say` gets one line an epoch; a terminal gets a progress bar.
    """
    recipe = quick(recipe) if smoke else recipe
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    make_deterministic(seed)
    parts = divide(images, recipe.training.validation, seed=seed, device=device, smoke=smoke)
    transform = evaluation_transform(recipe, parts.training.images)
    model = new_model(recipe, images, transform.size).to(device)
    model = model.to(memory_format=torch.channels_last)

    started = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    (out / RECORD).unlink(missing_ok=True)  # until this run is finished there is none
    with (out / RESULTS).open("w", encoding="utf-8") as lines:
        selected = fit(model, parts, transform, recipe, seed=seed, lines=lines, say=say)
    seconds = time.perf_counter() - started

    model.load_state_dict(selected.weights)
    scores = evaluation.predict(model, parts.test.images, transform)
    save_file(selected.weights, out / CHECKPOINT)
    record = RunRecord(
        recipe=recipe.name,
        title=recipe.title,
        seed=seed,
        quick=smoke,
        model=recipe.model.name,
        options=models.find(recipe.model.name).with_options(recipe.model.options),
        classes=images.classes,
        channels=parts.training.images.shape[1],
        size=transform.size,
        mean=transform.mean,
        std=transform.std,
        data={"name": images.name, "origin": images.origin, "sha256": images.fingerprint},
        settings=dataclasses.asdict(recipe),
        environment=environment(device, recipe.training),
        code=fingerprint.of_training(models.find(recipe.model.name).source_file),
        confusion=evaluation.confusion(scores, parts.test.labels).tolist(),
        result={
            "epoch": selected.epoch["epoch"],
            "train_loss": selected.epoch["train_loss"],
            "train_accuracy": selected.epoch["train_accuracy"],
            "validation_accuracy": selected.epoch["validation_accuracy"],
            "test_accuracy": evaluation.accuracy(scores, parts.test.labels),
            "test_images": len(parts.test.labels),
            "seconds": round(seconds, 1),
        },
    )
    record.write(out)
    return record


def fit(
    model: nn.Module,
    parts: Parts,
    transform: EvaluationTransform,
    recipe: Recipe,
    *,
    seed: int,
    lines: TextIO,
    say: Say,
) -> Selected:
    """The loop: weights from `parts.training`, the epoch to keep from `parts.validation`."""
    settings = recipe.training
    augment = training_transform(transform, recipe.augmentation)
    steps = settings.epochs * math.ceil(len(parts.training.labels) / settings.batch_size)
    optimiser = new_optimiser(model, settings)
    schedule = LambdaLR(optimiser, lambda step: lr_factor(step, steps, settings))
    generator = torch.Generator().manual_seed(seed)
    half = autocast(settings, parts.training.images.device)
    selected: Selected | None = None
    # disable=None: no bar where stderr is not a terminal
    with tqdm(total=steps, desc=recipe.name, unit="step", leave=False, disable=None) as bar:
        for epoch in range(1, settings.epochs + 1):
            started = time.perf_counter()
            model.train()
            order = torch.randperm(len(parts.training.labels), generator=generator)
            outputs = []
            for batch in order.split(settings.batch_size):
                images = augment(parts.training.images[batch], generator)
                labels = parts.training.labels[batch]
                with half:
                    logits = model(images)
                loss = functional.cross_entropy(
                    logits.float(), labels, label_smoothing=settings.label_smoothing
                )
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                outputs.append(logits.detach().float())
                bar.update()
            scores, labels = torch.cat(outputs), parts.training.labels[order]
            measured = {
                "epoch": epoch,
                "lr": schedule.get_last_lr()[0],
                "train_loss": functional.cross_entropy(scores, labels).item(),
                "train_accuracy": evaluation.accuracy(scores.cpu(), labels),
                "validation_accuracy": validate(model, parts.validation, transform),
                "seconds": round(time.perf_counter() - started, 2),
            }
            print(json.dumps(measured), file=lines, flush=True)
            with tqdm.external_write_mode():
                say(f"epoch {epoch}/{settings.epochs}: {_words(measured)}")
            if selected is None or is_better(measured, selected.epoch, settings):
                selected = Selected(epoch=measured, weights=copy_weights(model))
    assert selected is not None  # a recipe has at least one epoch
    return selected


def make_deterministic(seed: int) -> None:
    """Seed the weights and dropout, and refuse algorithms that differ from run to run."""
    # cuBLAS reads this when it starts; without it deterministic mode refuses every product
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    # a test accuracy measured in TF32 would not be the one of the same model on a CPU
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(seed)


def divide(
    images: ImageSet, validation: float, *, seed: int, device: torch.device, smoke: bool
) -> Parts:
    """Training, validation (a stratified share of the training images) and test, on the device."""
    training_rows, validation_rows = stratified_split(images.train_labels, validation, seed=seed)
    if smoke:
        share = min(1.0, QUICK_IMAGES / len(training_rows))
        _, few = stratified_split(images.train_labels[training_rows], share, seed=seed)
        training_rows = training_rows[few]
    everything = np.arange(len(images.test_labels))

    def part(pixels: NDArray[np.uint8], labels: NDArray[np.int64], rows: NDArray[np.int64]) -> Part:
        return Part(
            images=torch.from_numpy(pixels[rows]).to(device),
            labels=torch.from_numpy(labels[rows]).to(device),
        )

    return Parts(
        training=part(images.train_images, images.train_labels, training_rows),
        validation=part(images.train_images, images.train_labels, validation_rows),
        test=part(images.test_images, images.test_labels, everything),
    )


def evaluation_transform(recipe: Recipe, images: Tensor) -> EvaluationTransform:
    """Size as the model takes it; mean and SD by channel of these training images, or 0 and 1."""
    channels = images.shape[1]
    mean, std = (0.0,) * channels, (1.0,) * channels
    if recipe.augmentation.normalise == "training_set":
        pixels = images.transpose(0, 1).reshape(channels, -1).double().div(255)
        mean = tuple(round(value, 4) for value in pixels.mean(1).tolist())
        std = tuple(round(value, 4) for value in pixels.std(1).tolist())
    return EvaluationTransform(size=models.find(recipe.model.name).size, mean=mean, std=std)


def training_transform(
    transform: EvaluationTransform, settings: AugmentationSettings
) -> TrainingTransform:
    """The recipe's random steps before `transform`."""
    return TrainingTransform(
        evaluation=transform, shift=settings.shift, flip=settings.flip, cutout=settings.cutout
    )


def new_model(recipe: Recipe, images: ImageSet, size: int) -> nn.Module:
    """The recipe's model with weights drawn from torch's global generator."""
    model = models.find(recipe.model.name).build(
        len(images.classes),
        channels=images.train_images.shape[1],
        size=size,
        **recipe.model.options,
    )
    if recipe.training.init == "xavier":
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
    return model


def new_optimiser(model: nn.Module, settings: TrainingSettings) -> Optimizer:
    """SGD or AdamW; batch normalisation and biases are left out of weight decay."""
    decayed = [weight for weight in model.parameters() if weight.ndim > 1]
    others = [weight for weight in model.parameters() if weight.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if settings.optimiser == "adamw":
        return AdamW(groups, lr=settings.lr, fused=True)
    momentum = settings.momentum
    return SGD(groups, lr=settings.lr, momentum=momentum, nesterov=momentum > 0, fused=True)


def lr_factor(step: int, steps: int, settings: TrainingSettings) -> float:
    """What the learning rate is multiplied by at a step (counted from 0) of all `steps`."""
    done = step / steps
    if settings.schedule == "none":
        return 1.0
    if settings.schedule == "step":
        return 0.1 ** sum(done >= share for share in (0.5, 0.75))
    if done < settings.warmup:
        return max(done, 1 / steps) / settings.warmup
    return 0.5 * (1 + math.cos(math.pi * (done - settings.warmup) / (1 - settings.warmup)))


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
    capabilities: dict[str, bool] = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


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


def _words(measured: dict[str, Any]) -> str:
    validation = measured["validation_accuracy"]
    shown = "" if validation is None else f", validation {validation:.4f}"
    return f"loss {measured['train_loss']:.4f}{shown}, {measured['seconds']:.1f} s"
