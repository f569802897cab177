"""A filter of system calls over the one that is there already: neither can be taken away again.

An engine filters before its own last calls, so its profile must let those through; from inside,
before torch and the student's code are there, they are refused as well.
"""

from __future__ import annotations

import ctypes

SET_SECCOMP, BY_PROGRAM = 22, 2  # prctl, SECCOMP_MODE_FILTER
INSTRUCTION_BYTES = 8


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def narrow(program: bytes) -> None:
    """Refuse from now on what this BPF program refuses, in this thread and all that it starts.

    Raises:
        OSError: the kernel does not take it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    filtered = _Program(len(program) // INSTRUCTION_BYTES, program)
    if libc.prctl(SET_SECCOMP, BY_PROGRAM, ctypes.byref(filtered), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel takes no narrower filter of system calls")
