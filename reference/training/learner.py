"""A model in training, with all that its next step depends on."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from reference import models
from reference.errors import ModelError
from reference.recipe.recipe import Recipe
from reference.recipe.settings import TrainingSettings
from reference.training.parts import Parts, batches, input_size, shown
from reference.training.steps import Loss, Schedule, new_loss, new_optimiser


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


def new_model(recipe: Recipe, num_classes: int, channels: int) -> nn.Module:
    """The recipe's model with weights drawn from torch's global generator, or those of others.

    Raises:
        ModelError: it does not take images of this size, or the weights do not fit.
        NoData: the weights can't be had.
    """
    try:
        model = models.find(recipe.model.name).build(
            num_classes, channels=channels, size=input_size(recipe), **recipe.model.options
        )
    except ValueError as error:  # families know no error of ours: bundles carry their files
        raise ModelError(f"{recipe.model.name}: {error}") from error
    if recipe.model.weights:
        from reference.models import pretrained

        entry = models.find(recipe.model.name)
        pretrained.load_into(model, pretrained.find(recipe.model.weights), entry.classifier)
    if recipe.training.init == "xavier":
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
    return model


def new_learner(
    model: nn.Module, recipe: Recipe, parts: Parts, *, seed: int, aucs: Tensor | None = None
) -> Learner:
    """A model before its first step; `aucs` (K) of another where the loss is made of them."""
    settings = recipe.training
    frozen: tuple[str, ...] = ()
    if settings.freeze:
        from reference.training.freezing import freeze

        frozen = freeze(model, settings.freeze)
    optimiser = new_optimiser(model, settings)
    steps_per_epoch = len(batches(parts.training.labels, settings.batch_size))
    return Learner(
        model=model,
        loss=new_loss(settings, images_shown(parts, recipe), aucs),
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
    from reference.training.freezing import draw_anew, freeze_all_but

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


def train_mode(model: nn.Module, frozen: Collection[str]) -> None:
    """Training mode, but for frozen modules: their batch statistics and dropout stand still too.

    Taking no gradients alone does not hold batch normalisation: its means go on with every batch.
    """
    model.train()
    for name in frozen:
        model.get_submodule(name).eval()


def has_stalled(epochs: Sequence[dict[str, Any]], patience: int) -> bool:
    """Whether the last `patience` epochs brought no better validation accuracy; 0: never."""
    if len(epochs) <= patience or not patience:
        return False
    accuracies = [epoch["validation_accuracy"] for epoch in epochs]
    return accuracies.index(max(accuracies)) < len(epochs) - patience


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
