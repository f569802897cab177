"""No confinement: the harness as a plain subprocess, for one's own bundle on one's own machine.

It keeps the contract, the channel and the time limit, so that what works here works in a sandbox.
It must never run somebody else's code.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

from sandbox.limits import Limits, StartFailed
from sandbox.run.backend import BackendEntry, Postmortem
from sandbox.run.scratch import Scratch
from sandbox.runner_env.environment import SandboxUnavailable

BOOT = (
    "import sys; sys.path.insert(0, {harness!r}); "
    "from sandbox.inside.boot import main; main({}, {}, confine=False)"
)


class Unconfined:
    """Starts the harness with this interpreter and its packages."""

    name = "unconfined"

    def __init__(self) -> None:
        """Look for torch.

        Raises:
            SandboxUnavailable: it is not installed here, or this is not a POSIX system.
        """
        if os.name != "posix":
            raise SandboxUnavailable("Bundles can be tried on Linux and macOS (or in WSL) only.")
        if importlib.util.find_spec("torch") is None:
            raise SandboxUnavailable("torch is not installed here, so the bundle can't be tried.")

    def describe(self) -> dict[str, str]:
        """What confines here: nothing."""
        return {"backend": self.name, "limits": "wall time only", "python": sys.version.split()[0]}

    def clear_orphans(self) -> None:
        """Nothing outlives us but the scratch folders, which are cleared elsewhere."""

    def runs(self) -> list[str]:
        """None: a process is all it starts."""
        return []

    def start(self, name: str, scratch: Scratch, limits: Limits) -> _Subprocess:
        """Start the harness.

        Raises:
            StartFailed: the process could not be started.
        """
        return _Subprocess(scratch)


class _Subprocess:
    rlimits = {"RLIMIT_CORE": 0}  # noqa: RUF012 - a constant
    watch_seconds: float | None = None
    device = "cpu"

    def __init__(self, scratch: Scratch) -> None:
        self.bundle = str(scratch.folder / "bundle")
        request_inside, self.request = os.pipe()
        self.response, response_inside = os.pipe()
        self.output, output_inside = os.pipe()
        boot = BOOT.format(request_inside, response_inside, harness=str(scratch.folder / "harness"))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-B", "-u", "-c", boot],
                stdin=subprocess.DEVNULL,
                stdout=output_inside,
                stderr=output_inside,
                pass_fds=(request_inside, response_inside),
                cwd=self.bundle,
                start_new_session=True,
            )
        except OSError as error:
            self._close_pipes()
            raise StartFailed(f"the harness could not be started: {error}") from error
        finally:
            for descriptor in (request_inside, response_inside, output_inside):
                os.close(descriptor)
        self._killed = False

    def handed_over(self) -> None:
        """Nothing to hold on to."""

    def over_limit(self) -> bool:
        """Never: only wall time is limited."""
        return False

    def wait(self, seconds: float) -> bool:
        """Wait for the program's end."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End the process and its group; a process that left the group lives on."""
        self._killed = self._process.poll() is None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> Postmortem:
        """Release everything and tell how it ended."""
        self._close_pipes()
        status = self._process.returncode
        return Postmortem(
            exit_status=None if self._killed else status if status >= 0 else 128 - status,
            peak_memory_mb=0.0,
            out_of_memory=False,
            out_of_processes=False,
            tmp_full=False,
        )

    def _close_pipes(self) -> None:
        for descriptor in (self.request, self.response, self.output):
            os.close(descriptor)


def _make(runner_env: Path | None, without: frozenset[str]) -> Unconfined:
    return Unconfined()


BACKEND = BackendEntry(name=Unconfined.name, turn=None, make=_make)
