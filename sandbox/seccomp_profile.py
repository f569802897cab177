"""The system call policy of `seccomp.py` as a profile for container engines.

The same tables, another format. An engine compiles a profile with its own libseccomp: calls that
this does not know yet, or that the profile does not name, do not exist for the program.
"""

from __future__ import annotations

import errno
import platform
from collections.abc import Iterable, Iterator
from typing import Any

from sandbox.seccomp import ABSENT, CHECKED, REFUSED, Argument
from sandbox.system_calls import NAMES

ARCHITECTURES = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
BITS = 32  # the kernel looks at the low half of the arguments that are checked


def profile(machine: str | None = None) -> dict[str, Any]:
    """The policy for this machine, in the format of the OCI runtime specification.

    Raises:
        NotImplementedError: an architecture without a reviewed table.
    """
    machine = machine or platform.machine()
    if machine not in ARCHITECTURES:
        raise NotImplementedError(f"no system call policy for {machine} processors")
    free = [name for name in NAMES if name not in {*REFUSED, *ABSENT, *CHECKED}]
    rules: list[dict[str, Any]] = [
        {"names": free, "action": "SCMP_ACT_ALLOW"},
        {"names": [*ABSENT], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS},
    ]
    for name, (_, argument) in CHECKED.items():
        rules += [
            {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [condition]}
            for condition in _conditions(argument)
        ]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",  # EPERM, and ENOSYS for calls newer than all named
        "architectures": [ARCHITECTURES[machine]],
        "syscalls": rules,
    }


def _conditions(argument: Argument) -> Iterator[dict[str, Any]]:
    """Conditions of which one must hold. Masked: what is in the upper half changes nothing."""
    if argument.allowed:
        pairs: Iterable[tuple[int, int]] = ((argument.mask, value) for value in argument.values)
    else:
        pairs = others(argument.values)
    for mask, value in pairs:
        yield {
            "index": argument.index,
            "op": "SCMP_CMP_MASKED_EQ",
            "value": mask,
            "valueTwo": value,
        }


def others(values: Iterable[int], bit: int = BITS, prefix: int = 0) -> Iterator[tuple[int, int]]:
    """(mask, value) pairs that match every number of 32 bits but `values`, each exactly once.

    A profile can't say "neither of these"; it can name every branch of the tree of bits that
    leads to none of them.

    >>> [(hex(mask), value) for mask, value in others([0, 1, 3], bit=2)]
    [('0xffffffff', 2)]
    """
    values = set(values)
    if not values:
        yield ((1 << BITS) - 1) >> bit << bit, prefix
        return
    if bit == 0:
        return
    half = 1 << (bit - 1)
    yield from others({value for value in values if not value & half}, bit - 1, prefix)
    yield from others({value for value in values if value & half}, bit - 1, prefix | half)
