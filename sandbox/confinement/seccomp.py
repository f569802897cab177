"""The system call policy (`system_calls.py`) as a BPF program.

What a model needs is allowed, some of it only with certain arguments; all else is refused. Calls
newer than the newest one reviewed do not exist for the program (ENOSYS), and the 32-bit and x32
ways into the kernel kill it.

The program is assembled here (linux/filter.h, linux/seccomp.h), without any library.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterable, Mapping

from sandbox.confinement.system_calls import (
    ABSENT,
    ALL_BITS,
    ALLOWED,
    CHECKED,
    CUDA,
    CUDA_CHECKED,
    NEWEST,
    Argument,
    Numbers,
)

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000

LOAD, JUMP_EQUAL, JUMP_GREATER_EQUAL, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
KILL, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
OFFSET_CALL, OFFSET_ARCH, OFFSET_ARGUMENTS = 0, 4, 16

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant


def program(machine: str | None = None, *, cuda: bool = False) -> bytes:
    """The filter for this machine, as an array of `struct sock_filter`.

    `cuda`: for a program that was lent a GPU.

    Raises:
        NotImplementedError: an architecture without a reviewed table.
    """
    machine = machine or platform.machine()
    if machine not in AUDIT_ARCH:
        raise NotImplementedError(f"no system call policy for {machine} processors")
    column = list(AUDIT_ARCH).index(machine)
    allowed, checked = calls(cuda=cuda)
    code: list[Instruction] = [
        (LOAD, 0, 0, OFFSET_ARCH),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, OFFSET_CALL),
    ]
    if machine == "x86_64":
        code += [(JUMP_GREATER_EQUAL, 0, 1, X32_BIT), (RETURN, 0, 0, KILL)]
    code += [(JUMP_GREATER_EQUAL, 0, 1, NEWEST + 1), (RETURN, 0, 0, ERRNO | errno.ENOSYS)]
    for numbers, argument in checked.values():
        code += _check(numbers[column], argument)
    code += _answer((numbers[column] for numbers in allowed.values()), ALLOW)
    # what CUDA may call is not absent for it
    absent = [numbers for name, numbers in ABSENT.items() if name not in allowed]
    code += _answer((numbers[column] for numbers in absent), ERRNO | errno.ENOSYS)
    code.append((RETURN, 0, 0, ERRNO | errno.EPERM))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def calls(
    *, cuda: bool = False
) -> tuple[Mapping[str, Numbers], Mapping[str, tuple[Numbers, Argument]]]:
    """What is allowed, and what is allowed by an argument: names -> numbers."""
    if cuda:
        return ALLOWED | CUDA, CHECKED | CUDA_CHECKED
    return ALLOWED, CHECKED


def reachable(machine: str, *, cuda: bool = False) -> list[str]:
    """Names of the calls that reach the kernel, whatever their arguments."""
    column = list(AUDIT_ARCH).index(machine)
    allowed, checked = calls(cuda=cuda)
    named = {**allowed, **{name: numbers for name, (numbers, _) in checked.items()}}
    return sorted(name for name, numbers in named.items() if numbers[column] is not None)


def _answer(numbers: Iterable[int | None], answer: int) -> list[Instruction]:
    code: list[Instruction] = []
    for number in numbers:
        if number is not None:
            code += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, answer)]
    return code


def _check(number: int | None, argument: Argument) -> list[Instruction]:
    """If the call is `number`: decide by the argument; else go on with the number loaded."""
    if number is None:
        return []
    decide: list[Instruction] = [(LOAD, 0, 0, OFFSET_ARGUMENTS + 8 * argument.index)]
    if argument.mask != ALL_BITS:
        decide.append((AND, 0, 0, argument.mask))
    decide += _answer(argument.allowed, ALLOW)
    for value, error in argument.refused:
        decide += _answer((value,), ERRNO | error)
    decide.append((RETURN, 0, 0, ALLOW if argument.others_allowed else ERRNO | errno.EPERM))
    return [(JUMP_EQUAL, 0, len(decide), number), *decide]
