"""Images made to please one channel of one layer: by gradient ascent on pixels, by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from reference.errors import ExplainError
from reference.explain.maps import check_layer

STEPS = 128
RATE = 0.05
ROUGHNESS = 0.05
JITTER = 2


def activation(model: nn.Module, inputs: Tensor, layer: str, channel: int) -> Tensor:
    """The mean of one channel of one layer's output, image by image: N×C×H×W → N.

    Raises:
        ExplainError: no such layer or channel.
    """
    check_layer(model, layer)
    with _output_of(model, layer) as made:
        model(inputs)
    found = made[-1]
    if not 0 <= channel < found.shape[1]:
        raise ExplainError(f"{layer} has channels 0…{found.shape[1] - 1}, not {channel}")
    return found[:, channel].reshape(len(found), -1).mean(dim=1)


def maximise(
    model: nn.Module,
    shape: Sequence[int],
    layer: str,
    channel: int,
    *,
    steps: int = STEPS,
    seed: int = 0,
) -> tuple[Tensor, list[float]]:
    """Activation maximisation from noise, and the activation before each step.

    Erhan et al. 2009; each step goes the same way whatever the gradient's size, the image is moved
    by a few pixels before it and total variation is held down, without which only noise appears
    (Mordvintsev et al. 2015).

    Shapes: shape C×H×W → C×H×W float32, in the model's normalised units.

    Raises:
        ExplainError: see `activation`.
    """
    generator = torch.Generator().manual_seed(seed)
    # as spread as images are: of fainter noise many channels after a ReLU have no gradient
    start = torch.randn((1, *shape), generator=generator)
    return _ascend(model, start, layer, channel, steps=steps, generator=generator)


def deep_dream(
    model: nn.Module,
    image: Tensor,
    layer: str,
    channel: int,
    *,
    steps: int = STEPS // 4,
    seed: int = 0,
) -> tuple[Tensor, list[float]]:
    """DeepDream: the same ascent, from an image, in fewer steps.

    Mordvintsev, Olah and Tyka 2015, *Inceptionism*; at one scale, as the images are small.

    Shapes: image C×H×W float → C×H×W float32, in the model's normalised units.

    Raises:
        ExplainError: see `activation`.
    """
    generator = torch.Generator().manual_seed(seed)
    return _ascend(model, image[None], layer, channel, steps=steps, generator=generator)


def _ascend(
    model: nn.Module,
    image: Tensor,
    layer: str,
    channel: int,
    *,
    steps: int,
    generator: torch.Generator,
) -> tuple[Tensor, list[float]]:
    model.eval()
    reached = []
    image = image.detach().clone()
    for _ in range(steps):
        moved = torch.randint(-JITTER, JITTER + 1, (2,), generator=generator).tolist()
        asked = image.roll(moved, dims=(2, 3)).requires_grad_()
        pleased = activation(model, asked, layer, channel).sum()
        (gradient,) = torch.autograd.grad(pleased - ROUGHNESS * roughness(asked), asked)
        size = gradient.square().mean().sqrt().clamp_min(1e-12)
        step = (gradient / size).roll([-each for each in moved], dims=(2, 3))
        reached.append(float(pleased.detach()))
        image = image + RATE * step
    return image[0], reached


def roughness(images: Tensor) -> Tensor:
    """Total variation: the mean size of a step from a pixel to the next, N×C×H×W → one value."""
    return images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean()


@contextmanager
def _output_of(model: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """The layer's output in what is computed meanwhile, before anything is done in its place."""
    made: list[Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(
        lambda module, given, output: made.append(output.clone())
    )
    try:
        yield made
    finally:
        hook.remove()
