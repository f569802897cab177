"""The Docker backend: one container a run, made by an engine on this host.

An engine does what bubblewrap does with other words: namespaces, an unprivileged user, a read-only
image that holds only the runner, a control group. It starts a program more slowly, and is what
many hosts have already; with `SANDBOX_DOCKER_RUNTIME=runsc` programs get a kernel of their own.
Nothing of a run goes through the engine but its start and its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from pathlib import Path
from typing import Any

from docker.types import LogConfig, Mount, Ulimit

from sandbox import gpu, seccomp_profile, tmpfs
from sandbox.backend import BUNDLE, HARNESS, MIB, Postmortem, StartFailed, rlimits
from sandbox.cgroup import OWN_PROCESSES, Usage, usage_reader
from sandbox.defences import EVERYTHING_ON, LEAKED_FOLDER, leaked_descriptors
from sandbox.docker_channel import BOOT, INSIDE, Channel
from sandbox.docker_engine import ENGINE_ERRORS, Engine, RunnerImage
from sandbox.environment import RUNTIME_SETTING, SandboxUnavailable
from sandbox.host import sandbox_uid
from sandbox.limits import Limits, RunLimits
from sandbox.scratch import Scratch, is_orphan, run_name
from sandbox.watchdog import process_tree

LABEL = "gradewright.run"  # on a container: the name of its run
PROCESSORS = "devices/system/cpu"  # the only part of /sys that libraries look at
END_SECONDS = 30.0  # for an engine to notice a dead program
WATCH_SECONDS = 0.2
NO_USAGE = Usage(peak_memory_mb=0.0, out_of_memory=False, out_of_processes=False)


class Docker:
    """Starts programs in containers."""

    name = "docker"

    def __init__(
        self, runner_env: Path | None = None, without: frozenset[str] = EVERYTHING_ON
    ) -> None:
        """Find the engine and the image, and try them.

        Raises:
            SandboxUnavailable: something required is missing, in one sentence.
        """
        self._without = without
        self._engine = Engine()
        self._image: RunnerImage = self._engine.image(runner_env)
        self._uid = sandbox_uid()
        self._runtime = os.environ.get(RUNTIME_SETTING) or None
        try:
            self._profile = json.dumps(seccomp_profile.profile())
        except NotImplementedError as error:
            raise SandboxUnavailable(f"Students' code can't be run here: {error}.") from error
        self._sees_groups = self._try_to_start()

    def describe(self) -> dict[str, str]:
        """What confines here, in words."""
        limits = "memory, processes and CPU are limited by the Docker engine's control groups"
        if not self._sees_groups:
            limits += "; peak memory can't be read from here, so it is recorded as 0"
        return {
            "backend": self.name,
            "engine": f"{self._engine.version} ({self._runtime or 'default runtime'})",
            "limits": "cgroup of the engine",
            "limits_sentence": limits,
            "host_uid": str(self._uid),
            "image": self._image.id,
            "python": self._image.python_version,
            "torch": self._image.packages.get("torch", ""),
            "numpy": self._image.packages.get("numpy", ""),
            "runner": self._image.fingerprint[:16],
        }

    def clear_orphans(self) -> None:
        """Remove the containers of killed processes of ours, and of nobody else."""
        with contextlib.suppress(*ENGINE_ERRORS), self._engine.connect() as client:
            for found in client.containers(all=True, filters={"label": LABEL}):
                if is_orphan(found["Labels"][LABEL]):
                    client.remove_container(found["Id"], force=True, v=True)

    @staticmethod
    def runs() -> list[str]:
        """Names of the runs that the engine has containers for, alive or dead."""
        with Engine().connect() as client:
            found = client.containers(all=True, filters={"label": LABEL})
        return [container["Labels"][LABEL] for container in found]

    def start(self, name: str, scratch: Scratch, limits: Limits) -> _Container:
        """Start a program.

        Raises:
            StartFailed: the engine did not let us.
        """
        loan = gpu.lend(limits.gpu_memory_mb) if limits.gpu_memory_mb else None
        channel = Channel(scratch.folder / "channel")
        container = _Container(self._engine, channel, loan, limits, "uid" in self._without)
        try:
            _show_processors(scratch.folder / "sys")
            _name_user(scratch.folder / "passwd", self._uid)
            options = self._options(name, scratch.folder, limits, loan.card if loan else None)
            container.start(options, leaked_descriptors(self._without))
        except BaseException as error:
            container.kill()
            container.close()
            if isinstance(error, ENGINE_ERRORS):
                raise StartFailed(f"the Docker engine refused: {error}") from error
            raise
        return container

    def _try_to_start(self) -> bool:
        """Start a program and end it, so that a host that can't is known now.

        Returns whether the program's control group can be read from here.

        Raises:
            SandboxUnavailable: it did not start, with the cause in one sentence.
        """
        try:
            scratch = Scratch(run_name())
            try:
                container = self.start(scratch.folder.name, scratch, RunLimits())
                container.kill()
                container.close()
                return container.sees_group
            finally:
                scratch.close()
        except (StartFailed, OSError) as error:
            raise SandboxUnavailable(why_not(str(error))) from error

    def _options(
        self, name: str, folder: Path, limits: Limits, card: gpu.Card | None
    ) -> dict[str, Any]:
        """The whole configuration of a container, as the engine's API wants it."""
        with self._engine.connect() as client:
            devices = {"device_requests": [gpu.device_request(card)]} if card else {}
            host = client.create_host_config(**self._confinement(folder, limits), **devices)
            configuration: dict[str, Any] = client.create_container_config(
                image=self._image.id,
                entrypoint=[self._image.interpreter, "-I", "-S", "-B", "-u", "-c", BOOT],
                command=[],
                user=f"{self._user()}:{self._user()}",
                environment=[*self._environment(), *(gpu.settings(card) if card else ())],
                working_dir=BUNDLE,
                hostname=None if "network" in self._without else "sandbox",
                labels={LABEL: name},
                host_config=host,
            )
        return configuration

    def _confinement(self, folder: Path, limits: Limits) -> dict[str, Any]:
        memory = limits.memory_mb * MIB
        confinement: dict[str, Any] = {
            "network_mode": "host" if "network" in self._without else "none",
            "read_only": "read_only" not in self._without,
            "ipc_mode": "host" if "ipc" in self._without else "private",
            "security_opt": self._security(),
            "pids_limit": limits.processes + OWN_PROCESSES,
            "mem_limit": memory,
            "memswap_limit": memory,
            "nano_cpus": limits.cpus * 1_000_000_000,
            "tmpfs": {"/tmp": tmpfs.options(limits.tmp_mb, "noexec" not in self._without)},
            "mounts": self._mounts(folder),
            "ulimits": [
                Ulimit(name="core", soft=0, hard=0),
                Ulimit(name="nofile", soft=limits.open_files, hard=limits.open_files),
            ],
            "log_config": LogConfig(type=LogConfig.types.NONE),
            "runtime": self._runtime,
            # no `init`: the program is process 1 itself, so that its end is the end of all
            "init": False,
        }
        if "ipc" not in self._without:
            # as large as the memory limit, which counts what is in it and is reached first
            confinement["shm_size"] = memory
        if "privileges" not in self._without:
            confinement["cap_drop"] = ["ALL"]
        if "processes" in self._without:
            confinement["pid_mode"] = "host"
        return confinement

    def _security(self) -> list[str]:
        calls = "unconfined" if "seccomp" in self._without else self._profile
        options = [f"seccomp={calls}"]
        if "privileges" not in self._without:
            options.append("no-new-privileges:true")
        return options

    def _mounts(self, folder: Path) -> list[Mount]:
        places = {
            BUNDLE: folder / "bundle",
            HARNESS: folder / "harness",
            INSIDE: folder / "channel",
            "/sys": folder / "sys",
            "/etc/passwd": folder / "passwd",
        }
        if "files" in self._without:
            places[LEAKED_FOLDER] = Path.cwd()
        return [
            Mount(inside, str(outside), type="bind", read_only=True, propagation="rprivate")
            for inside, outside in places.items()
        ]

    def _environment(self) -> list[str]:
        """A name without a value is one that the engine would set and now does not."""
        if "environment" in self._without:
            return [f"{name}={value}" for name, value in os.environ.items()]
        return ["PATH", "HOSTNAME", "HOME"]

    def _user(self) -> int:
        return 0 if "uid" in self._without else self._uid


def _show_processors(folder: Path) -> None:
    """What stands in the place of /sys: the number of processors."""
    processors = folder / PROCESSORS
    processors.mkdir(parents=True)
    (folder / "fs" / "cgroup").mkdir(parents=True)
    for name in ("possible", "present", "online"):
        (processors / name).write_text(f"0-{(os.cpu_count() or 1) - 1}\n", encoding="ascii")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _name_user(file: Path, uid: int) -> None:
    """The program's user with a name and a home: libraries ask for them and fail without."""
    file.write_text(f"nobody:x:{uid}:{uid}:nobody:/tmp:/bin/false\n", encoding="ascii")
    file.chmod(0o644)


def why_not(said: str) -> str:
    """What the engine complained about, as a sentence an operator can act on."""
    if "bind source path does not exist" in said or "did not take its pipes" in said:
        return (
            "The Docker engine does not see this worker's files, as when the worker itself runs in "
            "a container; give both the same folder for temporary files, at the same path "
            f"(TMPDIR), or let students' code run with bubblewrap ({said})."
        )
    if "seccomp" in said:
        return f"The Docker engine can't filter system calls, so it is not used ({said})."
    if "unknown runtime" in said.lower():
        return f"The Docker engine does not know the runtime that {RUNTIME_SETTING} names ({said})."
    if "cgroup" in said:
        return (
            "The Docker engine can't make control groups, and without limits students' code is "
            f"not run ({said})."
        )
    return f"The Docker engine can't start a program here: {said}."


class _Container:
    """One program in a container."""

    bundle = BUNDLE

    def __init__(
        self,
        engine: Engine,
        channel: Channel,
        loan: gpu.Loan | None,
        limits: Limits,
        root_allowed: bool,
    ) -> None:
        self._loan = loan
        self._number = 0  # of process 1, if it can be seen from here
        self._engine = engine
        self._channel = channel
        self._root_allowed = root_allowed
        self._id = ""
        self._process: int | None = None  # pidfd of process 1, where it can be seen from here
        self._read_usage: Any = None
        self._usage = NO_USAGE
        self._killed = False
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
        """Nothing to do: the file systems are held since the start."""

    def over_limit(self) -> bool:
        """Whether the kernel had to kill, or a GPU's memory is exceeded."""
        self._look()
        if self._loan is not None and self._loan.over_limit(process_tree(self._number)):
            return True
        return self._usage.out_of_memory

    def _look(self) -> None:
        """Note what was used so far: the group vanishes with its last process."""
        if self._read_usage is not None:
            with contextlib.suppress(OSError):
                self._usage = self._read_usage()

    def wait(self, seconds: float) -> bool:
        """Wait for the program's end."""
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
        return Postmortem(
            exit_status=None if self._killed else exit_status,
            peak_memory_mb=self._usage.peak_memory_mb,
            out_of_memory=self._usage.out_of_memory or killed_for_memory,
            out_of_processes=self._usage.out_of_processes,
            tmp_full=tmp_full,
            out_of_gpu_memory=self._loan is not None and self._loan.exceeded,
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
