"""Saliency: how much each pixel moves a class's score. Computed by captum."""

from __future__ import annotations

import torch
from captum.attr import NoiseTunnel, Saliency
from torch import Tensor, nn

SAMPLES = 25
# of the range of an input's values; the paper's figures look best with 0.1 to 0.2
NOISE = 0.15


def saliency(model: nn.Module, inputs: Tensor, classes: Tensor) -> Tensor:
    """The gradient of the class's score by each input value, its size, largest over channels.

    Simonyan, Vedaldi and Zisserman 2014, arXiv:1312.6034, section 3.

    Shapes: inputs N×C×H×W float, classes N int64 → N×H×W float32, none negative.
    """
    return _largest(Saliency(model.eval()).attribute(_asking(inputs), target=classes, abs=True))


def smooth_saliency(
    model: nn.Module, inputs: Tensor, classes: Tensor, *, samples: int = SAMPLES, seed: int = 0
) -> Tensor:
    """SmoothGrad: the mean of the saliencies of `samples` noisy copies of each image.

    Smilkov et al. 2017, arXiv:1706.03825; the noise's deviation is `NOISE` of the inputs' range.

    Shapes: as `saliency`.
    """
    torch.manual_seed(seed)
    spread = NOISE * float(inputs.max() - inputs.min())
    smoothed = NoiseTunnel(Saliency(model.eval())).attribute(
        _asking(inputs),
        nt_type="smoothgrad",
        nt_samples=samples,
        nt_samples_batch_size=1,
        stdevs=spread,
        target=classes,
        abs=True,
    )
    return _largest(smoothed)


def _asking(inputs: Tensor) -> Tensor:
    """The inputs, as ones whose gradients are asked for (captum warns where it must do that)."""
    return inputs.detach().clone().requires_grad_()


def _largest(attributed: Tensor) -> Tensor:
    return attributed.detach().float().amax(dim=1)
