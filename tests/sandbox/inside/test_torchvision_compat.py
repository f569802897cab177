"""torchvision beside a CPU build of torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
from sandbox.inside.torchvision_compat import define_missing_schemas

first = define_missing_schemas()
assert define_missing_schemas() == ()
import torch
import torchvision
from torchvision.transforms import v2

assert torch.version.cuda is None or first == ()
model = torchvision.models.resnet18(num_classes=3).eval()
assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
v2.Resize(8)(torch.zeros(3, 16, 16))
print("works")
"""


def test_torchvision_imports_after_the_schemas_are_defined():
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert answer.stdout.strip() == "works", answer.stderr
