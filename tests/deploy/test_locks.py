"""The lock files hold all that the project asks for, within its bounds, and name no place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "deploy/locks"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
PYTHONS = ("3.11.2", "3.11.14", "3.12.0", "3.13.0")
ENTRY = re.compile(r"^(\w[^\\\n]*?)( \\\n(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+|\n)", re.M)


def text(name: str) -> str:
    return (LOCKS / f"{name}.txt").read_text(encoding="utf-8")


def pinned(name: str, python: str) -> dict[str, str]:
    """Name -> version of what a lock file installs on Linux with this Python."""
    machine = {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "sys_platform": "linux",
        "platform_machine": "x86_64",
    }
    lines = [Requirement(found[0]) for found in ENTRY.findall(text(name))]
    held = [each for each in lines if each.marker is None or each.marker.evaluate(machine)]
    versions = {canonicalize_name(each.name): str(each.specifier)[2:] for each in held}
    assert len(versions) == len(held), "one version of each"
    return versions


def asked(extra: str) -> list[Requirement]:
    """What an extra asks for, with the extras it names and the base."""
    found = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
    for line in EXTRAS.get(extra, []):
        each = Requirement(line)
        found += [each] if each.name != "gradewright" else []
        found += [other for name in each.extras for other in asked(name)]
    return found


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("extra", ["base", *EXTRAS])
def test_a_lock_holds_what_its_extra_asks_for_within_the_bounds(extra: str, python: str) -> None:
    versions = pinned("torch", python) | pinned(extra, python)
    for each in asked(extra):
        version = versions.get(canonicalize_name(each.name))
        assert version is not None, f"{each} is not locked: run `make lock`"
        assert each.specifier.contains(version), f"{each} is locked at {version}: run `make lock`"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_runner_and_the_build_are_locked_too(python: str) -> None:
    runner = (ROOT / "deploy/runner.txt").read_text(encoding="utf-8").splitlines()
    wanted = {
        "runner": [line for line in runner if line and not line.startswith("#")],
        "build": PROJECT["build-system"]["requires"],
    }
    for name, lines in wanted.items():
        versions = pinned("torch", python) | pinned(name, python)
        for each in map(Requirement, lines):
            assert each.specifier.contains(versions[canonicalize_name(each.name)]), each


def test_every_file_has_the_same_version_of_a_package() -> None:
    for python in PYTHONS:
        whole = pinned("dev", python)
        for lock in LOCKS.glob("*.txt"):
            mine = pinned(lock.stem, python)
            assert {name: whole.get(name, mine[name]) for name in mine} == mine, lock


def test_everything_but_torch_has_hashes_and_nothing_names_an_index_or_a_place() -> None:
    for lock in LOCKS.glob("*.txt"):
        content = text(lock.stem)
        header, _, entries = content.partition("\n")
        assert header.startswith("# Written by `make lock`")
        assert ENTRY.sub("", entries) == "", "there is nothing but entries"
        assert "://" not in content
        hashed = ["--hash=" in found[1] for found in ENTRY.findall(entries)]
        assert all(hashed) if lock.stem != "torch" else not any(hashed)


def test_torch_stands_apart_with_what_its_cuda_builds_need() -> None:
    versions = pinned("torch", "3.11.2")
    assert {"torch", "torchvision", "triton", "cuda-toolkit", "nvidia-cublas"} <= versions.keys()
    for lock in LOCKS.glob("*.txt"):
        if lock.stem != "torch":
            assert not pinned(lock.stem, "3.11.2").keys() & versions.keys()
