"""Names that tell which process made a thing, so that a successor can clear up."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

PREFIX = "gradewright-run-"
_NAME = re.compile(rf"{PREFIX}(\d+)-(\d+)-(\d+)-[0-9a-f]+")


def run_name() -> str:
    """A name that tells which process made it, so that a successor can clear up after a crash."""
    process = os.getpid()
    return f"{PREFIX}{_process_space()}-{process}-{_start_time(process)}-{secrets.token_hex(6)}"


def is_orphan(name: str) -> bool:
    """Whether a thing of this name was made by a process that is no more.

    Process numbers of another container mean nothing here, so its things are never orphans.
    """
    match = _NAME.fullmatch(name)
    if match is None or int(match[1]) != _process_space():
        return False
    return _start_time(int(match[2])) != int(match[3])


def _process_space() -> int:
    """The number of this process's PID namespace; 0 where there are none."""
    path = Path("/proc/self/ns/pid")
    return path.stat().st_ino if path.exists() else 0


def _start_time(process: int) -> int:
    """In clock ticks since boot; 0 where there is no such process."""
    try:
        line = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return int(line.rpartition(")")[2].split()[19])
