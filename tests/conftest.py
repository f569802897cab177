"""What every test shares: no network beyond this machine, and how they are shared out."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_socket

sys.path.append(str(Path(__file__).parent / "common"))
# As many tests run at once as there are processors: threads of one program would wait for each
# other by spinning (a small network's training took 30 s of processor time instead of 6). Set
# before NumPy and PyTorch are imported, here and in all that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sharing_out
from as_it_was import as_it_was
from needs import runner_or_missing


def pytest_configure(config: pytest.Config) -> None:
    if plugin := sharing_out.plugin(config):
        config.pluginmanager.register(plugin)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """What is imported and collected is no garbage to look for, neither now, which takes a third
    of the time, nor ever after: a million objects in each process."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests wait, for other processes, time limits and the disk."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def sandbox_here() -> None:
    """For tests that need a sandbox for students' code."""
    runner_or_missing().close()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """A test finds the process as the first one did, whichever ran before it."""
    with as_it_was():
        yield


@pytest.fixture(autouse=True)
def network_closed_but_for_this_machine() -> Iterator[None]:
    """Loopback and Unix sockets only, so that no test depends on the outside."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    yield
    pytest_socket._remove_restrictions()
