"""What a program sees of /proc: its own processes, and of the machine's tables those named here.

The kernel's tables (memory, load, interrupts, locks, settings) are the same for all programs of a
host: what one does shows in them to another. So do the numbers of its entries: each that is looked
up is made anew, with the next number of a count that the whole kernel shares. Before a student's
code is there, `keep_still` therefore leaves a few entries that are made already, and nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# /proc/net is a link to the program's own network namespace, which is empty
ALLOWED = {"self", "thread-self", "mounts", "net", "cpuinfo"}
FOR_A_GPU = {"driver", "devices", "modules"}  # what CUDA looks for its kernel module in
# host paths, of process 1; other processes of the program have the same tables under other names
OWN_TABLES = tuple(
    f"/proc/1/{place}{name}"
    for place in ("", "task/1/")
    for name in ("mountinfo", "mounts", "mountstats")
    if place == "" or name != "mountstats"
)
PROCESSORS = "/proc/cpuinfo"
# What stays of /proc once a student's code may run. Not `maps`: it has the numbers of shared memory
# without a name, which the whole kernel counts.
KEPT = (
    "cpuinfo",
    *(f"1/{name}" for name in ("auxv", "cgroup", "cmdline", "comm", "environ", "limits")),
    *(f"1/{name}" for name in ("stat", "statm", "status")),
)
NUMBERS_SEEN = "the numbers of new entries in /proc"  # what is open without `keep_still`
_CHANGING = re.compile(r"^(cpu MHz|bogomips|BogoMIPS)(\s*): .*$", re.MULTILINE)


def hidden(*, gpu: bool = False) -> tuple[list[str], list[str]]:
    """The files and the folders of /proc that no program sees, on this kernel."""
    allowed = ALLOWED | (FOR_A_GPU if gpu else set())
    with os.scandir("/proc") as entries:
        left = [each for each in entries if not each.name.isdigit() and each.name not in allowed]
        files = sorted(each.path for each in left if not each.is_dir(follow_symlinks=False))
        return files, sorted(each.path for each in left if each.is_dir(follow_symlinks=False))


def write_processors(file: Path) -> Path:
    """Make it /proc/cpuinfo without what follows the load; returns it."""
    text = Path(PROCESSORS).read_text(encoding="utf-8", errors="replace")
    file.write_text(_CHANGING.sub(r"\1\2: 0", text), encoding="utf-8")
    file.chmod(0o444)
    return file


# Numbers that are the same on every processor (linux/mount.h, linux/sched.h)
OPEN_TREE, MOVE_MOUNT = 428, 429
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH, AT_FDCWD = 1, 4, -100
CLONE_FS, CLONE_NEWNS = 0x200, 0x20000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
_FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC


def can_keep_still() -> bool:
    """Whether `keep_still` works here: for root, from Linux 5.2."""
    try:
        os.close(_copy_of_mount("/proc/self/status"))
    except OSError:
        return False
    return True


def keep_still(process: int) -> None:
    """Put a fixed folder over /proc in the mounts of this process, a sandbox's first.

    It has `KEPT`, each the very entry that was there. No student's code has run in there yet.

    Raises:
        OSError: the kernel does not let us.
    """
    with ThreadPoolExecutor(1) as thread:  # a thread can enter other mounts, and ends there
        thread.submit(_keep_still, process).result()


def _keep_still(process: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    mounts = os.open(f"/proc/{process}/ns/mnt", os.O_RDONLY)
    try:
        _done(libc.unshare(CLONE_FS))
        _done(libc.setns(mounts, CLONE_NEWNS))
    finally:
        os.close(mounts)
    with _copies() as kept:
        room = b"mode=0555,size=64k,nr_inodes=32"
        _done(libc.mount(b"none", b"/proc", b"tmpfs", _FLAGS, room))
        Path("/proc/1").mkdir(mode=0o555)
        Path("/proc/self").symlink_to("1")
        for name, copy in kept.items():
            os.close(os.open(f"/proc/{name}", os.O_CREAT | os.O_WRONLY, 0o444))
            place = f"/proc/{name}".encode()
            flags = MOVE_MOUNT_F_EMPTY_PATH
            _done(libc.syscall(MOVE_MOUNT, copy, b"", AT_FDCWD, place, flags))
        _done(libc.mount(b"none", b"/proc", None, MS_REMOUNT | MS_RDONLY | _FLAGS, room))


@contextlib.contextmanager
def _copies() -> Iterator[dict[str, int]]:
    """Names of `KEPT`, as far as they are there -> descriptors of mounts of them."""
    kept: dict[str, int] = {}
    try:
        for name in KEPT:
            with contextlib.suppress(FileNotFoundError):
                kept[name] = _copy_of_mount(f"/proc/{name}")
        yield kept
    finally:
        for copy in kept.values():
            os.close(copy)


def _copy_of_mount(path: str) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    flags = OPEN_TREE_CLONE | os.O_CLOEXEC
    return _done(libc.syscall(OPEN_TREE, AT_FDCWD, path.encode(), flags))


def _done(result: int) -> int:
    """The result of a C function.

    Raises:
        OSError: it failed.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
