"""Limits on a host without control groups."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import sandbox
from sandbox.checking.suite import CLASSES, default_folder, images, load_cases, prepare
from sandbox.confinement.host import find_accounting
from sandbox.confinement.watchdog import process_tree

CASES = {case.name: case for case in load_cases(default_folder())}


@pytest.fixture
def watched(runner, monkeypatch):
    monkeypatch.setenv("SANDBOX_CGROUP", "none")
    with sandbox.get_runner("bubblewrap") as made:
        assert made.describe()["limits"] == "watchdog"
        yield made


@pytest.mark.parametrize(
    "name", ["honest", "ram_bomb", "ram_bomb_in_children", "shm_fill", "fork_bomb", "thread_bomb"]
)
def test_a_limit_is_kept_by_looking(watched, name, tmp_path):
    case = CASES[name]
    result = watched.run(
        prepare(case, tmp_path / "bundle"),
        images(case.images),
        num_classes=CLASSES,
        limits=case.limits,
        logs=True,
    )
    assert result.verdict in case.verdicts, f"{result.detail} {result.reason} {result.log}"
    # a program that its rlimits end may be gone before the next look
    assert name == "thread_bomb" or result.peak_memory_mb > 50


def test_the_tree_of_a_process_holds_its_grandchildren():
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as child:
        while len(process_tree(child.pid)) < 2:
            pass
        assert process_tree(os.getpid())[0] == os.getpid()
        assert child.pid in process_tree(os.getpid())
        child.communicate(b"\n")


def test_the_strongest_way_is_chosen_and_named(monkeypatch, tmp_path):
    monkeypatch.delenv("SANDBOX_CGROUP", raising=False)
    assert find_accounting().name in ("cgroup v1", "cgroup v2", "watchdog")
    monkeypatch.setenv("SANDBOX_CGROUP", "none")
    assert find_accounting().name == "watchdog"
    assert "no control groups" in find_accounting().sentence
