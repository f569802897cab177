"""One program under bubblewrap: its pipes, its end, and what was seen of it from outside."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path

from sandbox.confinement import gpu, proc, tmpfs
from sandbox.confinement.accounting import Group, Usage
from sandbox.confinement.host_users import Lease
from sandbox.confinement.watchdog import process_tree
from sandbox.limits import Limits, StartFailed
from sandbox.run import interference
from sandbox.run.backend import BUNDLE, Postmortem, rlimits

START_SECONDS = 10.0


class Pipes:
    """The pipes of one program. What is passed inside is closed here once it has started."""

    def __init__(self, filter_program: bytes) -> None:
        self.request_inside, self.request = os.pipe()
        self.response, self.response_inside = os.pipe()
        self.output, self.output_inside = os.pipe()
        self.info, self.info_inside = os.pipe()
        self.filter = _file_of(filter_program)
        # at its end at once; /dev/null would be the same file for every program
        self.nothing, end = os.pipe()
        os.close(end)
        self.inside = (self.request_inside, self.response_inside, self.info_inside, self.filter)

    def close_inside(self) -> None:
        for descriptor in (*self.inside, self.output_inside, self.nothing):
            os.close(descriptor)

    def close(self) -> None:
        self.close_inside()
        self.close_outside()

    def close_outside(self) -> None:
        for descriptor in (self.request, self.response, self.output, self.info):
            os.close(descriptor)


def _file_of(content: bytes) -> int:
    """A descriptor that this can be read from."""
    descriptor = os.memfd_create("content")
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


class Program:
    """One program under bwrap: `bwrap` itself watches from outside, the harness is process 1."""

    bundle = BUNDLE

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        group: Group,
        pipes: Pipes,
        limits: Limits,
        loan: gpu.Loan | None,
        user: Lease,
        *,
        root_allowed: bool,
        is_process_1: bool,
        keeps_still: bool,
    ) -> None:
        self.device = "cpu" if loan is None else "cuda"
        self._loan = loan
        self._user = user
        self._process = process
        self._group = group
        self._pipes = pipes
        self.rlimits = rlimits(limits)
        self._number = 0  # of process 1 inside, once it is known
        self._inner: int | None = None  # pidfd of it
        self._file_systems: tuple[int, ...] = ()
        self._killed = self._stopped = False
        self._root_allowed = root_allowed
        self._is_process_1 = is_process_1
        self._keeps_still = keeps_still  # its /proc
        self.request, self.response, self.output = pipes.request, pipes.response, pipes.output
        looks = (group.watch_seconds, gpu.WATCH_SECONDS if loan is not None else None)
        self.watch_seconds = min((each for each in looks if each is not None), default=None)

    def handed_over(self) -> None:
        """Hold on to process 1 and its tmpfs mounts, while no code of a student has run.

        Raises:
            StartFailed: it is gone already, or it is root on this host.
        """
        try:
            inner = self._number = _child_id(self._pipes.info)
            self._inner = os.pidfd_open(inner)
            if Path(f"/proc/{inner}").stat().st_uid == 0 and not self._root_allowed:
                raise StartFailed("the program inside would be root on this host")
            self._file_systems = tuple(
                os.open(f"/proc/{inner}/root/{name}", os.O_PATH | os.O_DIRECTORY)
                for name in ("tmp", "dev/shm")
            )
            if self._keeps_still:
                proc.keep_still(inner)
        except OSError as error:
            raise StartFailed(f"the program inside can't be watched: {error}") from error
        self._group.watch(self._process.pid, self._file_systems)

    def over_limit(self) -> bool:
        """Whether the watchdog, where there is one, found a limit exceeded."""
        if self._loan is not None and self._loan.over_limit(process_tree(self._process.pid)):
            return True
        return self._group.over_limit()

    def wait(self, seconds: float) -> bool:
        """Wait for bwrap's end, which is the program's."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Process 1 first: with it the kernel ends everything in its process namespace."""
        if self._process.poll() is None:
            self._killed = True
            self._stopped = interference.is_stopped(self._number)
            if self._inner is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._inner, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
        if self._inner is not None:  # readable once it is gone
            select.select([self._inner], [], [], START_SECONDS)
        self._group.kill()

    def close(self) -> Postmortem:
        """Release everything and tell what was seen."""
        usage = self._group.usage()
        tmp_full = bool(self._file_systems) and tmpfs.is_full(self._file_systems[0])
        for descriptor in (*self._file_systems, *([] if self._inner is None else [self._inner])):
            os.close(descriptor)
        self._pipes.close_outside()
        self._group.remove()
        if self._loan is not None:
            self._loan.give_back()
        self._user.give_back()
        return Postmortem(
            exit_status=None if self._killed else self._process.returncode,
            peak_memory_mb=usage.peak_memory_mb,
            out_of_memory=usage.out_of_memory,
            out_of_processes=usage.out_of_processes,
            tmp_full=tmp_full,
            out_of_gpu_memory=self._loan is not None and self._loan.exceeded,
            interference=self._interference(usage),
        )

    def _interference(self, usage: Usage) -> str:
        """Why it can't have ended so by itself; bwrap, for one, is out of its reach."""
        if usage.out_of_memory or not self._is_process_1:
            return ""
        status = self._process.returncode
        if status < 0 and not self._killed:
            return f"bwrap was ended by signal {-status}"
        return interference.cause(
            None if self._killed else status,
            host_out_of_memory=usage.host_out_of_memory,
            stopped=self._stopped,
        )


def _child_id(info: int) -> int:
    """Host id of process 1 inside, as bwrap wrote it before it started the program.

    Raises:
        OSError: it wrote none in time.
    """
    text = b""
    deadline = time.monotonic() + START_SECONDS
    while b"}" not in text:
        readable, _, _ = select.select([info], [], [], max(0.0, deadline - time.monotonic()))
        received = os.read(info, 4096) if readable else b""
        if not received:
            raise OSError("bwrap did not tell the process it started")
        text += received
    return int(json.loads(text)["child-pid"])
