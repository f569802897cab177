"""The system call policy, run instruction by instruction."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import struct
from pathlib import Path

import pytest

from sandbox.confinement import seccomp
from sandbox.confinement.seccomp import AUDIT_ARCH, calls, reachable
from sandbox.confinement.seccomp_profile import others, profile
from sandbox.confinement.system_calls import (
    ABSENT,
    ALLOWED,
    CHECKED,
    CUDA,
    CUDA_CHECKED,
    NAMES,
    NEWEST,
    Argument,
)

KILL, ALLOW = "kill", "allow"
STARTING = ("fstatfs", "connect", "recvmsg", "sendmsg")  # runc's own, and what brings the pipes
MACHINES = list(AUDIT_ARCH)
README = Path(seccomp.__file__).parents[1] / "README.md"


def decide(
    machine: str, number: int, *arguments: int, arch: int | None = None, cuda: bool = False
) -> object:
    """What the kernel would do: interpret the filter as linux/net/core/filter.c does."""
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number, arch or AUDIT_ARCH[machine], 0, *padded)
    program = list(struct.iter_unpack("<HBBI", seccomp.program(machine, cuda=cuda)))
    accumulator, place = 0, 0
    while True:
        code, if_true, if_false, constant = program[place]
        place += 1
        if code == seccomp.LOAD:
            (accumulator,) = struct.unpack_from("<I", data, constant)
        elif code == seccomp.AND:
            accumulator &= constant
        elif code == seccomp.JUMP_EQUAL:
            place += if_true if accumulator == constant else if_false
        elif code == seccomp.JUMP_GREATER_EQUAL:
            place += if_true if accumulator >= constant else if_false
        elif code == seccomp.RETURN:
            if constant == seccomp.KILL:
                return KILL
            return ALLOW if constant == seccomp.ALLOW else told(constant & 0xFFFF)
        else:
            raise AssertionError(f"unknown instruction {code:#x}")


def told(number: int) -> str:
    return errno.errorcode[number] if number else "done, it says"


@pytest.fixture(params=MACHINES)
def machine(request):
    return request.param


def column(machine: str) -> int:
    return MACHINES.index(machine)


def number_of(machine: str, name: str) -> int:
    return (CHECKED | CUDA_CHECKED)[name][0][column(machine)]


def test_every_call_that_is_not_named_is_refused(machine):
    free = {numbers[column(machine)] for numbers in ALLOWED.values()}
    absent = {numbers[column(machine)] for numbers in ABSENT.values()}
    checked = {numbers[column(machine)] for numbers, _ in CHECKED.values()}
    assert not absent & (free | checked) - {None}
    for number in set(range(NEWEST + 1)) - checked:
        wanted = ALLOW if number in free else "ENOSYS" if number in absent else "EPERM"
        assert decide(machine, number) == wanted, number


def test_fewer_than_a_hundred_calls_reach_the_kernel_and_the_readme_says_how_many(machine):
    text = README.read_text(encoding="utf-8")
    few, with_gpu = len(reachable(machine)), len(reachable(machine, cuda=True))
    assert few <= 100
    assert f"| {machine} | {few} | {with_gpu} |" in text
    if machine == "x86_64":
        listed = " ".join(f"`{name}`" for name in reachable(machine) if name not in CHECKED)
        assert listed in " ".join(text.split())
        assert all(f"| `{name}` |" in text for name in CHECKED)


def test_a_gpu_brings_more_calls_and_takes_none(machine):
    allowed, checked = calls(cuda=True)
    assert allowed.items() >= ALLOWED.items()
    for name, numbers in CUDA.items():
        if numbers[column(machine)] is not None:
            assert decide(machine, numbers[column(machine)], cuda=True) == ALLOW, name
    ioctl = number_of(machine, "ioctl")
    assert decide(machine, ioctl, 3, 0xC020462A, cuda=True) == ALLOW  # a driver's
    assert decide(machine, ioctl, 3, 0xC020462A) == "EPERM"
    assert decide(machine, ioctl, 3, 0x5412, cuda=True) == "EPERM"
    assert checked.keys() - CHECKED.keys() == {"pipe2", "socket"}
    assert CUDA_CHECKED.keys() == {"ioctl", "pipe2", "socket"}


def test_calls_that_are_not_invented_yet_do_not_exist(machine):
    for number in (NEWEST + 1, 500, 1000, (1 << 30) - 1):
        assert decide(machine, number) == "ENOSYS"


def test_only_unix_sockets_can_be_made_and_those_with_a_gpu_only(machine):
    number = number_of(machine, "socket")
    assert decide(machine, number, 1, 1, cuda=True) == ALLOW
    for family in (1, 2, 10, 16, 17, 38, 40, 0, 0xFFFFFFFF):
        assert decide(machine, number, family, 1, cuda=family != 1) == "EPERM"


def test_garbage_in_the_upper_half_of_an_argument_changes_nothing(machine):
    garbage = 0xDEADBEEF << 32
    assert decide(machine, number_of(machine, "ioctl"), 0, 0x5412 | garbage) == "EPERM"
    socket = number_of(machine, "socket")
    assert decide(machine, socket, 2 | garbage, 1, cuda=True) == "EPERM"
    assert decide(machine, socket, 1 | garbage, 1, cuda=True) == ALLOW


def test_threads_and_forks_are_allowed_and_namespaces_are_not(machine):
    number = number_of(machine, "clone")
    thread, fork, spawn = 0x3D0F00, 0x1200011, 0x4111
    for flags in (thread, fork, spawn):
        assert decide(machine, number, flags) == ALLOW
    for flag in (
        0x1000,  # PIDFD
        0x2000,  # PTRACE
        0x8000,  # PARENT
        0x80,
        0x20000,
        0x2000000,
        0x4000000,
        0x8000000,
        0x10000000,
        0x20000000,
        0x40000000,
    ):
        assert decide(machine, number, fork | flag) == "EPERM"


def test_the_tie_to_the_parent_can_not_be_cut(machine):
    number = number_of(machine, "prctl")
    assert decide(machine, number, 1) == "EPERM"
    assert decide(machine, number, 15) == ALLOW  # the name of a thread


def test_files_can_not_be_locked_leased_or_watched_and_pipes_not_be_resized(machine):
    number = number_of(machine, "fcntl")
    for command in (0, 1, 2, 3, 4, 1030):
        assert decide(machine, number, 3, command) == ALLOW
    # locks, owners, locks of open files, leases, notifications, pipe sizes, seals, hints
    for command in (*range(5, 17), 36, 37, 38, *range(1024, 1030), *range(1031, 1040)):
        assert decide(machine, number, 3, command) == "EPERM"


def test_what_waits_on_shared_memory_spins_and_what_wakes_it_hears_it_was_done(machine):
    number = number_of(machine, "futex")
    for command in (0x80, 0x81, 0x84, 0x89, 0x189, 0x8A):
        assert decide(machine, number, 0, command) == ALLOW
    for command in (0, 9, 0x109):
        assert decide(machine, number, 0, command) == "EAGAIN"
    for command in (1, 10):
        assert decide(machine, number, 0, command) == "done, it says"
    # those with priorities, private or not
    for command in (3, 4, 5, 6, 7, 8, 11, 12, 13, *range(0x85, 0x89), 0x8B, 0x8C, 0x8D):
        assert decide(machine, number, 0, command) == "EPERM"


def test_no_advice_reaches_pages_that_others_see(machine):
    for advice in (3, 9, 12, 18, 20, 21, 22, 23, 100):  # WILLNEED … PAGEOUT POPULATE_READ
        assert decide(machine, number_of(machine, "madvise"), 0, 0, advice) == "EPERM"


def test_a_pipe_is_no_queue_of_the_kernels_notices(machine):
    number = number_of(machine, "pipe2")
    assert decide(machine, number, 0, 0x80800) == "EPERM"  # nor one of any other kind
    assert decide(machine, number, 0, 0x80800, cuda=True) == ALLOW
    assert decide(machine, number, 0, 0x80, cuda=True) == "EPERM"


def test_all_but_some_values_of_some_bits_can_not_be_asked_for():
    with pytest.raises(ValueError, match="whole"):
        Argument(index=0, mask=0xFF, refused=((1, 1),), others_allowed=True)


def test_other_ways_into_the_kernel_kill():
    assert decide("x86_64", 20, arch=0x40000003) == KILL  # i386
    assert decide("aarch64", 20, arch=0x40000028) == KILL  # 32-bit Arm
    assert decide("x86_64", 39 | 1 << 30) == KILL  # x32


def test_an_unknown_processor_has_no_policy():
    with pytest.raises(NotImplementedError, match="riscv64"):
        seccomp.program("riscv64")


def test_the_numbers_are_those_of_libseccomp():
    library = ctypes.util.find_library("seccomp")
    if library is None:
        pytest.skip("libseccomp is not installed to compare with")
    resolve = ctypes.CDLL(library).seccomp_syscall_resolve_name_arch
    newer_than_the_library = {"fchmodat2"}
    tables = {**ALLOWED, **CUDA, **ABSENT, **{name: rule[0] for name, rule in CHECKED.items()}}
    for name, numbers in tables.items():
        for audit_arch, number in zip(AUDIT_ARCH.values(), numbers, strict=True):
            known = resolve(audit_arch, name.encode())
            if number is not None and not (known == -1 and name in newer_than_the_library):
                assert known == number, name


# The same policy as a profile for container engines


def decide_by_profile(machine: str, name: str, *arguments: int, cuda: bool = False) -> object:
    """What an engine's filter does with a call: the rule that matches, else the default."""
    made = profile(machine, cuda=cuda)
    for rule in made["syscalls"]:
        if name in rule["names"] and all(
            arguments[each["index"]] & each["value"] == each["valueTwo"]
            for each in rule.get("args", ())
        ):
            number = rule.get("errnoRet", errno.EPERM)
            return ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else told(number)
    return "EPERM"


@pytest.mark.parametrize("cuda", [False, True])
def test_the_profile_decides_as_the_filter_does_but_for_what_the_engine_needs(machine, cuda):
    allowed, checked = calls(cuda=cuda)
    for name, numbers in {**ABSENT, **allowed}.items():
        if numbers[column(machine)] is not None:
            by_filter = decide(machine, numbers[column(machine)], cuda=cuda)
            assert decide_by_profile(machine, name, cuda=cuda) == by_filter, name
    unnamed = set(NAMES) - {*ABSENT, *allowed, *checked, *STARTING, "socket"}
    for name in STARTING:
        assert decide_by_profile(machine, name, cuda=cuda) == ALLOW
    for family in (1, 2):
        wanted = ALLOW if family == 1 else "EPERM"
        assert decide_by_profile(machine, "socket", family, cuda=cuda) == wanted
    assert decide_by_profile(machine, "prctl", 22, cuda=cuda) == ALLOW  # the filter put over it
    assert {decide_by_profile(machine, name, cuda=cuda) for name in unnamed} == {"EPERM"}
    interesting = [*range(20), 40, 0x5411, 0x5412, 0x5413, 0x541B, 0x541C, 0x541D, 0x80, 0x81]
    interesting += [0x89, 0x189, 0x20000, 1024, 1030, 1031, 0x80800, 0x1002, 0x1023, 0x4111]
    interesting += [0x1200011, 0x3D0F00, 0x10000000, 0x10000011, 0xFFFFFFFF, 0x5412 | 1 << 32]
    for name, (numbers, _) in checked.items():
        if numbers[column(machine)] is None:
            continue
        for value in interesting:
            for place in ((value, 0, 0), (0, value, 0), (0, 0, value)):
                by_filter = decide(machine, numbers[column(machine)], *place, cuda=cuda)
                assert decide_by_profile(machine, name, *place, cuda=cuda) == by_filter, (
                    name,
                    place,
                )


def test_the_profile_names_every_call_that_libseccomp_knows(machine):
    library = ctypes.util.find_library("seccomp")
    if library is None:
        pytest.skip("libseccomp is not installed to compare with")
    resolve = ctypes.CDLL(library).seccomp_syscall_resolve_num_arch
    resolve.restype = ctypes.c_char_p
    known = {resolve(AUDIT_ARCH[machine], number) for number in range(NEWEST + 1)} - {None}
    # the two of aarch64 that linux/unistd.h names otherwise
    assert {name.decode() for name in known} <= {*NAMES, "fstatat", "sync_file_range2"}


def test_every_number_but_the_refused_ones_is_matched_once():
    pairs = list(others([3, 5, 200]))
    for number in (*range(300), 1 << 31, (1 << 32) - 1):
        matches = sum(number & mask == value for mask, value in pairs)
        assert matches == (number not in (3, 5, 200))
