"""How the learning rate goes from step to step."""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Optimizer

from reference.recipe.training_settings import TrainingSettings

THRESHOLD = 1e-4  # PyTorch's default


class Schedule:
    """Sets an optimiser's learning rate before every step; `plateau` also looks at validation.

    The rate is the recipe's times `lr_factor`, a function of the step alone, times what plateaus
    have taken off. So a resumed run goes on with the same rates.
    """

    def __init__(
        self, optimiser: Optimizer, settings: TrainingSettings, *, steps_per_epoch: int
    ) -> None:
        self._optimiser = optimiser
        self._settings = settings
        self._steps_per_epoch = steps_per_epoch
        self._step = 0
        self._plateau = 1.0
        self._best = -math.inf
        self._waited = 0

    @property
    def lr(self) -> float:
        """The rate of the coming step."""
        factor = lr_factor(self._step, self._steps_per_epoch, self._settings)
        return self._settings.lr * factor * self._plateau

    def apply(self) -> None:
        """Give the optimiser the rate of the coming step, and go on to the one after."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.lr * group.get("factor", 1.0)
        self._step += 1

    def end_epoch(self, validation_accuracy: float | None) -> None:
        """Lower the rate if the accuracy has not risen for more than `patience` epochs.

        As `torch.optim.lr_scheduler.ReduceLROnPlateau(mode="max")`: it has to rise by more than a
        ten-thousandth of itself.
        """
        if self._settings.schedule != "plateau" or validation_accuracy is None:
            return
        if validation_accuracy > self._best * (1 + THRESHOLD):
            self._best, self._waited = validation_accuracy, 0
            return
        self._waited += 1
        if self._waited > self._settings.patience:
            self._plateau *= self._settings.gamma
            self._waited = 0

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on from here."""
        return {
            "step": self._step,
            "plateau": self._plateau,
            "best": self._best,
            "waited": self._waited,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self._step, self._plateau = state["step"], state["plateau"]
        self._best, self._waited = state["best"], state["waited"]


def lr_factor(step: int, steps_per_epoch: int, settings: TrainingSettings) -> float:
    """What the learning rate is multiplied by at a step, counted from 0, plateaus apart."""
    steps = settings.epochs * steps_per_epoch
    done, epoch = step / steps, step // steps_per_epoch
    if done < settings.warmup:
        return min(1.0, max(done, 1 / steps) / settings.warmup)
    if settings.schedule == "step":
        period = max(1, round(settings.period * settings.epochs))
        return float(settings.gamma ** (epoch // period))
    if settings.schedule == "multistep":
        return float(settings.gamma ** sum(epoch >= each for each in milestones_of(settings)))
    if settings.schedule == "exponential":
        return float(settings.gamma**epoch)
    if settings.schedule in ("cosine", "one_cycle"):
        return 0.5 * (1 + math.cos(math.pi * (done - settings.warmup) / (1 - settings.warmup)))
    return 1.0


def milestones_of(settings: TrainingSettings) -> list[int]:
    """Epochs, counted from 0, from which on the rate is lower: each later than the one before.

    In a short run shares may round to one epoch; falling together they would be one large step.
    """
    found: list[int] = []
    for share in settings.milestones:
        found.append(max(round(share * settings.epochs), found[-1] + 1 if found else 1))
    return found
