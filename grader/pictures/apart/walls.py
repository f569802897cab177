"""What a process may do once it has all it needs: compute, read what it is sent, and answer.

An allow list of system calls (seccomp): no file can be opened, no socket made, no program started.
It holds for all that the process does from then on and can't be taken down.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from typing import Final

MEMORY_MB: Final = 4096
CPU_SECONDS: Final = 3600

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # classic BPF
_ARCHITECTURE, _NUMBER = 4, 0  # offsets in seccomp_data
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # with EPERM

# Memory, pipes that are open already, clocks, threads of one's own (AVIF's decoder), and ending.
_CALLS: Final = {
    "x86_64": (
        0xC000003E,
        (
            *(0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 17, 20, 24, 25, 28, 39, 56, 60, 96, 131),
            *(186, 202, 204, 219, 228, 230, 231, 273, 318, 334, 435),
        ),
    ),
    "aarch64": (
        0xC00000B7,
        (
            *(63, 64, 57, 80, 62, 222, 226, 215, 214, 134, 135, 139, 67, 66, 124, 216, 233, 172),
            *(220, 93, 169, 132, 178, 98, 123, 128, 113, 115, 94, 99, 278, 293, 435),
        ),
    ),
}
"""The kernel's number of each processor, and its numbers of: read, write, close, fstat, lseek,
mmap, mprotect, munmap, brk, rt_sigaction, rt_sigprocmask, rt_sigreturn, pread64, writev,
sched_yield, mremap, madvise, getpid, clone, exit, gettimeofday, sigaltstack, gettid, futex,
sched_getaffinity, restart_syscall, clock_gettime, clock_nanosleep, exit_group, set_robust_list,
getrandom, rseq, clone3."""


class NoWalls(Exception):
    """This machine offers no way to confine the process; says why."""


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("first", ctypes.POINTER(_Instruction)))


def limit_resources() -> None:
    """Bound memory and CPU, and forbid core dumps and files, of this process."""
    import resource  # where there is no such module, there is no server

    memory = MEMORY_MB << 20
    for which, bound in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(which)
        bound = bound if most == resource.RLIM_INFINITY else min(bound, most)
        resource.setrlimit(which, (bound, bound))


def close() -> None:
    """Put the wall up around this process; nothing happens on systems other than Linux.

    Raises:
        NoWalls: the processor is not known, or the kernel refuses.
    """
    if sys.platform != "linux":
        return
    machine = platform.machine()
    if machine not in _CALLS:
        raise NoWalls(f"no list of system calls for the processor {machine}")
    instructions = _instructions(*_CALLS[machine])
    array = (_Instruction * len(instructions))(*instructions)
    program = _Program(len(instructions), array)
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            raise NoWalls(f"the kernel refuses: error {ctypes.get_errno()}")


def _instructions(architecture: int, calls: tuple[int, ...]) -> list[_Instruction]:
    """Refuse all but these calls of this processor."""
    known = [
        _Instruction(_JUMP_IF_EQUAL, len(calls) - at, 0, call) for at, call in enumerate(calls)
    ]
    return [
        _Instruction(_LOAD, 0, 0, _ARCHITECTURE),
        _Instruction(_JUMP_IF_EQUAL, 1, 0, architecture),
        _Instruction(_RETURN, 0, 0, _REFUSE),
        _Instruction(_LOAD, 0, 0, _NUMBER),
        *known,
        _Instruction(_RETURN, 0, 0, _REFUSE),
        _Instruction(_RETURN, 0, 0, _ALLOW),
    ]
