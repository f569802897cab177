"""Make `import torchvision` (and timm) work beside a CPU build of torch.

The usual torchvision wheel links CUDA libraries; beside a CPU-only torch its compiled operators
can't load, and the import fails with `operator torchvision::nms does not exist`, because Python
code registers fake kernels for operators whose schemas were never defined. Defining those three
schemas first makes models, transforms and data sets work. What stays unavailable: `ops.nms`,
the detection models that use it, and `io.decode_image` (use PIL).

Call `define_missing_schemas()` once, before the first import of torchvision. It does nothing on
a CUDA build of torch, without torchvision, or where the compiled operators load.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch

# torchvision 0.28, torchvision/csrc/ops/*.cpp
SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "box_iou_rotated": "box_iou_rotated(Tensor boxes1, Tensor boxes2) -> Tensor",
}
# A library's definitions live as long as the object that made them.
_defined: list[Any] = []


def define_missing_schemas() -> tuple[str, ...]:
    """Define the schemas torchvision's Python code needs; returns the names it defined."""
    if torch.version.cuda is not None or _defined or _operators_load():
        return ()
    library = torch.library.Library("torchvision", "DEF")
    for schema in SCHEMAS.values():
        library.define(schema)
    _defined.append(library)
    return tuple(SCHEMAS)


def _operators_load() -> bool:
    """Whether torchvision's own compiled operators work here (True without torchvision)."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return True
    for location in spec.submodule_search_locations:
        for extension in Path(location).glob("_C*.so"):
            try:
                torch.ops.load_library(extension)
            except OSError:  # libcudart and its kin are not on a machine with a CPU build
                return False
            return hasattr(torch.ops.torchvision, "nms")
    return False
