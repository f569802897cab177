"""What a command is refused by the system call policy is told, and is what the policy says."""

from __future__ import annotations

import errno
import platform
import sys

import pytest

from sandbox.checking.refusals import refusals

ASKS = """
import os

def tried(attempt):
    try:
        attempt()
        return 0
    except OSError as error:
        return error.errno

said = [tried(os.pipe), tried(os.pipe), tried(lambda: os.memfd_create("x"))]
os.getpid()
raise SystemExit(0 if said == {wanted} else 9)
"""
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="the policy is for these",
)


def run(*wanted: int, cuda: bool = False):
    code = ASKS.replace("{wanted}", str(list(wanted)))
    found = refusals([sys.executable, "-I", "-S", "-c", code], cuda=cuda)
    assert found.status == 0
    return {(each.call, each.answer): each for each in found.calls}


def test_each_refused_call_is_named_with_its_answer_and_counted():
    calls = run(errno.EPERM, errno.EPERM, errno.ENOSYS)
    assert calls["pipe2", "EPERM"].times == 2
    assert calls["memfd_create", "ENOSYS"].times == 1
    assert ("getpid", "EPERM") not in calls


def test_what_the_list_for_gpus_allows_is_not_told():
    calls = run(0, 0, 0, cuda=True)
    assert not {call for call, _ in calls} & {"pipe2", "memfd_create"}


def test_a_command_that_is_not_there_or_is_ended_by_a_signal_says_so():
    assert refusals(["/no/such/command"]).status == 127
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert refusals([sys.executable, "-I", "-S", "-c", kill]).status == 128 + 15
