"""What one run may use. Memory and sizes are in MiB, times in seconds."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Protocol


class Limits(Protocol):
    """Anything with these attributes limits a run; `RunLimits` is the plain one."""

    @property
    def wall_seconds(self) -> float: ...
    @property
    def cpus(self) -> int: ...
    @property
    def memory_mb(self) -> int: ...
    @property
    def processes(self) -> int: ...
    @property
    def open_files(self) -> int: ...
    @property
    def tmp_mb(self) -> int: ...
    @property
    def output_mb(self) -> int: ...
    @property
    def gpu_memory_mb(self) -> int: ...
    @property
    def batch_size(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class RunLimits:
    """The limits of one run.

    `wall_seconds` counts from the moment the program gets the student's code, not from the start
    of the interpreter. `memory_mb` is for the whole process tree with `/tmp` and `/dev/shm`.
    """

    wall_seconds: float = 300
    cpus: int = 1
    memory_mb: int = 4096
    processes: int = 64  # threads count too
    open_files: int = 256
    tmp_mb: int = 256
    output_mb: int = 64
    gpu_memory_mb: int = 0  # 0: no GPU
    batch_size: int = 256


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """The limits that hold from a sandbox's start on; the others begin at hand-over."""

    cpus: int
    memory_mb: int
    processes: int
    open_files: int
    tmp_mb: int
    gpu_memory_mb: int

    @classmethod
    def of(cls, limits: Limits) -> Confinement:
        """Those of a run's limits."""
        return cls(**{name.name: getattr(limits, name.name) for name in fields(cls)})


MIB = 1 << 20


class StartFailed(RuntimeError):
    """A sandbox could not be started: our fault, with the reason for operators."""
