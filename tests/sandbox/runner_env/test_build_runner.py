"""The runner environment: complete, with nothing else in it, and quick when nothing changed."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.runner_env import build_runner
from sandbox.runner_env.environment import (
    FORMAT,
    RunnerEnvironment,
    SandboxUnavailable,
    find_environment,
)
from sandbox.runner_env.runner_lock import BuildFailed, is_lock, normal, pins
from sandbox.runner_env.runner_packages import installed_closure, link_or_copy

ROOT = Path(__file__).parents[2]
LATEST = bool(os.environ.get("LATEST"))  # as `LATEST=1 make setup` made it


@pytest.fixture(scope="module")
def environment(runner):
    return find_environment()


def test_building_again_is_quick_when_nothing_changed(environment):
    before = processor_seconds()
    bounds = ["--requirements", str(ROOT / "deploy/runner.txt")] if LATEST else []
    command = [
        sys.executable,
        "-m",
        "sandbox.runner_env.build_runner",
        str(environment.folder),
        *bounds,
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "up to date" in answer.stderr
    assert processor_seconds() - before < 5  # 0.2 s where nothing else runs


def processor_seconds() -> float:
    """What the processes took that this one has started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_root_holds_the_runner_and_nothing_of_ours(environment):
    top = {path.name for path in environment.root.iterdir()}
    assert top <= {"bundle", "dev", "etc", "lib", "lib64", "opt", "proc", "sys", "tmp", "usr"}
    packages = {path.name for path in (environment.root / "opt/packages").iterdir()}
    assert {"torch", "torchvision", "timm", "numpy", "PIL", "safetensors"} <= packages
    assert not packages & {"sklearn", "grader", "leaderboard", "reference", "sandbox", "pandas"}
    standard = {path.name for path in (environment.root / "opt/python").glob("lib*/python*/*")}
    assert "json" in standard
    assert not standard & {"site-packages", "dist-packages", "test", "ensurepip"}


def test_no_data_set_is_inside(environment):
    words = ("fashion-mnist", "t10k", "train-labels", "digits.csv", "cifar")
    found = [
        path
        for path in environment.root.rglob("*")
        if path.suffix in (".gz", ".csv", ".npz", ".npy", "") and any(w in path.name for w in words)
    ]
    assert found == []


def test_nothing_inside_is_setuid_or_closed_to_other_users(environment):
    for path in environment.root.rglob("*"):
        mode = path.lstat().st_mode
        assert mode & 0o6000 == 0, path
        assert mode & 0o004, path


def test_other_versions_or_builds_are_noticed(tmp_path):
    lock, torch = tmp_path / "runner.txt", tmp_path / "torch.txt"
    described = build_runner._describe(sys.executable)

    def fingerprint(index=None):
        wanted = build_runner.Wanted(requirements=lock, torch_index=index)
        return build_runner._fingerprint(wanted, described)

    lock.write_text("numpy==2.0 --hash=sha256:00\n")
    seen = [fingerprint()]
    assert fingerprint() == seen[0]
    seen.append(fingerprint("https://example.org/cu130"))
    torch.write_text("torch==2.13.0\n")
    seen.append(fingerprint())
    lock.write_text("numpy==2.1 --hash=sha256:00\n")
    seen.append(fingerprint())
    assert len(set(seen)) == len(seen)


@pytest.mark.skipif(LATEST, reason="LATEST=1: the environment holds the newest releases")
def test_the_environment_holds_what_is_locked_and_nothing_else(environment):
    described = build_runner._describe(sys.executable)
    locks = (build_runner.REQUIREMENTS, build_runner.REQUIREMENTS.with_name("torch.txt"))
    locked = {pin.name: pin.version for lock in locks for pin in pins(lock, described)}
    held = {
        normal(name): version.partition("+")[0] for name, version in environment.packages.items()
    }
    assert held == {name: locked.get(name) for name in held}
    assert {"torch", "torchvision", "timm", "numpy"} <= held.keys()


LOCK = """\
# a lock
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:01 \\
    --hash=sha256:02
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:03
Some_Thing==1.0.post1 \\
    --hash=sha256:04
"""


def test_a_lock_is_read_for_the_interpreter_inside(tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_text(LOCK)
    assert is_lock(lock)
    assert [pin.line for pin in pins(lock, {"version": "3.11.2", "short": "3.11"})] == [
        "numpy==2.4.6 --hash=sha256:01 --hash=sha256:02",
        "Some_Thing==1.0.post1 --hash=sha256:04",
    ]
    newer = pins(lock, {"version": "3.13.0", "short": "3.13"})
    assert [(pin.name, pin.version) for pin in newer] == [
        ("numpy", "2.5.5"),
        ("some-thing", "1.0.post1"),
    ]
    with pytest.raises(BuildFailed, match="make lock"):
        pins(tmp_path / "missing.txt", {"version": "3.11.2", "short": "3.11"})


def test_packages_are_taken_from_here_only_in_the_right_version():
    found = installed_closure(["numpy>=1", "pillow"])
    assert found is not None
    assert {item.name.lower() for item in found} == {"numpy", "pillow"}
    assert installed_closure(["numpy>=999"]) is None
    assert installed_closure(["no-such-distribution"]) is None


def test_what_an_extra_needs_belongs_to_what_is_taken_from_here(tmp_path, monkeypatch):
    # as torch needs cuda-toolkit[cublas], whose extras name the libraries
    made = {
        "kit": "Provides-Extra: blas\nRequires-Dist: libblas==1 ; extra == 'blas'\n",
        "libblas": "",
        "user": "Requires-Dist: kit\nRequires-Dist: kit[blas]\n",
    }
    for name, needs in made.items():
        folder = tmp_path / f"{name}-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{needs}"
        )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = installed_closure(["user"])
    assert found is not None
    assert {item.name for item in found} == {"user", "kit", "libblas"}


def test_a_file_that_others_may_not_read_is_copied_and_opened(tmp_path):
    closed, open_ = tmp_path / "closed", tmp_path / "open"
    closed.write_text("x")
    closed.chmod(0o600)
    open_.write_text("y")
    open_.chmod(0o644)
    for source in (closed, open_):
        link_or_copy(source, tmp_path / "root" / source.name)
    assert (tmp_path / "root/closed").stat().st_mode & 0o777 == 0o644
    assert closed.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "root/open").read_text() == "y"


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (None, "is missing"),
        ("{", "can't be read"),
        (json.dumps({"format": FORMAT - 1}), "another version"),
        (json.dumps({"format": FORMAT}), "another version"),  # a record without a root
    ],
)
def test_an_environment_that_can_not_be_used_says_what_to_do(tmp_path, record, says):
    if record is not None:
        (tmp_path / "environment.json").write_text(record)
    with pytest.raises(SandboxUnavailable, match=says) as raised:
        RunnerEnvironment.load(tmp_path)
    assert "build" in str(raised.value)


def test_a_setting_names_the_environment(environment, monkeypatch, tmp_path):
    monkeypatch.setenv("SANDBOX_RUNNER_ENV", str(environment.folder))
    assert find_environment().folder == environment.folder
    monkeypatch.setenv("SANDBOX_RUNNER_ENV", str(tmp_path))
    with pytest.raises(SandboxUnavailable):
        find_environment()
