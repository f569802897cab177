"""Grad-CAM++ and Smooth Grad-CAM++, by hand.

torchcam 0.5 leaves out the first one's coefficients (it divides a copy, `alpha[mask].div_(…)`),
and takes the second one's gradients and maps from its last noisy image alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SAMPLES = 8
# torchcam's, of inputs of variance 1
NOISE = 0.3


def plus_plus(
    model: nn.Module,
    inputs: Tensor,
    classes: Tensor,
    layer: str,
    *,
    samples: int = 1,
    noise: float = 0.0,
    seed: int = 0,
) -> Tensor:
    """The layer's maps, weighed by equations 5 and 19 of Chattopadhyay et al. 2018.

    With several `samples` the derivatives are means over images with noise of that deviation
    (Omeiza et al. 2019, equations 7 to 9). The score is exp of the logit, of which all
    derivatives are powers of the logit's.

    Shapes: inputs N×C×H×W float, classes N int64 → N×h×w float32, unscaled and with its sign.
    """
    generator = torch.Generator().manual_seed(seed)
    maps, _ = _maps_and_slopes(model, inputs, classes, layer)
    first = second = third = torch.zeros_like(maps)
    for _ in range(samples):
        noisy = inputs + noise * torch.randn(inputs.shape, generator=generator)
        _, slope = _maps_and_slopes(model, noisy, classes, layer)
        first = first + slope / samples
        second = second + slope**2 / samples
        third = third + slope**3 / samples
    # maps of one image may be zero everywhere, or their sum times a negative slope cancel the rest
    below = 2 * second + maps.sum(dim=(2, 3), keepdim=True) * third
    alpha = torch.where(below != 0, second / below, 0.0)
    weights = (alpha * first.relu()).sum(dim=(2, 3), keepdim=True)
    return (weights * maps).sum(dim=1).float()


def _maps_and_slopes(
    model: nn.Module, inputs: Tensor, classes: Tensor, layer: str
) -> tuple[Tensor, Tensor]:
    """The layer's output and the derivative of each image's score by it: N×M×h×w each."""
    made: list[Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(
        lambda module, given, output: made.append(output)
    )
    try:
        with torch.enable_grad():
            scores = model(inputs.detach().clone().requires_grad_())
            chosen = scores.gather(1, classes[:, None]).sum()
            (slope,) = torch.autograd.grad(chosen, made[-1])
    finally:
        hook.remove()
    return made[-1].detach(), slope
