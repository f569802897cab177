"""How a training went, epoch by epoch: as a plot in the run's folder, and live in TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from reference.training.runs import RESULTS

CURVES = "curves.png"
EVENTS = "tensorboard"
LOSSES = ("train_loss",)
ACCURACIES = ("train_accuracy", "validation_accuracy")


def plot_curves(run: Path) -> Path:
    """Draw loss, accuracies and learning rate of every epoch of a run into its folder."""
    from matplotlib.figure import Figure

    lines = (run / RESULTS).read_text(encoding="utf-8").splitlines()
    epochs = [json.loads(line) for line in lines]
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    panels = figure.subplots(1, 3)
    for axes, title, keys in zip(
        panels, ("loss", "accuracy", "learning rate"), (LOSSES, ACCURACIES, ("lr",)), strict=True
    ):
        for key in keys:
            if any(each[key] is not None for each in epochs):
                axes.plot([each["epoch"] for each in epochs], [each[key] for each in epochs])
                axes.lines[-1].set(label=key.removesuffix(f"_{title}"), marker=".")
        axes.set(title=title, xlabel="epoch")
        if len(axes.lines) > 1:
            axes.legend()
    figure.savefig(run / CURVES, dpi=120)
    return run / CURVES


class TensorBoard:
    """Writes what each epoch measured where `tensorboard --logdir` looks: a `watch` of `train`.

    Raises:
        ModuleNotFoundError: the extra `tensorboard` is not installed.
    """

    def __init__(self, run: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run / EVENTS))

    def __enter__(self) -> Callable[[dict[str, Any]], None]:
        return self.write

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def write(self, measured: dict[str, Any]) -> None:
        """Every figure of an epoch under its own name; one of each class under `name/number`."""
        for key, value in measured.items():
            if key != "epoch":
                for name, figure in _named(key, value):
                    self._writer.add_scalar(name, figure, measured["epoch"])
        self._writer.flush()


def _named(key: str, value: Any) -> Iterator[tuple[str, float]]:
    """The figures that were measured, each with its name."""
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from _named(f"{key}/{number}", each)
    elif value is not None:
        yield key, value
