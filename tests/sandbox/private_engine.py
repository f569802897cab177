"""A Docker engine for the tests: this host's, or one of their own that disturbs nothing.

A private engine has its own socket, state and container runtime's name space. Its images lie in
the user's cache, so that only the first run imports one; everything else goes with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_cache_path

from sandbox.backends.build_image import import_environment
from sandbox.backends.docker_engine import Engine
from sandbox.runner_env.environment import SandboxUnavailable, find_environment

NAME = "gradewright-tests"
START_SECONDS = 60.0


class NoEngine(RuntimeError):
    """No Docker engine is here and none can be started; the reason."""


@contextlib.contextmanager
def docker_engine() -> Iterator[None]:
    """`DOCKER_HOST` names an engine that has the runner image, as long as this lasts.

    Raises:
        NoEngine: there is none.
    """
    with contextlib.ExitStack() as stack:
        try:
            engine = Engine()
        except SandboxUnavailable as unavailable:
            address = stack.enter_context(_private(str(unavailable)))
            stack.enter_context(_environment("DOCKER_HOST", address))
            engine = Engine()
        import_environment(engine, find_environment())
        yield


@contextlib.contextmanager
def _private(why: str) -> Iterator[str]:
    """An engine of our own; its address."""
    program = shutil.which("dockerd")
    if program is None or os.geteuid() != 0:
        raise NoEngine(f"{why} Starting a private one needs `dockerd` and root.")
    with contextlib.ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{NAME}-")))
        images, lock = stack.enter_context(_images(state))
        stack.callback(_unmount_below, state)
        address = f"unix://{state}/docker.sock"
        log = stack.enter_context((state / "log").open("wb"))
        engine = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "TERM", program),  # it ends with a killed test run
                *("--host", address, "--pidfile", str(state / "pid")),
                *("--data-root", str(images), "--exec-root", str(state / "exec")),
                *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
                *("--containerd-namespace", NAME, "--containerd-plugins-namespace", f"{NAME}-p"),
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[lock],  # an engine that outlives its test run keeps what it uses
        )
        stack.callback(_stop, engine)
        _wait_for(state / "docker.sock", engine, state / "log")
        yield address


@contextlib.contextmanager
def _images(state: Path) -> Iterator[tuple[Path, int]]:
    """A cached folder of images with its lock; one that passes where another engine has it."""
    cache = user_cache_path(NAME) / "docker"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache.parent / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            cache = state / "data"
        yield cache, lock.fileno()


def _wait_for(socket: Path, engine: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not socket.exists():
        if engine.poll() is not None or time.monotonic() > deadline:
            raise NoEngine(f"dockerd did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def _stop(engine: subprocess.Popen[bytes]) -> None:
    engine.terminate()
    try:
        engine.wait(30)
    except subprocess.TimeoutExpired:
        engine.kill()
        engine.wait()


def _unmount_below(folder: Path) -> None:
    """An engine that had to be killed, or was busy when it ended, leaves mounts behind."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    places = [line.split()[4] for line in lines]
    for place in reversed([each for each in places if each.startswith(f"{folder}/")]):
        subprocess.run(["umount", "--lazy", place], check=False)


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
