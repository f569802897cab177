"""What a backend is: something that starts one confined program and can end it for sure.

A backend only confines. Feeding images, reading frames, deadlines and verdicts are the same for
all of them and live in `session.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox.limits import Limits
from sandbox.run.scratch import Scratch

BUNDLE = "/bundle"
HARNESS = "/opt/harness"


@dataclass(frozen=True, kw_only=True)
class Postmortem:
    """What was seen from outside, after the program is dead."""

    exit_status: int | None  # None: it had to be killed; 128 + n: ended by signal n
    peak_memory_mb: float
    out_of_memory: bool
    out_of_processes: bool
    tmp_full: bool
    out_of_gpu_memory: bool = False
    interference: str = ""  # why it can't have ended so by itself, for operators


class Confined(Protocol):
    """One confined program that waits, with torch imported or being imported, for its CONFIG."""

    request: int  # pipe to write frames to
    response: int  # pipe to read frames from
    output: int  # pipe with what it prints
    bundle: str  # where it sees the bundle
    device: str  # "cpu" or "cuda"
    rlimits: dict[str, int]  # names of `resource` -> value, set before the student's code

    def handed_over(self) -> None:
        """Called at READY, the last moment before the student's code runs."""

    def over_limit(self) -> bool:
        """Whether a limit that the kernel does not enforce here is exceeded now."""

    @property
    def watch_seconds(self) -> float | None:
        """How often `over_limit` must be asked; None: the kernel enforces every limit."""

    def wait(self, seconds: float) -> bool:
        """Wait for the program's end; whether it came."""

    def kill(self) -> None:
        """End the whole process tree at once. It is gone when this returns."""

    def close(self) -> Postmortem:
        """Release everything; called once, after `kill`."""


def rlimits(limits: Limits) -> dict[str, int]:
    """Limits a process sets on itself and can't raise again."""
    return {
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": limits.open_files,
        # above the control group's limit, which is the one that is told about
        "RLIMIT_NPROC": limits.processes + 8,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_MEMLOCK": 64 << 10,
    }


class Backend(Protocol):
    """Starts confined programs under one policy."""

    name: str

    def start(self, name: str, scratch: Scratch, limits: Limits) -> Confined:
        """Start a program.

        Raises:
            StartFailed: this host did not let us.
        """

    def describe(self) -> dict[str, str]:
        """What confines here, in words."""

    def clear_orphans(self) -> None:
        """End and remove what a killed process of ours left behind."""

    def runs(self) -> list[str]:
        """Names of the runs that it keeps anything of outside this process, alive or dead."""


@dataclass(frozen=True, kw_only=True)
class BackendEntry:
    """What a backend's file says of it to the registry (`sandbox.backends`).

    `make` takes the runner environment's folder and the defences that are off; it raises
    SandboxUnavailable with one sentence. `turn` is its place in the order in which backends are
    tried where none is named; None: it confines nothing and is never chosen by itself.
    `is_demanded`: the environment asks for this one and no other.
    """

    name: str
    turn: int | None
    make: Callable[[Path | None, frozenset[str]], Backend]
    is_demanded: Callable[[], bool] = lambda: False

    @property
    def confines(self) -> bool:
        """Whether somebody else's code may run in it."""
        return self.turn is not None
