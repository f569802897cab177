"""What ended a program that it can't have done itself: then the fault is not the program's.

A confined program is process 1 of a PID namespace of its own. The kernel keeps from such a process
every signal that it has no handler for, whoever sends it; only SIGKILL and SIGSTOP reach it, and
those from outside alone (`sig_task_ignored` and `send_signal_locked` of linux/kernel/signal.c). By
its own doing it dies of an exit or of a fault of the processor (SIGSEGV, SIGBUS, SIGILL, SIGFPE,
SIGTRAP, SIGSYS). Three gaps are closed by the system call policy (`seccomp.py`): signals that claim
to be the kernel's, limits on one's own processor time, and exit statuses that look like signals.
So a SIGKILL came from outside, or from the kernel because memory was short.
"""

from __future__ import annotations

import signal
from pathlib import Path

KILLED = 128 + signal.SIGKILL  # as shells, bwrap and engines tell it


def cause(
    exit_status: int | None, *, host_out_of_memory: bool = False, stopped: bool = False
) -> str:
    """Why this end was not the program's own doing, for operators; empty where it may be.

    `exit_status` is that of process 1 of a PID namespace, None if we killed it; `stopped`: it was
    found stopped when it had to be killed.
    """
    if host_out_of_memory:
        return "the kernel killed it for memory, below its own limit: this host has too little"
    if stopped:
        return "it had been stopped from outside the sandbox (SIGSTOP)"
    if exit_status == KILLED:
        return "it was killed from outside the sandbox (SIGKILL)"
    return ""


def is_stopped(process: int) -> bool:
    """Whether a process stands still by a signal, as /proc shows it."""
    try:
        line = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return line.rpartition(")")[2].split()[0] == "T"
