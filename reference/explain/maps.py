"""Class activation maps: where in an image a class's score comes from. Most by torchcam."""

from __future__ import annotations

import torch
import torchcam.methods
from torch import Tensor, nn

from reference.errors import ExplainError
from reference.explain.methods import METHODS
from reference.explain.plus_plus import NOISE, SAMPLES, plus_plus


def class_maps(
    model: nn.Module,
    inputs: Tensor,
    classes: Tensor,
    *,
    method: str,
    layer: str,
    classifier: str = "",
    seed: int = 0,
) -> Tensor:
    """One map an image, of what speaks for its class; each is divided by its own maximum.

    `layer` names the module whose maps are weighed, `classifier` the layer whose weights CAM takes.
    `seed` is for the noise of the two smoothed methods. A map that speaks nowhere for the class is
    zero.

    Shapes: inputs N×C×H×W float, classes N int64 → N×h×w float32 in 0…1, as large as the layer's.

    Raises:
        ExplainError: no such method or layer, or CAM of a network whose maps are not averaged
            before its last layer.
    """
    if method not in METHODS:
        raise ExplainError(f"there is no method {method!r}: {', '.join(METHODS)}")
    check_layer(model, layer)
    if method == "cam":
        _check_averaged(model, inputs[:1], layer, classifier)
    model.eval()
    if method == "grad-cam++":
        return scaled(plus_plus(model, inputs, classes, layer))
    if method == "smooth-grad-cam++":
        return scaled(
            plus_plus(model, inputs, classes, layer, samples=SAMPLES, noise=NOISE, seed=seed)
        )
    return scaled(_by_torchcam(model, inputs, classes, method, layer, classifier, seed))


def _by_torchcam(
    model: nn.Module,
    inputs: Tensor,
    classes: Tensor,
    method: str,
    layer: str,
    classifier: str,
    seed: int,
) -> Tensor:
    given = {"fc_layer": classifier} if method == "cam" else {}
    torch.manual_seed(seed)
    with getattr(torchcam.methods, METHODS[method][0])(model, layer, **given) as extractor:
        with torch.enable_grad():
            # a frozen network passes no gradient on unless its input asks for one
            scores = model(inputs.detach().clone().requires_grad_())
        found: Tensor = extractor(classes.tolist(), scores, normalized=False)[0]
    return found.detach().float()


def scaled(maps: Tensor) -> Tensor:
    """Negative values become 0 and each map's maximum 1: N×h×w → N×h×w."""
    positive = maps.relu()
    highest = positive.amax(dim=(1, 2), keepdim=True)
    return torch.where(highest > 0, positive / highest.clamp_min(torch.finfo().tiny), 0.0)


def check_layer(model: nn.Module, layer: str) -> None:
    """Whether there is a module of this name.

    Raises:
        ExplainError: there is not; the message names some that are there.
    """
    names = [name for name, _ in model.named_modules() if name]
    if layer not in names:
        raise ExplainError(
            f"the model has no layer {layer!r}; it ends with {', '.join(names[-8:])}"
        )


def _check_averaged(model: nn.Module, one: Tensor, layer: str, classifier: str) -> None:
    """CAM's weights belong to maps only where the classifier sees the mean of each."""
    seen: dict[str, Tensor] = {}
    hooks = [
        model.get_submodule(layer).register_forward_hook(
            lambda module, given, made: seen.update(maps=made.detach().clone())
        ),
        model.get_submodule(classifier).register_forward_pre_hook(
            lambda module, given: seen.update(means=given[0].detach())
        ),
    ]
    try:
        with torch.no_grad():
            model.eval()(one)
    finally:
        for hook in hooks:
            hook.remove()
    maps, means = seen["maps"], seen["means"]
    if means.ndim == 4:  # a 1×1 convolution, averaged after it: the same by linearity
        averaged = means.shape == maps.shape and torch.allclose(means, maps)
    else:
        averaged = means.shape == maps.shape[:2] and torch.allclose(
            means, maps.mean(dim=(2, 3)), rtol=1e-3, atol=1e-4
        )
    if not averaged:
        raise ExplainError(
            "CAM needs a network that averages its last maps before one linear layer; this one "
            "does not: take grad-cam, which is the same where both are defined"
        )
