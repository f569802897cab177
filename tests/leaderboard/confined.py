"""Run a program under what the web unit takes away, without systemd's own process 1:

    setpriv --bounding-set=-all --no-new-privs python confined.py UNIT PROGRAM ARGUMENT…

system calls but those of SystemCallFilter= (EPERM), and memory that is written and executed.
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
_NUMBER_OF, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/filter.h: load, jump, return
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPERM
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _PR_SET_MDWE = 22, 38, 65


def allowed_calls(unit: str) -> set[str]:
    """The names of the system calls that a unit's SystemCallFilter= lines leave."""
    found = _group("@default")
    for line in re.findall(r"^SystemCallFilter=(.+)", unit, re.MULTILINE):
        named = set().union(*(_group(name) for name in line.lstrip("~").split()))
        found = found - named if line.startswith("~") else found | named
    return found


def _group(name: str) -> set[str]:
    asked = ["systemd-analyze", "--no-pager", "syscall-filter", name]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    words = [line.strip() for line in said.splitlines()[1:]]
    return set().union(
        *(_group(word) if word[0] == "@" else {word} for word in words if word and word[0] != "#")
    )


def _filter(names: set[str]) -> bytes:
    """The BPF program that lets these calls through."""
    numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text()))
    steps = [(_NUMBER_OF, 0, 0, 0)]
    for name in sorted(names & numbers.keys()):
        steps += [(_EQUAL, 0, 1, int(numbers[name])), (_RETURN, 0, 0, _ALLOW)]
    steps.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def main() -> None:
    program = _filter(allowed_calls(Path(sys.argv[1]).read_text()))
    code = ctypes.create_string_buffer(program)
    bpf = ctypes.create_string_buffer(
        struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    )
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_MDWE, 1, 0, 0, 0)  # since Linux 6.3; before, this much is not tried
    assert prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert prctl(_PR_SET_SECCOMP, 2, ctypes.byref(bpf), 0, 0) == 0
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
