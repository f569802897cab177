"""One registry of backends: one more is one file, and everything that names backends knows it."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest

import sandbox
from sandbox import backends
from sandbox.checking.checks import usable_backends

NEW = """
from sandbox.backends.unconfined import Unconfined
from sandbox.run.backend import BackendEntry


class Glasshouse(Unconfined):
    name = "glasshouse"


def make(runner_env, without):
    return Glasshouse()


BACKEND = BackendEntry(name="glasshouse", turn=9, make=make)
"""
BUNDLE = """
import torch


def build_model():
    return torch.nn.Identity()


def predict(model, images):
    return torch.full((len(images),), 1)
"""


@pytest.fixture
def one_more(tmp_path, monkeypatch):
    """A file with a backend, beside the others."""
    (tmp_path / "glasshouse.py").write_text(NEW, encoding="utf-8")
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield
    sys.modules.pop("sandbox.backends.glasshouse", None)
    vars(backends).pop("glasshouse", None)


def test_the_backends_are_those_of_the_files_here():
    assert sandbox.confining_backends() == ("bubblewrap", "docker")
    assert [entry.name for entry in backends.registered()][2:] == ["unconfined"]


def test_a_new_backend_is_one_file(one_more, tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "model.py").write_text(BUNDLE, encoding="utf-8")
    images = np.zeros((5, 8, 8), dtype=np.uint8)

    with sandbox.get_runner("glasshouse") as runner:
        result = runner.run(
            tmp_path / "bundle", images, num_classes=2, limits=sandbox.RunLimits(wall_seconds=60)
        )

    assert result.labels is not None
    assert result.labels.tolist() == [1] * 5
    assert result.facts["backend"] == "glasshouse"


def test_an_unknown_name_tells_of_a_new_one(one_more):
    assert "glasshouse" in usable_backends()
    with pytest.raises(sandbox.SandboxUnavailable, match="docker, glasshouse, unconfined"):
        sandbox.get_runner("chroot")
