"""Whether a built environment is the one that the lock names."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

import sandbox
from sandbox.runner_env import environment, runner_lock


@pytest.fixture
def locked(tmp_path: Path) -> dict[str, str]:
    """The packages of an environment that is built from the lock, by name."""
    version = platform.python_version()
    described = {"version": version, "short": ".".join(version.split(".")[:2])}
    files = (environment.LOCK, environment.LOCK.with_name(runner_lock.TORCH_FILE))
    pins = [pin for file in files for pin in runner_lock.pins(file, described)]
    return {pin.name: pin.version for pin in pins if not pin.name.startswith(("nvidia", "cuda"))}


def built(folder: Path, packages: dict[str, str]) -> Path:
    record = {
        "format": environment.FORMAT,
        "interpreter": "/opt/python/bin/python3",
        "python_version": platform.python_version(),
        "fingerprint": "0" * 64,
        "packages": packages,
    }
    (folder / "root").mkdir()
    (folder / "environment.json").write_text(json.dumps(record))
    return folder


def test_an_environment_of_the_lock_has_not_drifted(tmp_path: Path, locked: dict[str, str]) -> None:
    packages = {**locked, "torch": f"{locked['torch']}+cpu"}

    assert sandbox.environment_drift(built(tmp_path, packages)) == ()


def test_each_package_that_is_older_or_missing_is_named(
    tmp_path: Path, locked: dict[str, str]
) -> None:
    del locked["timm"]
    now = locked["torch"]

    told = sandbox.environment_drift(built(tmp_path, {**locked, "torch": "1.0"}))

    assert sorted(told) == [
        f"timm is missing, locked is {_version('timm')}",
        f"torch is 1.0, locked is {now}",
    ]


def _version(name: str) -> str:
    text = environment.LOCK.read_text(encoding="utf-8")
    return next(line.split()[0] for line in text.splitlines() if line.startswith(f"{name}=="))[
        len(name) + 2 :
    ]
