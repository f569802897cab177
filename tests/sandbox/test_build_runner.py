"""The runner environment: complete, with nothing else in it, and quick when nothing changed."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from sandbox import build_runner
from sandbox.environment import FORMAT, RunnerEnvironment, SandboxUnavailable, find_environment
from sandbox.runner_packages import installed_closure, link_or_copy


@pytest.fixture(scope="module")
def environment(runner):
    return find_environment()


def test_building_again_is_quick_when_nothing_changed(environment):
    started = time.monotonic()
    command = [sys.executable, "-m", "sandbox.build_runner", str(environment.folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "up to date" in answer.stderr
    assert time.monotonic() - started < 5  # 0.2 s where nothing else runs


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


def test_a_new_requirement_is_noticed(tmp_path):
    requirements = tmp_path / "runner.txt"
    described = build_runner._describe(sys.executable)
    requirements.write_text("numpy\n")
    before = build_runner._fingerprint(requirements, described)
    assert build_runner._fingerprint(requirements, described) == before
    requirements.write_text("numpy\npillow\n")
    assert build_runner._fingerprint(requirements, described) != before


def test_packages_are_taken_from_here_only_in_the_right_version():
    found = installed_closure(["numpy>=1", "pillow"])
    assert found is not None
    assert {item.name.lower() for item in found} == {"numpy", "pillow"}
    assert installed_closure(["numpy>=999"]) is None
    assert installed_closure(["no-such-distribution"]) is None


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
