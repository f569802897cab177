"""One program in a container: its end, and what was seen of it from outside."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from pathlib import Path
from typing import Any

from sandbox.backends.docker_channel import Channel
from sandbox.backends.docker_engine import ENGINE_ERRORS, Engine
from sandbox.confinement import gpu, proc, tmpfs
from sandbox.confinement.accounting import Usage
from sandbox.confinement.cgroup import usage_reader
from sandbox.confinement.host_users import Lease
from sandbox.confinement.watchdog import process_tree
from sandbox.limits import Limits, StartFailed
from sandbox.run import interference
from sandbox.run.backend import BUNDLE, Postmortem, rlimits

END_SECONDS = 30.0  # for an engine to notice a dead program
WATCH_SECONDS = 0.2
NO_USAGE = Usage(peak_memory_mb=0.0, out_of_memory=False, out_of_processes=False)


class Container:
    """One program in a container."""

    bundle = BUNDLE

    def __init__(
        self,
        engine: Engine,
        channel: Channel,
        loan: gpu.Loan | None,
        user: Lease,
        limits: Limits,
        *,
        root_allowed: bool,
        is_process_1: bool,
        keeps_still: bool,
    ) -> None:
        self._loan = loan
        self._user = user
        self._number = 0  # of process 1, if it can be seen from here
        self._engine = engine
        self._channel = channel
        self._root_allowed = root_allowed
        self._is_process_1 = is_process_1  # of a namespace of this host's kernel
        self._keeps_still = keeps_still  # its /proc, where its process can be seen from here
        self._id = ""
        self._process: int | None = None  # pidfd of process 1, where it can be seen from here
        self._read_usage: Any = None
        self._usage = NO_USAGE
        self._killed = self._stopped = False
        self.request, self.response = channel.request, channel.response
        self.output = channel.output
        self.device = "cpu" if loan is None else "cuda"
        # processes are counted by the control group; RLIMIT_NPROC would count those of every
        # container, whose programs are all the same user
        self.rlimits = {name: n for name, n in rlimits(limits).items() if name != "RLIMIT_NPROC"}
        self.watch_seconds: float | None = WATCH_SECONDS

    @property
    def sees_group(self) -> bool:
        """Whether the control group can be read from here."""
        return self._read_usage is not None

    def start(self, options: dict[str, Any], inherited: tuple[int, ...]) -> None:
        """Create the container, start it, give it its pipes.

        Raises:
            StartFailed: the program ended at once, or it would be root on this host.
        """
        with self._engine.connect() as client:
            self._id = client.create_container_from_config(options)["Id"]
            client.start(self._id)
            number = client.inspect_container(self._id)["State"]["Pid"]
        self._watch(number)
        try:
            self._channel.connect(self._is_running, inherited)
        finally:
            for descriptor in inherited:
                os.close(descriptor)

    def _watch(self, number: int) -> None:
        """Hold on to process 1, if its number means the same process here as for the engine."""
        self._read_usage = usage_reader(number, self._id)
        if self._read_usage is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process = os.pidfd_open(number)
            self._number = number
            if Path(f"/proc/{number}").stat().st_uid == 0 and not self._root_allowed:
                raise StartFailed("the program inside would be root on this host")

    def handed_over(self) -> None:
        """Leave of /proc what is there; the file systems are held since the start.

        Raises:
            StartFailed: the kernel does not let us.
        """
        if self._keeps_still and self._number:
            try:
                proc.keep_still(self._number)
            except OSError as error:
                raise StartFailed(f"/proc inside can't be covered: {error}") from error

    def over_limit(self) -> bool:
        """Whether the kernel had to kill, or a GPU's memory is exceeded."""
        self._look()
        if self._loan is not None and self._loan.over_limit(process_tree(self._number)):
            return True
        return self._usage.was_killed_in

    def _look(self) -> None:
        """Note what was used so far: the group vanishes with its last process."""
        if self._read_usage is not None:
            with contextlib.suppress(OSError):
                self._usage = self._read_usage()

    def wait(self, seconds: float) -> bool:
        """Wait for the program's end."""
        self._look()  # a program that closed its pipes may be dying: its group is there still
        deadline = time.monotonic() + seconds
        if self._process is not None:
            return bool(select.select([self._process], [], [], seconds)[0])
        while self._is_running():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def _is_running(self) -> bool:
        with self._engine.connect() as client:
            return bool(client.inspect_container(self._id)["State"]["Running"])

    def kill(self) -> None:
        """Process 1 first: with it the kernel ends everything in its process namespace."""
        if not self._id:
            return
        self._look()
        if self.wait(0):
            return
        self._killed = True
        self._stopped = interference.is_stopped(self._number)
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
                if self.wait(END_SECONDS):
                    return
        with contextlib.suppress(*ENGINE_ERRORS):
            with self._engine.connect() as client:
                client.kill(self._id, "SIGKILL")
            self.wait(END_SECONDS)

    def close(self) -> Postmortem:
        """Remove the container and tell what was seen."""
        exit_status, killed_for_memory = self._end()
        places = self._channel.file_systems
        tmp_full = bool(places) and tmpfs.is_full(places[0])
        self._channel.close()
        if self._process is not None:
            os.close(self._process)
        if self._loan is not None:
            self._loan.give_back()
        self._user.give_back()
        return Postmortem(
            exit_status=None if self._killed else exit_status,
            peak_memory_mb=self._usage.peak_memory_mb,
            out_of_memory=self._usage.out_of_memory
            or (killed_for_memory and not self._usage.host_out_of_memory),
            out_of_processes=self._usage.out_of_processes,
            tmp_full=tmp_full,
            out_of_gpu_memory=self._loan is not None and self._loan.exceeded,
            interference=self._interference(exit_status, killed_for_memory),
        )

    def _interference(self, exit_status: int | None, killed_for_memory: bool) -> str:
        """Why it can't have ended so by itself.

        An engine that says "killed for memory" does not say whose: taken for the program's own,
        unless its group was seen to be below its limit.
        """
        host = self._usage.host_out_of_memory
        if not self._is_process_1 or self._usage.out_of_memory or (killed_for_memory and not host):
            return ""
        if exit_status is None and not self._killed:
            return "the engine no longer knows its container"
        return interference.cause(
            None if self._killed else exit_status,
            host_out_of_memory=host,
            stopped=self._stopped,
        )

    def _end(self) -> tuple[int | None, bool]:
        """Exit status and `OOMKilled`, as the engine saw them; the container is gone after."""
        if not self._id:
            return None, False
        with self._engine.connect() as client:
            try:
                status = client.wait(self._id, timeout=END_SECONDS)["StatusCode"]
                state = client.inspect_container(self._id)["State"]
                return status, bool(state["OOMKilled"])
            except ENGINE_ERRORS:  # it was removed by hand, or the engine is gone or too busy
                return None, False
            finally:
                with contextlib.suppress(*ENGINE_ERRORS):  # else the next start removes it
                    client.remove_container(self._id, force=True, v=True)
