"""Where no control group can be had: add up the tree's memory, many times a second.

Weaker than a control group: between two looks a program can take more than it may (the machine's
memory bandwidth times the interval). rlimits set by the harness bound processes and descriptors.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from sandbox.confinement.accounting import MIB, Group, Usage
from sandbox.limits import Limits

INODE_BYTES = 1024  # of kernel memory, about


class Watchdog:
    """Limits trees by looking."""

    name = "watchdog"
    sentence = (
        "no control groups here: memory is limited by a watchdog that looks at the process tree "
        "20 times a second, processes by rlimit"
    )

    def open(self, name: str, limits: Limits) -> Group:
        """A watch over one tree."""
        return _Watch(limits)

    def clear_orphans(self) -> None:
        """Nothing is left by a watch: its tree dies with us."""


class _Watch:
    joins: tuple[Path, ...] = ()
    watch_seconds: float | None = 0.05

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._root = 0
        self._file_systems: tuple[int, ...] = ()
        self._peak = 0
        self._exceeded = False

    def watch(self, process: int, file_systems: tuple[int, ...]) -> None:
        self._root = process
        self._file_systems = file_systems

    def over_limit(self) -> bool:
        tree = process_tree(self._root)
        used = sum(_private_bytes(process) for process in tree)
        most = self._limits.memory_mb * MIB
        if used > most:  # forked children share pages with their parent: count those once
            used = sum(_fair_bytes(process) for process in tree)
        used += sum(_file_system_bytes(descriptor) for descriptor in self._file_systems)
        self._peak = max(self._peak, used)
        self._exceeded = self._exceeded or used > most
        return self._exceeded

    def usage(self) -> Usage:
        return Usage(
            peak_memory_mb=self._peak / MIB,
            out_of_memory=self._exceeded,
            out_of_processes=False,
        )

    def kill(self) -> None:
        """Nothing to add: process 1 of the tree is dead, and the kernel took the rest with it."""

    def remove(self) -> None:
        """Nothing was made."""


def process_tree(root: int) -> list[int]:
    """`root` and everything below it, as /proc shows it now."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names only, and many
        if entry.isdigit():
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{entry}/stat").read_text(errors="replace")
                parent = int(line.rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry))
    found = [root] if root else []
    for process in found:  # grows while it is walked
        found += children.get(process, [])
    return found


def _private_bytes(process: int) -> int:
    """Resident memory that is not a file's: `resident` less `shared` of statm, in bytes."""
    try:
        resident, shared = Path(f"/proc/{process}/statm").read_text().split()[1:3]
    except OSError:
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def _fair_bytes(process: int) -> int:
    """Private memory with shared pages divided among those who share them."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return _private_bytes(process)
    sizes = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
    return (sizes.get("Pss_Anon:", 0) + sizes.get("SwapPss:", 0)) * 1024


def _file_system_bytes(descriptor: int) -> int:
    status = os.fstatvfs(descriptor)
    inodes = (status.f_files - status.f_ffree) * INODE_BYTES
    return (status.f_blocks - status.f_bfree) * status.f_frsize + inodes
