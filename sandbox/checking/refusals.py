"""What a command asks of the kernel and the system call policy refuses, call by call.

    python -m sandbox.checking.refusals [--cuda] -- python3 -c "import torch"

The command runs under the very filter of a sandbox, and under nothing else of it. Each refusal goes
by this process (seccomp's user notification, Linux 5.6), which gives the policy's answer and
counts. Nothing is traced, so what a driver does at full speed it does here too.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import ctypes.util
import errno
import fcntl
import json
import os
import platform
import select
import socket
import struct
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from sandbox.confinement import seccomp
from sandbox.confinement.seccomp import AND, ERRNO, JUMP_EQUAL, JUMP_GREATER_EQUAL, LOAD, RETURN
from sandbox.confinement.system_calls import ABSENT

NOTIFY = 0x7FC00000  # SECCOMP_RET_USER_NOTIF
SET_MODE_FILTER, NEW_LISTENER, NO_NEW_PRIVS = 1, 8, 38
SECCOMP, PIDFD_GETFD = {"x86_64": 317, "aarch64": 277}, 438
RECEIVE, SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV and _SEND
NOTICE, ANSWER = struct.Struct("<QIIiIQ6Q"), struct.Struct("<QqiI")
LOOK_MS = 200


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """`status`: the command's exit status, 128 + n for signal n. `calls`: the most often first."""

    status: int
    calls: tuple[Refusal, ...]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """`arguments`: the first two, where the policy decides by one; else none."""

    call: str
    arguments: tuple[int, ...]
    answer: str
    times: int


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def refusals(command: Sequence[str], *, cuda: bool = False) -> Refusals:
    """Run the command to its end and tell what it was refused.

    Raises:
        OSError: this kernel or this user can't filter, or there is no such command.
        NotImplementedError: an architecture without a reviewed table.
    """
    program = seccomp.program(cuda=cuda)
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        _become(command, _asking(program), theirs.fileno())
    theirs.close()
    with ours:
        listener = _listener(child, ours.recv(4))
        ours.send(b"x")
    counts: Counter[tuple[int, tuple[int, ...], int]] = Counter()
    try:
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            counts.update(_answered(listener, program))
    finally:
        os.close(listener)
    status = os.waitstatus_to_exitcode(ended[1])
    return Refusals(
        status=status if status >= 0 else 128 - status,
        calls=tuple(_named(*what, times) for what, times in counts.most_common()),
    )


def _asking(program: bytes) -> bytes:
    """The same filter, whose refusals are put to a listener."""
    code = [
        (what, if_true, if_false, NOTIFY)
        if what == RETURN and constant & 0xFFFF0000 == ERRNO
        else (what, if_true, if_false, constant)
        for what, if_true, if_false, constant in struct.iter_unpack("<HBBI", program)
    ]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def _become(command: Sequence[str], program: bytes, theirs: int) -> None:
    """In the child: filter, tell the listener's number, become the command. Never returns."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
        filtered = _Program(len(program) // 8, program)
        call = SECCOMP[platform.machine()]
        made = libc.syscall(call, SET_MODE_FILTER, NEW_LISTENER, ctypes.byref(filtered))
        os.write(theirs, struct.pack("<i", made))
        if os.read(theirs, 1):  # an `execve` closes the listener here
            os.execvp(command[0], [*command])  # noqa: S606 - no shell
    finally:
        os._exit(127)


def _listener(child: int, said: bytes) -> int:
    """The child's listener, in this process; it could not send it, filtered as it is.

    Raises:
        OSError: there is none.
    """
    number = struct.unpack("<i", said)[0] if len(said) == 4 else -1
    process = os.pidfd_open(child)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        listener = int(libc.syscall(PIDFD_GETFD, process, number, 0)) if number >= 0 else -1
    finally:
        os.close(process)
    if listener < 0:
        os.waitpid(child, 0)
        raise OSError(ctypes.get_errno(), "this kernel, or this user, can't watch refused calls")
    return listener


def _answered(listener: int, program: bytes) -> Iterator[tuple[int, tuple[int, ...], int]]:
    """Wait a little for a refusal, give the policy's answer: number, arguments, error number."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    if not any(what & select.POLLIN for _, what in poll.poll(LOOK_MS)):
        return
    notice = bytearray(NOTICE.size)
    with contextlib.suppress(OSError):  # the asking thread is gone
        fcntl.ioctl(listener, RECEIVE, notice)
        about, _, _, number, _, _, *arguments = NOTICE.unpack(notice)
        decided = _error(program, bytes(notice[16:]))
        fcntl.ioctl(listener, SEND, bytearray(ANSWER.pack(about, 0, -decided, 0)))
        checked = {numbers for rule in seccomp.calls(cuda=True)[1].values() for numbers in rule[0]}
        yield number, tuple(arguments[:2]) if number in checked else (), decided


def _error(program: bytes, data: bytes) -> int:
    """The error number that the filter has for this `struct seccomp_data`."""
    code = list(struct.iter_unpack("<HBBI", program))
    place = loaded = 0
    while True:
        what, if_true, if_false, constant = code[place]
        place += 1
        if what == LOAD:
            (loaded,) = struct.unpack_from("<I", data, constant)
        elif what == AND:
            loaded &= constant
        elif what == RETURN:
            return int(constant) & 0xFFFF
        elif what in (JUMP_EQUAL, JUMP_GREATER_EQUAL):
            holds = loaded == constant if what == JUMP_EQUAL else loaded >= constant
            place += if_true if holds else if_false


def _named(number: int, arguments: tuple[int, ...], error: int, times: int) -> Refusal:
    answer = errno.errorcode[error] if error else "done, it says"
    return Refusal(call=_name(number), arguments=arguments, answer=answer, times=times)


def _name(number: int) -> str:
    """By our own tables, then by libseccomp where it is installed."""
    column = list(seccomp.AUDIT_ARCH).index(platform.machine())
    allowed, checked = seccomp.calls(cuda=True)
    known = {**ABSENT, **allowed, **{name: numbers for name, (numbers, _) in checked.items()}}
    for name, numbers in known.items():
        if numbers[column] == number:
            return name
    library = ctypes.util.find_library("seccomp")
    if library is None:
        return f"call {number}"
    resolve = ctypes.CDLL(library).seccomp_syscall_resolve_num_arch
    resolve.restype = ctypes.c_char_p
    found = resolve(seccomp.AUDIT_ARCH[platform.machine()], number)
    return found.decode() if found else f"call {number}"


def main(arguments: list[str] | None = None) -> int:
    """Print the refusals of a command as JSON after what it printed itself; its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuda", action="store_true", help="under the list for GPUs")
    parser.add_argument("command", nargs="+")
    chosen = parser.parse_args(arguments)
    found = refusals(chosen.command, cuda=chosen.cuda)
    print(json.dumps(asdict(found)))  # noqa: T201 - a command
    return found.status


if __name__ == "__main__":
    sys.exit(main())
