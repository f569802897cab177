"""The system call policy, run instruction by instruction."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import struct

import pytest

from sandbox import seccomp
from sandbox.seccomp import ABSENT, AUDIT_ARCH, CHECKED, NEWEST, REFUSED
from sandbox.seccomp_profile import others, profile
from sandbox.system_calls import NAMES

KILL, ALLOW = "kill", "allow"
MACHINES = list(AUDIT_ARCH)


def decide(machine: str, number: int, *arguments: int, arch: int | None = None) -> object:
    """What the kernel would do: interpret the filter as linux/net/core/filter.c does."""
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number, arch or AUDIT_ARCH[machine], 0, *padded)
    program = list(struct.iter_unpack("<HBBI", seccomp.program(machine)))
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
            return ALLOW if constant == seccomp.ALLOW else errno.errorcode[constant & 0xFFFF]
        else:
            raise AssertionError(f"unknown instruction {code:#x}")


@pytest.fixture(params=MACHINES)
def machine(request):
    return request.param


def column(machine: str) -> int:
    return MACHINES.index(machine)


def number_of(machine: str, name: str) -> int:
    return CHECKED[name][0][column(machine)]


def test_refused_calls_are_refused_and_absent_ones_do_not_exist(machine):
    for numbers in REFUSED.values():
        if numbers[column(machine)] is not None:
            assert decide(machine, numbers[column(machine)]) == "EPERM"
    for numbers in ABSENT.values():
        assert decide(machine, numbers[column(machine)]) == "ENOSYS"


def test_everything_else_up_to_the_newest_reviewed_call_is_allowed(machine):
    special = {
        numbers[column(machine)]
        for table in (REFUSED, ABSENT, {name: rule[0] for name, rule in CHECKED.items()})
        for numbers in table.values()
    }
    for number in set(range(NEWEST + 1)) - special:
        assert decide(machine, number) == ALLOW


def test_calls_that_are_not_invented_yet_do_not_exist(machine):
    for number in (NEWEST + 1, 500, 1000, (1 << 30) - 1):
        assert decide(machine, number) == "ENOSYS"


def test_only_unix_sockets_can_be_made(machine):
    for name in ("socket", "socketpair"):
        number = number_of(machine, name)
        assert decide(machine, number, 1, 1) == ALLOW
        for family in (2, 10, 16, 17, 38, 40, 0, 0xFFFFFFFF):
            assert decide(machine, number, family, 1) == "EPERM"


def test_garbage_in_the_upper_half_of_an_argument_changes_nothing(machine):
    garbage = 0xDEADBEEF << 32
    assert decide(machine, number_of(machine, "ioctl"), 0, 0x5412 | garbage) == "EPERM"
    assert decide(machine, number_of(machine, "socket"), 2 | garbage, 1) == "EPERM"
    assert decide(machine, number_of(machine, "socket"), 1 | garbage, 1) == ALLOW


def test_threads_and_forks_are_allowed_and_namespaces_are_not(machine):
    number = number_of(machine, "clone")
    thread, fork = 0x3D0F00, 0x1200011
    assert decide(machine, number, thread) == ALLOW
    assert decide(machine, number, fork) == ALLOW
    for flag in (
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
    newer_than_the_library = {"statmount", "listmount"}
    tables = {**REFUSED, **ABSENT, **{name: rule[0] for name, rule in CHECKED.items()}}
    for name, numbers in tables.items():
        for audit_arch, number in zip(AUDIT_ARCH.values(), numbers, strict=True):
            known = resolve(audit_arch, name.encode())
            if number is None:
                assert known < 0, name
            elif not (known == -1 and name in newer_than_the_library):
                assert known == number, name


# The same policy as a profile for container engines


def decide_by_profile(machine: str, name: str, *arguments: int) -> object:
    """What an engine's filter does with a call: the rule that matches, else the default."""
    made = profile(machine)
    for rule in made["syscalls"]:
        if name in rule["names"] and all(
            arguments[each["index"]] & each["value"] == each["valueTwo"]
            for each in rule.get("args", ())
        ):
            number = rule.get("errnoRet", errno.EPERM)
            return ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else errno.errorcode[number]
    return "EPERM"


def test_the_profile_decides_as_the_filter_does(machine):
    for name, numbers in {**REFUSED, **ABSENT}.items():
        if numbers[column(machine)] is not None:
            assert decide_by_profile(machine, name) == decide(machine, numbers[column(machine)])
    interesting = [0, 1, 2, 16, 40, 0x5411, 0x5412, 0x5413, 0x541B, 0x541C, 0x541D, 0x80, 0x20000]
    interesting += [0x1200011, 0x3D0F00, 0x10000000, 0x10000011, 0xFFFFFFFF, 0x5412 | 1 << 32]
    for name in CHECKED:
        for value in interesting:
            for place in ((value, 0), (0, value)):
                by_filter = decide(machine, number_of(machine, name), *place)
                assert decide_by_profile(machine, name, *place) == by_filter, (name, place)


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
