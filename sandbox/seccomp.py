"""One system call policy for every backend, as a BPF program (and, as data, for other formats).

Everything a model needs is allowed; what has led out of containers, reaches the kernel's less
tried parts or talks to the network is not. Calls newer than the newest one reviewed here do not
exist for the program (ENOSYS), and the 32-bit and x32 ways into the kernel kill it.

The program is assembled here (linux/filter.h, linux/seccomp.h), without any library.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterable
from dataclasses import dataclass

# name: (x86_64, aarch64); None where an architecture never had the call
REFUSED: dict[str, tuple[int | None, int | None]] = {
    # keys shared between runs of one user
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # large kernel interfaces with a history of escapes
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "memfd_secret": (447, 447),
    # other processes' memory and descriptors
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # file systems and namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    # the machine
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "syslog": (103, 116),
    "acct": (163, 89),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "vhangup": (153, 58),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "_sysctl": (156, None),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    # memory placement reaches into other processes and has had many kernel bugs
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
}
# Absent rather than refused: libraries fall back to an older call at ENOSYS.
ABSENT: dict[str, tuple[int | None, int | None]] = {
    "clone3": (435, 435),  # its flags lie in memory, where no filter can look
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
NEWEST = 462  # mseal, Linux 6.10

CLONE_NEW_FLAGS = 0x7E020080  # NEWTIME NEWNS NEWCGROUP NEWUTS NEWIPC NEWUSER NEWPID NEWNET
AF_UNIX = 1
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
PR_SET_PDEATHSIG = 1
PERSONALITY_LINUX, PERSONALITY_QUERY = 0, 0xFFFFFFFF


@dataclass(frozen=True)
class Argument:
    """The call is allowed only if (argument & mask) is, or is not, one of these values.

    Only the low 32 bits are looked at, as the kernel does for these calls; comparing all 64
    would let a value with garbage in the upper half through.
    """

    index: int
    values: tuple[int, ...]
    allowed: bool  # whether `values` are the allowed ones, or the refused ones
    mask: int = 0xFFFFFFFF


CHECKED: dict[str, tuple[tuple[int | None, int | None], Argument]] = {
    "socket": ((41, 198), Argument(0, (AF_UNIX,), allowed=True)),
    "socketpair": ((53, 199), Argument(0, (AF_UNIX,), allowed=True)),
    "clone": ((56, 220), Argument(0, (0,), allowed=True, mask=CLONE_NEW_FLAGS)),
    "ioctl": ((16, 29), Argument(1, (TIOCSTI, TIOCLINUX), allowed=False)),
    # bwrap's own wish to die with its parent is a parent-death signal; it must stay set
    "prctl": ((157, 167), Argument(0, (PR_SET_PDEATHSIG,), allowed=False)),
    "personality": ((135, 92), Argument(0, (PERSONALITY_LINUX, PERSONALITY_QUERY), allowed=True)),
}

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000

LOAD, JUMP_EQUAL, JUMP_GREATER_EQUAL, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
KILL, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
OFFSET_CALL, OFFSET_ARCH, OFFSET_ARGUMENTS = 0, 4, 16

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant


def program(machine: str | None = None) -> bytes:
    """The filter for this machine, as an array of `struct sock_filter`.

    Raises:
        NotImplementedError: an architecture without a reviewed table.
    """
    machine = machine or platform.machine()
    if machine not in AUDIT_ARCH:
        raise NotImplementedError(f"no system call policy for {machine} processors")
    column = list(AUDIT_ARCH).index(machine)
    code: list[Instruction] = [
        (LOAD, 0, 0, OFFSET_ARCH),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, OFFSET_CALL),
    ]
    if machine == "x86_64":
        code += [(JUMP_GREATER_EQUAL, 0, 1, X32_BIT), (RETURN, 0, 0, KILL)]
    code += _refuse_from(NEWEST + 1, errno.ENOSYS)
    for numbers, argument in CHECKED.values():
        code += _check(numbers[column], argument)
    code += _refuse((numbers[column] for numbers in ABSENT.values()), errno.ENOSYS)
    code += _refuse((numbers[column] for numbers in REFUSED.values()), errno.EPERM)
    code.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def _refuse_from(number: int, error: int) -> list[Instruction]:
    return [(JUMP_GREATER_EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | error)]


def _refuse(numbers: Iterable[int | None], error: int) -> list[Instruction]:
    code: list[Instruction] = []
    for number in numbers:
        if number is not None:
            code += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | error)]
    return code


def _check(number: int | None, argument: Argument) -> list[Instruction]:
    """If the call is `number`: decide by the argument; else go on with the number loaded."""
    if number is None:
        return []
    decide: list[Instruction] = [(LOAD, 0, 0, OFFSET_ARGUMENTS + 8 * argument.index)]
    if argument.mask != 0xFFFFFFFF:
        decide.append((AND, 0, 0, argument.mask))
    listed, unlisted = (
        (ALLOW, ERRNO | errno.EPERM)
        if argument.allowed
        else (
            ERRNO | errno.EPERM,
            ALLOW,
        )
    )
    for value in argument.values:
        decide += [(JUMP_EQUAL, 0, 1, value), (RETURN, 0, 0, listed)]
    decide.append((RETURN, 0, 0, unlisted))
    return [(JUMP_EQUAL, 0, len(decide), number), *decide]
