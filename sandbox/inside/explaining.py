"""Inside the sandbox: one heat map an image, of what spoke for the class that was answered.

Grad-CAM by hand: the runner has no library for it. A bundle whose model has no maps may make its
own, `explain(model, batch, classes)` in `model.py`. Whatever comes of it is the student's word,
like a prediction: a small square of grey levels, and no more can be said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from sandbox.inside.failing import ProgramFailed
from sandbox.inside.protocol import HEAT_SIDE, Failure
from sandbox.inside.sentences import said


def heat(model: torch.nn.Module, batch: Any, classes: torch.Tensor, own: Any) -> bytes:
    """The heat maps of one batch as they are sent: N × HEAT_SIDE × HEAT_SIDE grey levels.

    `batch` is what `preprocess` gave, `classes` int64 (N,), `own` the bundle's `explain` or None.

    Raises:
        ProgramFailed: the maps are not N×h×w finite numbers, or there is nothing to map.
    """
    make: Callable[..., Any] = grad_cam if own is None else own
    return as_grey(make(model, batch, classes), len(classes))


def grad_cam(model: torch.nn.Module, batch: Any, classes: torch.Tensor) -> torch.Tensor:
    """The last maps of the model, weighed by the mean gradient of the class's score; negative is 0.

    Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2.

    Shapes: classes N int64 → N×h×w float, as large as the maps.

    Raises:
        ProgramFailed: the model gives no scores by class, or has no maps larger than one pixel.
    """
    last: list[torch.Tensor] = []
    hooks = [
        module.register_forward_hook(lambda module, given, made: _keep(made, last, len(classes)))
        for module in model.modules()
        if module is not model
    ]
    try:
        with torch.enable_grad():
            if isinstance(batch, torch.Tensor) and batch.is_floating_point():
                # else a frozen network would pass no gradient on
                batch = batch.detach().clone().requires_grad_()
            scores = model(batch)
            if not isinstance(scores, torch.Tensor) or scores.ndim != 2:
                raise ProgramFailed(Failure.PE, said("run.no_scores_to_explain"))
            if not last:
                raise ProgramFailed(Failure.PE, said("run.no_maps_to_explain"))
            chosen = scores.gather(1, classes.to(scores.device)[:, None]).sum()
            (slope,) = torch.autograd.grad(chosen, last[0])
    finally:
        for hook in hooks:
            hook.remove()
    weights = slope.mean(dim=(2, 3), keepdim=True)
    return (weights * last[0].detach()).sum(dim=1).relu()


def as_grey(maps: Any, rows: int) -> bytes:
    """Maps of any size as squares of one, each divided by its maximum: N×h×w → grey levels.

    Raises:
        ProgramFailed: they are no N×h×w finite real numbers.
    """
    if not isinstance(maps, torch.Tensor):
        raise ProgramFailed(Failure.PE, said("run.heat_not_a_tensor", type=type(maps).__name__))
    shape = tuple(maps.shape)
    if maps.ndim != 3 or shape[0] != rows or 0 in shape or maps.is_complex():
        expected = f"({rows}, h, w)"
        raise ProgramFailed(
            Failure.PE, said("run.heat_of_shape", shape=f"{shape}", expected=expected)
        )
    values = maps.detach().cpu().float()
    if not bool(torch.isfinite(values).all()):
        raise ProgramFailed(Failure.PE, said("run.heat_not_finite"))
    side = (HEAT_SIDE, HEAT_SIDE)
    squares = functional.interpolate(values.relu()[:, None], side, mode="bilinear", antialias=True)
    highest = squares.amax(dim=(2, 3), keepdim=True)
    grey = torch.where(highest > 0, squares / highest.clamp_min(torch.finfo().tiny) * 255, 0.0)
    return grey.round().clamp(0, 255).to(torch.uint8).numpy().tobytes()


def _keep(made: Any, last: list[torch.Tensor], rows: int) -> None:
    """Note a module's output if it is maps of these images that a gradient reaches."""
    if (
        isinstance(made, torch.Tensor)
        and made.ndim == 4
        and len(made) == rows
        and made.shape[2] * made.shape[3] > 1
        and made.requires_grad
    ):
        last[:] = [made]
