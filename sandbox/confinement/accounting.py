"""What a run used, and what counts it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox.limits import Limits

MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a tree used, after its end."""

    peak_memory_mb: float
    out_of_memory: bool
    out_of_processes: bool
    host_out_of_memory: bool = False  # the kernel killed in it though it was below its limit

    @property
    def was_killed_in(self) -> bool:
        """Whether the kernel killed something in the tree to gain memory."""
        return self.out_of_memory or self.host_out_of_memory


class Group(Protocol):
    """The limits of one process tree."""

    joins: tuple[Path, ...]  # files the first process writes its id to, before anything else
    watch_seconds: float | None

    def watch(self, process: int, file_systems: tuple[int, ...]) -> None:
        """Tell which process is the root of the tree, and its tmpfs mounts (descriptors)."""

    def over_limit(self) -> bool:
        """Whether a limit is exceeded that the kernel does not enforce."""

    def usage(self) -> Usage:
        """What was used."""

    def kill(self) -> None:
        """Kill what is left in the group."""

    def remove(self) -> None:
        """Remove the group, which must be empty."""


class Accounting(Protocol):
    """A way of limiting trees on this host."""

    name: str
    sentence: str

    def open(self, name: str, limits: Limits) -> Group:
        """A new group with these limits."""

    def clear_orphans(self) -> None:
        """Kill and remove groups whose maker is no more."""
