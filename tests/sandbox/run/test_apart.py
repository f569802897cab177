"""Runs that live at the same time are apart; and where they must be silent, they are."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import sandbox
from sandbox.checking.suite import LIMITS, images
from sandbox.confinement import proc
from sandbox.confinement.host_users import host_users
from sandbox.confinement.watchdog import process_tree

SLEEPS = """
import time

import torch
from torch import nn

{first}


def build_model():
    return nn.Identity()


def predict(model, images):
    return torch.zeros(len(images), dtype=torch.int64)
"""


def host_users_of_programs() -> set[int]:
    found = set()
    for process in process_tree(os.getpid()):
        try:
            found.add(Path(f"/proc/{process}").stat().st_uid)
        except OSError:
            continue
    return found & set(host_users())


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's programs are that user")
def test_two_programs_at_once_are_two_users_of_the_host(run, bundle):
    model, most = bundle(SLEEPS.format(first="time.sleep(3)")), 0
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(run, model) for _ in range(2)]
        while not all(each.done() for each in both):
            most = max(most, len(host_users_of_programs()))
            time.sleep(0.05)
        assert [each.result().verdict for each in both] == ["OK", "OK"]
    assert most == 2


LOOKS = """
import os, subprocess, sys
print(sorted(os.listdir("/proc")), len(os.listdir("/proc/self")))
print([name for name in os.listdir("/proc/self") if not open("/proc/self/" + name, "rb").read(1)])
child = os.fork()
if child == 0:
    print("child", os.getpid(), sorted(os.listdir("/proc")), flush=True)
    os._exit(0)
os.waitpid(child, 0)
try:
    subprocess.run([sys.executable])
except PermissionError as error:
    print("no pipe:", error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a worker that is an ordinary user can't")
def test_what_is_in_proc_when_a_students_code_comes_is_all_there_ever_is(run, bundle):
    result = run(bundle(SLEEPS.format(first=LOOKS)), logs=True)
    assert "['1', 'cpuinfo', 'self'] 9\n[]\n" in result.log
    assert "child 2 ['1', 'cpuinfo', 'self']\n" in result.log
    assert "no pipe: " in result.log
    assert result.verdict == "OK"


def test_a_worker_that_can_not_see_to_that_says_so(monkeypatch):
    monkeypatch.setattr(proc, "can_keep_still", lambda: False)
    with sandbox.get_runner("bubblewrap", hold_files=False) as runner:
        assert proc.NUMBERS_SEEN in runner.describe()["open"]


def test_a_silent_sandbox_shows_nothing_that_its_program_says(bundle):
    with sandbox.get_runner("bubblewrap", hold_files=False, silent=True) as silent:
        for first in ("raise ValueError('heard: 1011')", "print('heard: 1011')"):
            result = silent.run(
                bundle(SLEEPS.format(first=first)),
                images(24),
                num_classes=10,
                limits=LIMITS,
                logs=True,
            )
            assert "heard" not in f"{result.log} {result.detail} {result.reason}"
        assert result.verdict == "OK"
