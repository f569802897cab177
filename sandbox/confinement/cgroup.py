"""Memory, process and CPU limits on a whole process tree.

Three ways, the best that the host offers: control groups version 2 where a parent is delegated
to us, version 1 where its hierarchies are mounted and writable, else a watchdog that adds up the
tree's memory many times a second, with process limits by rlimit. `find_accounting` chooses and
says which.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sandbox.confinement.accounting import MIB, Group, Usage
from sandbox.limits import Limits
from sandbox.names import is_orphan

PARENT = "gradewright"
SETTING = "SANDBOX_CGROUP"
# What starts and watches the program lives in the same group: bwrap's monitor, and the threads
# that the harness itself has.
OWN_PROCESSES = 4
PERIOD = 100_000  # microseconds of a CPU period
# A processor keeps up to 1 ms of a group's quota that a thread which moved away left unused
# (Documentation/scheduler/sched-bwc.rst): with no more than a whole period, busy threads would stop
# at its end.
SLACK = 0.05
# The kernel divides the CPU among groups before it does among what is in them. By default all
# sandboxes together would get as much as one process outside: 25 s for an import of torch beside
# 20 busy processes (measured), and a student's time limit with it.
PROCESSORS = os.cpu_count() or 1


class _Folders:
    """Group folders of one or several hierarchies, killed and removed together."""

    # The kernel enforces the limits; this notices that it had to, where a child was killed and
    # its parent sleeps on.
    watch_seconds: float | None = 0.2

    def __init__(self, folders: list[Path]) -> None:
        self.folders = folders
        for folder in folders:
            folder.mkdir(parents=True)
        self.joins = tuple(folder / "cgroup.procs" for folder in folders)

    def watch(self, process: int, file_systems: tuple[int, ...]) -> None:
        """Nothing to do: the kernel counts."""

    def kill(self) -> None:
        """Kill until nothing is left; a tree that forks as fast as it dies loses to this."""
        for folder in self.folders:
            _kill_group(folder)

    def remove(self) -> None:
        """Remove the folders; a group stays busy for a moment after its last process."""
        for folder in self.folders:
            _remove_group(folder)


def _kill_group(folder: Path) -> None:
    at_once = folder / "cgroup.kill"
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if at_once.exists():
            at_once.write_text("1")
        processes = [int(line) for line in (folder / "cgroup.procs").read_text().split()]
        if not processes:
            return
        for process in processes:
            if process > 0:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        time.sleep(0.002)


def _remove_group(folder: Path) -> None:
    deadline = time.monotonic() + 5
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


def _clear(parent: Path) -> None:
    if parent.is_dir():
        for folder in parent.iterdir():
            if folder.is_dir() and is_orphan(folder.name):
                try:
                    _kill_group(folder)
                    _remove_group(folder)
                except OSError:  # ENOENT or ENODEV where another process clears up as well
                    if folder.exists():
                        raise


class _GroupV1(_Folders):
    def __init__(self, parents: dict[str, Path], name: str, limits: Limits) -> None:
        super().__init__([parent / name for parent in parents.values()])
        self._memory = parents["memory"] / name
        self._pids = parents["pids"] / name
        most = limits.memory_mb * MIB
        _set(self._memory / "memory.limit_in_bytes", most)
        _set(self._memory / "memory.swappiness", 0)
        if (self._memory / "memory.memsw.limit_in_bytes").exists():
            _set(self._memory / "memory.memsw.limit_in_bytes", most)
        _set(self._pids / "pids.max", limits.processes + OWN_PROCESSES)
        if "cpu" in parents:
            _set(parents["cpu"] / "cpu.shares", 1024 * PROCESSORS)
            _set(parents["cpu"] / name / "cpu.cfs_period_us", PERIOD)
            _set(parents["cpu"] / name / "cpu.cfs_quota_us", _quota(limits))

    def over_limit(self) -> bool:
        """Whether the kernel had to kill."""
        return self.usage().was_killed_in

    def usage(self) -> Usage:
        return _usage_v1(self._memory, self._pids)


class _GroupV2(_Folders):
    def __init__(self, parent: Path, name: str, limits: Limits) -> None:
        super().__init__([parent / name])
        self._folder = parent / name
        _set(self._folder / "memory.max", limits.memory_mb * MIB)
        if (self._folder / "memory.swap.max").exists():
            _set(self._folder / "memory.swap.max", 0)
        _set(self._folder / "memory.oom.group", 1)
        _set(self._folder / "pids.max", limits.processes + OWN_PROCESSES)
        if (parent / "cpu.weight").exists():
            _set(parent / "cpu.weight", min(100 * PROCESSORS, 10_000))
        if (self._folder / "cpu.max").exists():
            (self._folder / "cpu.max").write_text(f"{_quota(limits)} {PERIOD}")

    def over_limit(self) -> bool:
        """Whether the kernel had to kill."""
        return self.usage().was_killed_in

    def usage(self) -> Usage:
        return _usage_v2(self._folder)


def _usage_v1(memory: Path, pids: Path) -> Usage:
    kills = _fields(memory / "memory.oom_control").get("oom_kill", 0)
    peak = int((memory / "memory.max_usage_in_bytes").read_text())
    # its counter of failures (failcnt) stays 0 on Linux 6.18
    reached = peak > int((memory / "memory.limit_in_bytes").read_text()) - MIB
    return Usage(
        peak_memory_mb=peak / MIB,
        out_of_memory=kills > 0 and reached,
        out_of_processes=_fields(pids / "pids.events").get("max", 0) > 0,
        host_out_of_memory=kills > 0 and not reached,
    )


def _usage_v2(folder: Path) -> Usage:
    events = _fields(folder / "memory.events")
    kills, reached = events.get("oom_kill", 0), events.get("oom", 0) > 0
    peak = folder / "memory.peak"  # since Linux 5.19
    return Usage(
        peak_memory_mb=int(peak.read_text()) / MIB if peak.exists() else 0.0,
        out_of_memory=kills > 0 and reached,
        out_of_processes=_fields(folder / "pids.events").get("max", 0) > 0,
        host_out_of_memory=kills > 0 and not reached,
    )


def usage_reader(process: int, mark: str) -> Callable[[], Usage] | None:
    """Reads what the group of `process`, which somebody else made and limits, used so far.

    The call raises OSError once the group is gone. None: no group of it with `mark` in its path
    can be seen from here, as when the process number means another process in this container.
    """
    try:
        lines = Path(f"/proc/{process}/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    paths = {name: path for line in lines for name, path in _controllers(line) if mark in path}
    mounts = mounts_v1(os.R_OK)
    if {"memory", "pids"} <= paths.keys() & mounts.keys():
        folders = [mounts[name] / paths[name] for name in ("memory", "pids")]
        return partial(_usage_v1, *folders) if folders[0].is_dir() else None
    for words in _mount_table():
        if words[-3] == "cgroup2" and "" in paths:
            folder = Path(words[4]) / paths[""]
            if (folder / "memory.events").exists():
                return partial(_usage_v2, folder)
    return None


def _controllers(line: str) -> list[tuple[str, str]]:
    """A line of /proc/PID/cgroup as (controller, path); the unified hierarchy's name is empty."""
    _, names, path = line.split(":", 2)
    return [(name, path.lstrip("/")) for name in names.split(",")]


class CgroupV1:
    """Version 1 hierarchies `memory` and `pids`, and `cpu` where it is there."""

    name = "cgroup v1"
    sentence = "memory, processes and CPU are limited by control groups (version 1)"

    def __init__(self, mounts: dict[str, Path]) -> None:
        self._parents = {name: mount / PARENT for name, mount in mounts.items()}

    def open(self, name: str, limits: Limits) -> Group:
        """A group in each hierarchy."""
        return _GroupV1(self._parents, name, limits)

    def clear_orphans(self) -> None:
        """Kill and remove groups whose maker is no more."""
        for parent in self._parents.values():
            _clear(parent)


class CgroupV2:
    """A delegated folder of the unified hierarchy."""

    name = "cgroup v2"
    sentence = "memory, processes and CPU are limited by control groups (version 2)"

    def __init__(self, parent: Path) -> None:
        self._parent = parent

    def open(self, name: str, limits: Limits) -> Group:
        """A group below the delegated one."""
        return _GroupV2(self._parent, name, limits)

    def clear_orphans(self) -> None:
        """Kill and remove groups whose maker is no more."""
        _clear(self._parent)


def candidates_v2() -> list[Path]:
    """Below the root of the hierarchy (as root), else beside our own group (a user's session)."""
    roots = [Path(words[4]) for words in _mount_table() if words[-3] == "cgroup2"]
    candidates = []
    for root in roots:
        candidates.append(root / PARENT)
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            if line.startswith("0::"):
                candidates.append((root / line[4:]).parent / PARENT)
    return candidates


def prepare_v2(parent: Path) -> bool:
    """Make `parent` a group whose children have memory and process limits; whether that worked."""
    try:
        for folder in (parent.parent, parent):
            folder.mkdir(exist_ok=True)
            given = (folder / "cgroup.controllers").read_text(encoding="utf-8").split()
            if not {"memory", "pids"} <= set(given):
                return False
            wanted = [f"+{name}" for name in ("memory", "pids", "cpu") if name in given]
            active = (folder / "cgroup.subtree_control").read_text(encoding="utf-8").split()
            if not {"memory", "pids"} <= set(active):
                (folder / "cgroup.subtree_control").write_text(" ".join(wanted))
    except OSError:
        return False
    return True


def mounts_v1(access: int = os.W_OK) -> dict[str, Path]:
    """Version 1 hierarchies by controller; writable ones, if nothing else is asked for."""
    found: dict[str, Path] = {}
    for words in _mount_table():
        if words[-3] == "cgroup":
            mount = Path(words[4])
            for option in words[-1].split(","):
                if option in ("memory", "pids", "cpu") and os.access(mount, access):
                    found[option] = mount
    return found


def _mount_table() -> list[list[str]]:
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    return [line.split() for line in text.splitlines()]


def _set(file: Path, value: int) -> None:
    file.write_text(str(value))


def _fields(file: Path) -> dict[str, int]:
    if not file.exists():
        return {}
    pairs = (line.split() for line in file.read_text().splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def _quota(limits: Limits) -> int:
    """Microseconds of CPU in a period."""
    return round(PERIOD * (limits.cpus + SLACK))
