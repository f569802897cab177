"""A second wall, put up from inside before torch and the student's code are there: Landlock.

Whatever else fails outside, a program reads files only where the runner's are, writes and makes
them only in its own temporary folders, executes nothing from there, makes no TCP connection, and
sends no signal and opens no abstract socket beyond what it started. Nobody can take it down again.
Kernels older than 6.12 know less of it, those older than 5.13 nothing; then the first wall stands
alone, which `sandbox self-check` says.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # on every processor
ASK_VERSION, PATH_BENEATH = 1, 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
IOCTL_DEV = 1 << 15
# how many rights a version knows: those of the first, moving files, truncating, ioctl on devices
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
BIND_AND_CONNECT_TCP = 1 | 2
ABSTRACT_SOCKETS_AND_SIGNALS = 1 | 2
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | IOCTL_DEV | 1 << 14

READABLE = ("/bundle", "/etc", "/lib", "/lib64", "/opt", "/sys", "/usr")
# Of /proc what programs read of themselves. Not smaps, pagemap and the like, of this process or of
# one that it starts: they tell how many others have a page of a shared library mapped.
PROC = (
    *("cpuinfo", "driver", "devices", "modules", "net", "sys"),
    *("self/auxv", "self/cgroup", "self/cmdline", "self/comm", "self/environ"),
    *("self/limits", "self/maps", "self/stat", "self/statm", "self/status"),
)
WRITABLE = ("/tmp", "/dev/shm")
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


def confine() -> int:
    """Put it up around this thread and all that it starts; returns its version, 0 for none."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = int(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION))
    if version < 1:
        return 0
    known = (1 << RIGHTS.get(version, 16)) - 1
    attributes = struct.pack("<QQQ", known, BIND_AND_CONNECT_TCP, ABSTRACT_SOCKETS_AND_SIGNALS)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = int(libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), 0))
    try:
        for path, rights in _rules():
            _allow(libc, ruleset, path, rights & known)
        done = libc.syscall(RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)
    return version if done else 0


def _rules() -> Iterator[tuple[str, int]]:
    """Folders and files with what may be done with them and all below them."""
    yield "/", READ_DIR
    for path in READABLE:
        yield path, EXECUTE | READ_FILE | READ_DIR
    yield "/proc", READ_DIR
    for name in PROC:
        yield f"/proc/{name}", READ_FILE | READ_DIR
    for path in WRITABLE:
        yield path, ~(EXECUTE | MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV)
    for path in DEVICES:
        yield path, WRITE_FILE | READ_FILE
    for node in Path("/dev").glob("nvidia*"):
        yield str(node), OF_A_FILE & ~EXECUTE


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not every root has every folder
        return
    try:
        if not Path(path).is_dir():
            rights &= OF_A_FILE
        rule = struct.pack("<Qi", rights, descriptor)
        if libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0) != 0:
            raise OSError(ctypes.get_errno(), f"Landlock refuses a rule for {path}")
    finally:
        os.close(descriptor)
