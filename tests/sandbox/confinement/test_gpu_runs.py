"""Runs on a real card; skipped where there is none."""

from __future__ import annotations

import time

import numpy as np
import pytest

import sandbox
from sandbox.checking.suite import images
from sandbox.confinement import gpu
from sandbox.limits import RunLimits

pytestmark = pytest.mark.gpu

GPU_MB = 4096
ON_GPU = RunLimits(wall_seconds=120, cpus=4, memory_mb=16_384, gpu_memory_mb=GPU_MB, batch_size=64)
ON_CPU = RunLimits(wall_seconds=1800, cpus=4, memory_mb=16_384, batch_size=64)
ZOO = """
import torch
import torchvision


def build_model():
    torch.manual_seed(7)
    return {model}


def preprocess(images):
    images = images.float() / 255
    if images.shape[1] == 1 and {channels} == 3:
        images = images.expand(-1, 3, -1, -1)
    return images
"""
LENET = (
    "torch.nn.Sequential(torch.nn.Conv2d(1, 6, 5, padding=2), torch.nn.Sigmoid(), "
    "torch.nn.AvgPool2d(2), torch.nn.Conv2d(6, 16, 5), torch.nn.Sigmoid(), torch.nn.AvgPool2d(2), "
    "torch.nn.Flatten(), torch.nn.Linear(400, 120), torch.nn.Sigmoid(), torch.nn.Linear(120, 84), "
    "torch.nn.Sigmoid(), torch.nn.Linear(84, 10))"
)
MODELS = {
    "lenet5": (LENET, 1, 28),
    "resnet18": ("torchvision.models.resnet18(num_classes=10)", 3, 64),
    "resnet50": ("torchvision.models.resnet50(num_classes=10)", 3, 224),
}
# No state: the random weights are made inside, from the seed.
NO_CHECKPOINT = """

class _Bare(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self._hidden = [model]

    def _apply(self, function, recurse=True):
        self._hidden[0]._apply(function)
        return self

    def train(self, mode=True):
        self._hidden[0].train(mode)
        return self

    def forward(self, images):
        return self._hidden[0](images)


_build = build_model


def build_model():
    return _Bare(_build())
"""
TAKES_ALL = """
import torch


def build_model():
    return torch.nn.Identity()


def predict(model, images):
    torch.cuda.set_per_process_memory_fraction(1.0)
    kept = [torch.empty(1 << 28, dtype=torch.uint8, device="cuda").fill_(7) for _ in range(64)]
    import time
    time.sleep(20)
    return torch.zeros(len(images), dtype=torch.int64)
"""
NEVER_ENDS = """
import torch


def build_model():
    return torch.nn.Identity()


def predict(model, images):
    torch.cuda._sleep(1 << 62)
    torch.cuda.synchronize()
"""
LEAVES_A_MARK = """
import torch


def build_model():
    return torch.nn.Identity()


def predict(model, images):
    global kept
    kept = torch.full((1 << 30,), 0x5A, dtype=torch.uint8, device="cuda")
    return torch.zeros(len(images), dtype=torch.int64)
"""
LOOKS_FOR_IT = """
import torch


def build_model():
    return torch.nn.Identity()


def predict(model, images):
    found = 0
    for _ in range(2):
        left = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
        found += int((left == 0x5A).sum())
        torch.cuda.synchronize()
    if found > 1 << 20:
        print("ATTACK WORKED", found)
    return torch.zeros(len(images), dtype=torch.int64)
"""


@pytest.fixture(scope="module", autouse=True)
def card():
    if not gpu.available_gpus():
        pytest.skip(gpu.gpu_refusal())


@pytest.fixture(scope="module", params=["bubblewrap", "docker"])
def runner(request):
    try:
        made = sandbox.get_runner(request.param)
    except sandbox.SandboxUnavailable as unavailable:
        pytest.skip(str(unavailable))
    with made:
        yield made


@pytest.mark.parametrize("name", MODELS)
def test_scores_on_the_card_are_those_of_the_cpu(runner, bundle, name):
    model, channels, side = MODELS[name]
    made = bundle(ZOO.format(model=model, channels=channels) + NO_CHECKPOINT)
    shape = (128, side, side) if channels == 1 else (128, side, side, 3)
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)

    there = runner.run(made, pixels, num_classes=10, limits=ON_GPU, logs=True)
    here = runner.run(made, pixels, num_classes=10, limits=ON_CPU, logs=True)

    assert (there.verdict, here.verdict) == ("OK", "OK"), (there, here)
    np.testing.assert_allclose(there.scores, here.scores, rtol=1e-3, atol=1e-3)
    again = runner.run(made, pixels, num_classes=10, limits=ON_GPU, seed=3)
    once_more = runner.run(made, pixels, num_classes=10, limits=ON_GPU, seed=3)
    assert again.scores.tobytes() == once_more.scores.tobytes()


@pytest.mark.parametrize(("attack", "verdict"), [(TAKES_ALL, "GMLE"), (NEVER_ENDS, "TLE")])
def test_a_card_that_was_attacked_is_usable_afterwards(runner, bundle, attack, verdict):
    limits = RunLimits(wall_seconds=30, memory_mb=16_384, gpu_memory_mb=1024)
    result = runner.run(bundle(attack), images(8), num_classes=10, limits=limits, logs=True)
    assert result.verdict == verdict, result

    time.sleep(1)
    honest = bundle(ZOO.format(model=LENET, channels=1) + NO_CHECKPOINT)
    pixels = np.zeros((16, 28, 28), dtype=np.uint8)
    assert runner.run(honest, pixels, num_classes=10, limits=ON_GPU).verdict == "OK"


def test_nothing_of_an_earlier_run_is_left_in_the_cards_memory(runner, bundle):
    mark = runner.run(bundle(LEAVES_A_MARK), images(8), num_classes=10, limits=ON_GPU, logs=True)
    assert mark.verdict == "OK", mark
    seen = runner.run(bundle(LOOKS_FOR_IT), images(8), num_classes=10, limits=ON_GPU, logs=True)
    assert seen.verdict == "OK", seen
    assert "ATTACK WORKED" not in seen.log


def test_a_tiny_memory_limit_is_met_by_halving_the_batch(runner, bundle):
    model, channels, side = MODELS["resnet50"]
    made = bundle(ZOO.format(model=model, channels=channels) + NO_CHECKPOINT)
    pixels = np.zeros((256, side, side, 3), dtype=np.uint8)
    tight = RunLimits(wall_seconds=120, memory_mb=16_384, gpu_memory_mb=900, batch_size=256)
    result = runner.run(made, pixels, num_classes=10, limits=tight, logs=True)
    assert result.verdict == "OK", result
