"""The system call policy as a profile for container engines.

The same tables in another format, and what an engine itself needs once it is in force. An engine
compiles a profile with its own libseccomp: calls that this does not know yet do not exist for the
program.
"""

from __future__ import annotations

import errno
import platform
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from sandbox.confinement.seccomp import calls
from sandbox.confinement.system_calls import (
    ABSENT,
    CHANNEL,
    CHANNEL_CHECKED,
    NAMES,
    Argument,
)

ARCHITECTURES = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
ALLOW, REFUSE = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
# What a container needs before a student's code is there: what runc does after it has put the
# filter up (found by leaving out one call after another), and its pipes. Then
# `inside/narrower.py` refuses it too, by the program of `seccomp.py`.
START = ("fstatfs", *CHANNEL)
NARROWING = {"prctl": 22}  # PR_SET_SECCOMP
BITS = 32  # the kernel looks at the low half of the arguments that are checked


def profile(machine: str | None = None, *, cuda: bool = False) -> dict[str, Any]:
    """The policy for this machine, in the format of the OCI runtime specification.

    `cuda`: for a program that was lent a GPU.

    Raises:
        NotImplementedError: an architecture without a reviewed table.
    """
    machine = machine or platform.machine()
    if machine not in ARCHITECTURES:
        raise NotImplementedError(f"no system call policy for {machine} processors")
    column = list(ARCHITECTURES).index(machine)
    allowed, checked = calls(cuda=cuda)
    here = {name for name, numbers in allowed.items() if numbers[column] is not None}
    here |= set(START)
    checked = {**CHANNEL_CHECKED, **checked}
    absent = [name for name in ABSENT if name not in here]
    refused = [name for name in NAMES if name not in {*here, *absent, *checked}]
    rules: list[dict[str, Any]] = [
        {"names": sorted(here), "action": ALLOW},
        {"names": absent, "action": REFUSE, "errnoRet": errno.ENOSYS},
        # by name, as an engine takes for new and absent what is newer than all that are named
        {"names": refused, "action": REFUSE, "errnoRet": errno.EPERM},
    ]
    for name, (_, argument) in checked.items():
        if name in NARROWING:
            argument = replace(argument, allowed=(*argument.allowed, NARROWING[name]))
        rules += [{"names": [name], **rule} for rule in _by_argument(argument)]
    return {
        "defaultAction": REFUSE,
        "architectures": [ARCHITECTURES[machine]],
        "syscalls": rules,
    }


def _by_argument(argument: Argument) -> Iterator[dict[str, Any]]:
    """Rules of which one may hold. Masked: what is in the upper half changes nothing."""
    pairs: Iterable[tuple[int, int]] = ((argument.mask, value) for value in argument.allowed)
    if argument.others_allowed:
        pairs = others(value for value, _ in argument.refused)
    for mask, value in pairs:
        yield {"action": ALLOW, "args": [_equal(argument.index, mask, value)]}
    for value, error in argument.refused:
        condition = _equal(argument.index, argument.mask, value)
        yield {"action": REFUSE, "errnoRet": error, "args": [condition]}


def _equal(index: int, mask: int, value: int) -> dict[str, Any]:
    return {"index": index, "op": "SCMP_CMP_MASKED_EQ", "value": mask, "valueTwo": value}


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
