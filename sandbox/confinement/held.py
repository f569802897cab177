"""The runner environment's files, held in memory, so that no run can tell what another has read.

Which pages of a file are in memory is the same for all programs of a host, and can be asked
(`preadv2(RWF_NOWAIT)`, mincore, cachestat, the time of a read) and changed (a read,
`posix_fadvise`). Of a file that is locked into memory every page is there, whatever anybody does.
All workers of a host hold the same pages: they take the memory once.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.limits import MIB

SHARE = 0.25  # of the memory that this service may take
PROT_READ, MAP_SHARED, MAP_LOCKED = 1, 1, 0x2000
FAILED = ctypes.c_void_p(-1).value
TOO_MANY_MAPS = Path("/proc/sys/vm/max_map_count")
CGROUP_LIMITS = ("memory.max", "memory.limit_in_bytes")


class NotHeld(RuntimeError):
    """The files can't be held; the sentence says why."""


class Held:
    """Files that are held until this object is gone, or its process."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Lock every file of these folders.

        Raises:
            NotHeld: there is too little memory for it, or this user may not.
        """
        files = {path: size for folder in folders for path, size in _files(str(folder))}
        self.bytes = sum(files.values())
        _check_room(self.bytes, len(files))
        self._libc = _libc()
        self._places: list[tuple[int, int]] = []
        self._release = weakref.finalize(self, _unmap, self._libc, self._places)
        try:
            for path, size in files.items():
                self._places.append((self._lock(path, size), size))
        except OSError as error:
            self._release()
            raise NotHeld(
                f"this user may not lock {self.bytes // MIB} MB into memory: {error.strerror} "
                "(LimitMEMLOCK of the service, `ulimit -l`)"
            ) from error

    def _lock(self, path: str, size: int) -> int:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            how = MAP_SHARED | MAP_LOCKED
            place = self._libc.mmap(None, size, PROT_READ, how, descriptor, 0)
        finally:
            os.close(descriptor)
        if place == FAILED:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return int(place)


@dataclass(frozen=True, kw_only=True)
class Holding:
    """What a backend holds, or why it does not."""

    held: Held | None
    why_not: str = ""

    @classmethod
    def of(cls, folders: list[Path], *, on: bool, unseen: str = "") -> Holding:
        """Hold these folders; `unseen`: why there are none."""
        if not on or unseen:
            return cls(held=None, why_not=unseen or "switched off")
        try:
            return cls(held=hold(folders))
        except NotHeld as reason:
            return cls(held=None, why_not=str(reason))

    @property
    def megabytes(self) -> int:
        """How much memory it takes."""
        return self.held.bytes // MIB if self.held else 0

    @property
    def open(self) -> list[str]:
        """What one run can tell another by, since the files are not held."""
        return [] if self.held else [f"which of the runner's files were read ({self.why_not})"]


_kept: weakref.WeakValueDictionary[tuple[Path, ...], Held] = weakref.WeakValueDictionary()
_keeping = threading.Lock()


def hold(folders: Iterable[Path]) -> Held:
    """The files of these folders, held once in this process for all that ask.

    Raises:
        NotHeld: they can't be.
    """
    key = tuple(sorted(folders))
    with _keeping:
        held = _kept.get(key)
        if held is None:
            held = _kept[key] = Held(key)
        return held


def _files(folder: str) -> Iterator[tuple[str, int]]:
    """Paths and sizes of the regular files that are not empty."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            elif entry.is_file(follow_symlinks=False):
                size = entry.stat(follow_symlinks=False).st_size
                if size:
                    yield entry.path, size


def _check_room(size: int, files: int) -> None:
    """Refuse what would leave a worker's runs too little.

    Raises:
        NotHeld: with what there is and what it takes.
    """
    memory = _memory_allowed()
    if size > memory * SHARE:
        raise NotHeld(
            f"holding it takes {size // MIB} MB, more than a quarter of the {memory // MIB} MB "
            "that this service may take"
        )
    maps = int(TOO_MANY_MAPS.read_text()) if TOO_MANY_MAPS.exists() else 65_530
    if files > maps * 0.75:
        raise NotHeld(f"it has {files} files, too many to hold (vm.max_map_count is {maps})")


def _memory_allowed() -> int:
    """In bytes: what the machine has available, or what the control groups above us allow."""
    table = dict(
        line.split(":", 1) for line in Path("/proc/meminfo").read_text("ascii").splitlines()
    )
    allowed = [int(table["MemAvailable"].split()[0]) * 1024]
    for line in Path("/proc/self/cgroup").read_text("utf-8", "replace").splitlines():
        _, names, path = line.split(":", 2)
        top = Path("/sys/fs/cgroup") / ("memory" if "memory" in names.split(",") else "")
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            allowed += [limit for name in CGROUP_LIMITS if (limit := _number(folder / name))]
    return min(allowed)


def _number(file: Path) -> int | None:
    try:
        text = file.read_text("ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return libc


def _unmap(libc: ctypes.CDLL, places: list[tuple[int, int]]) -> None:
    for place, size in places:
        libc.munmap(place, size)
