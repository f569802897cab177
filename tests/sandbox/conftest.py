"""Real sandboxes for the tests; where there is none a test is skipped, but never in CI."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import numpy as np
import pytest
from needs import missing, runner_or_missing

import sandbox
from sandbox.checking.suite import LIMITS, images

sys.path.insert(0, str(Path(__file__).parent))
from private_engine import NoEngine, docker_engine

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def runner():
    """A bubblewrap runner of this host."""
    with started("bubblewrap") as made:
        yield made


@pytest.fixture(scope="session")
def docker_host():
    """A Docker engine with the runner image, for the whole session."""
    if sys.platform != "linux":
        pytest.skip("sandboxes are for Linux")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(docker_engine())
        except NoEngine as reason:
            missing(str(reason))
        yield


@pytest.fixture(scope="session")
def docker_runner(docker_host):
    """A Docker runner of this host."""
    with started("docker") as made:
        yield made


@pytest.fixture(scope="session", params=sandbox.confining_backends())
def each_runner(request):
    """A runner of every backend in turn."""
    fixtures = {"bubblewrap": "runner", "docker": "docker_runner"}  # what their hosts need differs
    return request.getfixturevalue(fixtures[request.param])


def started(backend: str) -> sandbox.Sandbox:
    if sys.platform != "linux":
        pytest.skip("sandboxes are for Linux")
    return runner_or_missing(backend)


@pytest.fixture
def bundle(tmp_path):
    """Make a bundle of some text; by default it answers class 3 for every image."""

    def make(model: str = ANSWERS_THREE, **files: bytes) -> Path:
        folder = tmp_path / "bundle"
        folder.mkdir(exist_ok=True)
        (folder / "model.py").write_text(model, encoding="utf-8")
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder

    return make


@pytest.fixture
def run(runner):
    """Run a bundle on a few images under small limits."""

    def start(bundle: Path, pixels=None, limits=LIMITS, **options):
        pixels = images(24) if pixels is None else pixels
        options.setdefault("num_classes", 10)
        return runner.run(bundle, pixels, limits=limits, **options)

    return start


ANSWERS_THREE = """
import torch
from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    return torch.full((len(images),), 3)
"""


@pytest.fixture
def numbered_images():
    """Images that carry their own row number, so that any mix-up of rows shows."""

    def make(count: int) -> np.ndarray:
        pixels = np.zeros((count, 4, 4), dtype=np.uint8)
        pixels[:, 0, 0] = np.arange(count) % 256
        pixels[:, 0, 1] = np.arange(count) // 256
        return pixels

    return make
