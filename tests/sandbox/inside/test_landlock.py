"""The wall that is put up from inside holds where the one outside is down."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import sandbox
from sandbox.checking.suite import LIMITS
from sandbox.defences import LEAKED_FOLDER

TRIES = f"""
import os, shutil, signal, sys
from torch import nn

def tried(what, attempt):
    try:
        attempt()
        print(what, "worked")
    except OSError as error:
        print(what, "refused", type(error).__name__)

def execute():
    shutil.copy(sys.executable, "/tmp/program")
    os.chmod("/tmp/program", 0o755)
    own = os.posix_spawn("/tmp/program", ["own", "-c", "0"], {{"PYTHONHOME": sys.prefix}})
    os.waitpid(own, 0)

tried("file of the host:", lambda: open("{LEAKED_FOLDER}/answers.csv").read())
tried("own binary:", execute)
tried("device:", lambda: open("/dev/full", "wb").close())
tried("own file:", lambda: open("/tmp/mine", "w").write("x"))
tried("own shared memory:", lambda: open("/dev/shm/mine", "w").write("x"))
tried("null:", lambda: open("/dev/null", "w").write("x"))
tried("process:", lambda: open("/proc/self/status").read())

def build_model():
    return nn.Identity()

def predict(model, images):
    return (images.mean((1, 2, 3)) * 10).long()
"""
USUAL = ["own file: worked", "own shared memory: worked", "null: worked", "process: worked"]


@pytest.fixture
def host_with_answers(tmp_path_factory, monkeypatch):
    folder = Path("/tmp") / f"answers-of-{os.getpid()}"
    folder.mkdir(mode=0o755)
    (folder / "answers.csv").write_text("id,label\n0,7\n")
    monkeypatch.chdir(folder)
    yield
    (folder / "answers.csv").unlink()
    folder.rmdir()


def tried(each_runner, bundle, *without):
    backend = each_runner.describe()["backend"]
    with sandbox.get_runner(backend, _without=frozenset(without)) as weakened:
        images = np.zeros((8, 8, 8), dtype=np.uint8)
        result = weakened.run(bundle(TRIES), images, num_classes=10, limits=LIMITS, logs=True)
    assert result.verdict == "OK", (result.detail, result.reason, result.log)
    return result.log.splitlines()


@pytest.mark.usefixtures("host_with_answers")
def test_files_binaries_and_devices_are_refused_by_the_second_wall_alone(each_runner, bundle):
    lines = tried(each_runner, bundle, "files", "noexec", "seccomp")
    refused = ["file of the host", "own binary", "device"]
    assert lines == [f"{what}: refused PermissionError" for what in refused] + USUAL


@pytest.mark.usefixtures("host_with_answers")
def test_without_both_walls_they_are_within_reach(each_runner, bundle):
    lines = tried(each_runner, bundle, "files", "noexec", "seccomp", "landlock")
    if os.geteuid() == 0:  # else nothing is noexec, and devices may not be the user's
        reached = ["file of the host", "own binary", "device"]
        assert lines == [f"{what}: worked" for what in reached] + USUAL
    assert "file of the host: worked" in lines
