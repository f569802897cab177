"""No case is vacuous: with its defence switched off the attack works, or the case says why not."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

import sandbox
from sandbox.checking.suite import CLASSES, default_folder, images, load_cases, prepare

CASES = {case.name: case for case in load_cases(default_folder())}
PROVEN = {name: case for name, case in CASES.items() if case.without.defences}
LOOKS_FOR_A_SERVER, MARKS_THE_HOST = "socket_metadata_and_dns", "mark_for_the_next_run"
REASONS = ("no attack", "exhausting", "kernel-level", "by construction", "two walls")


@pytest.fixture(scope="module")
def weakened(request):
    """Make a runner of a backend without some defences; each is made once."""
    with contextlib.ExitStack() as stack:
        made: dict[object, sandbox.Sandbox] = {}

        def make(backend: str, without: tuple[str, ...]) -> sandbox.Sandbox:
            key = backend, without
            if key not in made:
                runner = sandbox.get_runner(backend, _without=frozenset(without))
                made[key] = stack.enter_context(runner)
            return made[key]

        yield make


@pytest.fixture
def exposed_host(monkeypatch):
    """What an attacker would like to reach, within the reach of any user of this host."""
    monkeypatch.setenv("A_VARIABLE_OF_THE_WORKER", "x")
    folder = Path(tempfile.mkdtemp(prefix="exposed-"))
    folder.chmod(0o755)
    (folder / "answers.csv").write_text("id,label\n0,7\n")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as control:
        control.bind("control.sock")
        Path("control.sock").chmod(0o777)
        control.listen()
        yield
    shutil.rmtree(folder)


@pytest.fixture
def host_of_our_own(name):
    """Two cases use what is there once on a host, a port and a key: one test process at a time."""
    if name not in (LOOKS_FOR_A_SERVER, MARKS_THE_HOST):
        yield
        return
    with (Path(tempfile.gettempdir()) / "gradewright-proofs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def listening_host(name, host_of_our_own):
    """A server of this host, for the one case that looks for it."""
    if name != LOOKS_FOR_A_SERVER:
        yield
        return
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.47.11.1", 47111))
        server.listen()
        yield


@pytest.fixture
def forgetful_host(name, host_of_our_own):
    """Nothing of the one case that marks this host is left on it."""
    yield
    if name == MARKS_THE_HOST:
        forget_shared_memory()


def forget_shared_memory() -> None:
    libc = ctypes.CDLL(None)
    mark = libc.shmget(4711, 0, 0)
    if mark >= 0:
        libc.shmctl(mark, 0, None)


@pytest.mark.parametrize("name", PROVEN)
@pytest.mark.usefixtures("exposed_host", "listening_host", "forgetful_host")
def test_the_attack_works_with_its_defence_off(name, each_runner, weakened, tmp_path):
    case, backend = PROVEN[name], each_runner.describe()["backend"]
    if case.without.backends and backend not in case.without.backends:
        pytest.skip(f"{backend} can't be started without this defence")
    if {"noexec", "ipc"} & set(case.without.defences) and os.geteuid() != 0:
        pytest.skip("an ordinary user's sandbox never had this defence")
    model = prepare(case, tmp_path / "bundle")
    for _ in range(case.runs):
        result = weakened(backend, case.without.defences).run(
            model,
            images(case.images),
            num_classes=CLASSES,
            limits=case.limits,
            logs=not case.hidden,
        )
    missing = case.without.missing(result)
    assert not missing, (missing, result.verdict, result.detail, result.reason, result.log[-3000:])


@pytest.mark.parametrize("name", CASES)
def test_every_case_has_a_proof_or_says_why_it_has_none(name):
    without = CASES[name].without
    assert bool(without.defences) != bool(without.excepted)
    assert without.defences or without.excepted.startswith(tuple(f"{why}: " for why in REASONS))


def test_a_defence_that_does_not_exist_can_not_be_switched_off():
    with pytest.raises(ValueError, match="moat"):
        sandbox.get_runner("unconfined", _without=frozenset({"moat"}))
