"""Schedules: by hand, and step for step beside PyTorch's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.optim import SGD, Optimizer
from torch.optim import lr_scheduler as theirs

from reference.recipe.recipe import TrainingSettings
from reference.training.steps import Schedule, lr_factor

EPOCHS, STEPS = 10, 4


def settings(**changes: object) -> TrainingSettings:
    return TrainingSettings(**{"epochs": EPOCHS, "batch_size": 1, "lr": 0.5, **changes})


def an_optimiser() -> Optimizer:
    return SGD([torch.zeros(1, requires_grad=True)], lr=0.5)


def rates(changed: TrainingSettings, accuracies: list[float] | None = None) -> list[float]:
    """The learning rate that each step is taken with."""
    optimiser = an_optimiser()
    schedule = Schedule(optimiser, changed, steps_per_epoch=STEPS)
    seen = []
    for epoch in range(EPOCHS):
        for _ in range(STEPS):
            schedule.apply()
            seen.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
        schedule.end_epoch(accuracies[epoch] if accuracies else None)
    return seen


def their_rates(
    new: Callable[[Optimizer], theirs.LRScheduler],
    *,
    by_step: bool = False,
    accuracies: list[float] | None = None,
) -> list[float]:
    optimiser = an_optimiser()
    schedule = new(optimiser)
    seen = []
    for epoch in range(EPOCHS):
        for _ in range(STEPS):
            seen.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            if by_step:
                schedule.step()
        if accuracies:
            schedule.step(accuracies[epoch])
        elif not by_step:
            schedule.step()
    return seen


def test_no_schedule_leaves_the_rate():
    assert set(rates(settings())) == {0.5}


def test_step_is_pytorchs():
    ours = rates(settings(schedule="step", period=0.3, gamma=0.2))

    assert ours == pytest.approx(their_rates(lambda o: theirs.StepLR(o, 3, gamma=0.2)))
    assert ours[:: 3 * STEPS] == pytest.approx([0.5, 0.1, 0.02, 0.004])


def test_multistep_is_pytorchs():
    ours = rates(settings(schedule="multistep", milestones=(0.4, 0.6, 0.8), gamma=0.2))

    by_them = their_rates(lambda o: theirs.MultiStepLR(o, [4, 6, 8], gamma=0.2))
    assert ours == pytest.approx(by_them)
    assert ours[-1] == pytest.approx(0.5 * 0.2**3)


def test_milestones_are_the_reports_epochs():
    of_200 = settings(schedule="multistep", milestones=(0.4, 0.6, 0.8), gamma=0.2, epochs=200)

    changes = [
        epoch
        for epoch in range(1, 200)
        if lr_factor(epoch, 1, of_200) != lr_factor(epoch - 1, 1, of_200)
    ]
    assert changes == [80, 120, 160]


def test_milestones_of_a_short_run_do_not_fall_together():
    short = settings(schedule="multistep", milestones=(0.4, 0.6, 0.8), gamma=0.2, epochs=3)

    factors = [lr_factor(epoch, 1, short) for epoch in range(3)]
    assert factors == pytest.approx([1.0, 0.2, 0.04])


def test_exponential_is_pytorchs():
    ours = rates(settings(schedule="exponential", gamma=0.8))

    assert ours == pytest.approx(their_rates(lambda o: theirs.ExponentialLR(o, gamma=0.8)))


def test_cosine_is_pytorchs_to_nothing():
    ours = rates(settings(schedule="cosine"))

    by_them = their_rates(lambda o: theirs.CosineAnnealingLR(o, EPOCHS * STEPS), by_step=True)
    assert ours == pytest.approx(by_them)
    assert ours[len(ours) // 2] == pytest.approx(0.25)


# rises, stands still for six epochs (a ten-thousandth more is none), rises once, falls
ACCURACIES = [0.5, 0.6, 0.6, 0.5, 0.6, 0.60001, 0.6, 0.6, 0.7, 0.6]


@pytest.mark.parametrize("patience", [0, 1, 2, 4])
def test_plateau_is_pytorchs(patience: int):
    ours = rates(settings(schedule="plateau", patience=patience, gamma=0.5), ACCURACIES)

    by_them = their_rates(
        lambda o: theirs.ReduceLROnPlateau(o, mode="max", factor=0.5, patience=patience),
        accuracies=ACCURACIES,
    )
    assert ours == pytest.approx(by_them)
    assert ours[-1] < ours[0]


def test_warm_up_rises_in_a_line_and_joins_what_follows():
    ours = rates(settings(schedule="multistep", milestones=(0.5,), warmup=0.25))

    assert ours[1:11] == pytest.approx([0.5 * step / 10 for step in range(1, 11)])
    assert ours[0] == pytest.approx(0.5 / 10)
    assert ours[10:20] == pytest.approx([0.5] * 10)
    assert ours[20:] == pytest.approx([0.05] * 20)


def test_warm_up_of_less_than_a_step_is_never_above_the_rate():
    ours = rates(settings(schedule="cosine", warmup=0.001))

    assert ours[0] == 0.5
    assert max(ours) == 0.5


def test_one_cycle_rises_then_falls_to_nothing():
    one_cycle = settings(schedule="one_cycle", warmup=0.25)

    factors = [lr_factor(step, STEPS, one_cycle) for step in range(EPOCHS * STEPS + 1)]

    assert 0 < factors[0] <= 0.1
    assert max(factors) == factors[10] == 1.0
    assert factors[:11] == sorted(factors[:11])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[25] == pytest.approx(0.5)
    assert factors[40] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("schedule", ["plateau", "cosine"])
def test_a_schedule_goes_on_from_its_state(schedule: str):
    changed = settings(schedule=schedule, patience=1)
    whole, first, second = (
        Schedule(an_optimiser(), changed, steps_per_epoch=STEPS) for _ in range(3)
    )
    seen = []
    for epoch, accuracy in enumerate(ACCURACIES):
        if epoch == 5:
            second.load_state_dict(first.state_dict())
        halves = first if epoch < 5 else second
        for _ in range(STEPS):
            seen.append((whole.lr, halves.lr))
            whole.apply()
            halves.apply()
        whole.end_epoch(accuracy)
        halves.end_epoch(accuracy)

    assert all(one == other for one, other in seen)
    assert len({one for one, _ in seen}) > 2
