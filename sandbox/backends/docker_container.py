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
from pathlib import Path
from typing import Any

from docker.types import LogConfig, Mount, Ulimit

from sandbox.backends.docker_channel import INSIDE, Channel, boot
from sandbox.backends.docker_engine import ENGINE_ERRORS, Engine, RunnerImage, device_request
from sandbox.backends.docker_program import Container
from sandbox.confinement import gpu, held, host_users, proc, seccomp, seccomp_profile, tmpfs
from sandbox.confinement.cgroup import OWN_PROCESSES
from sandbox.confinement.host_users import Lease
from sandbox.defences import EVERYTHING_ON, LEAKED_FOLDER, leaked_descriptors
from sandbox.limits import MIB, Limits, RunLimits, StartFailed
from sandbox.names import is_orphan, run_name
from sandbox.run.backend import BUNDLE, HARNESS
from sandbox.run.scratch import Scratch
from sandbox.runner_env.environment import RUNTIME_SETTING, SandboxUnavailable

LABEL = "gradewright.run"  # on a container: the name of its run
PROCESSORS = "devices/system/cpu"  # the only part of /sys that libraries look at


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
        self._users = host_users.host_users()
        if "users" in without:
            self._users = self._users[:1]
        self._runtime = os.environ.get(RUNTIME_SETTING) or None
        still = not {"entries", "processes"} & without and proc.can_keep_still()
        self._keeps_still = still and self._runtime is None  # another kernel has its own numbers
        try:
            self._profile = json.dumps(seccomp_profile.profile())
            self._profile_of_gpus = json.dumps(seccomp_profile.profile(cuda=True))
        except NotImplementedError as error:
            raise SandboxUnavailable(f"Students' code can't be run here: {error}.") from error
        self._sees_groups = self._try_to_start()
        layers, unseen = self._engine.layers(self._image)
        self._held = held.Holding.of(layers, on="held" not in without, unseen=unseen)

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
            "host_uid": host_users.in_words(self._users),
            "held_mb": str(self._held.megabytes),
            "open": self._open(),
            "image": self._image.id,
            "python": self._image.python_version,
            "torch": self._image.packages.get("torch", ""),
            "numpy": self._image.packages.get("numpy", ""),
            "runner": self._image.fingerprint[:16],
        }

    def _open(self) -> str:
        """By what, other than time, one run can still tell another something here; "": nothing."""
        still = self._runtime is not None or (self._keeps_still and self._sees_groups)
        shared = [] if still else [proc.NUMBERS_SEEN]
        return "; ".join([*shared, *self._held.open, *host_users.shared(self._users)])

    def clear_orphans(self) -> None:
        """Remove the containers of killed processes of ours, and of nobody else."""
        with contextlib.suppress(*ENGINE_ERRORS), self._engine.connect() as client:
            for found in client.containers(all=True, filters={"label": LABEL}):
                if is_orphan(found["Labels"][LABEL]):
                    with contextlib.suppress(*ENGINE_ERRORS):  # another process may clear up too
                        client.remove_container(found["Id"], force=True, v=True)

    def runs(self) -> list[str]:
        """Names of the runs that the engine has containers for, alive or dead."""
        with self._engine.connect() as client:
            found = client.containers(all=True, filters={"label": LABEL})
        return [container["Labels"][LABEL] for container in found]

    def start(self, name: str, scratch: Scratch, limits: Limits) -> Container:
        """Start a program.

        Raises:
            StartFailed: the engine did not let us.
        """
        user = host_users.lend(self._users)
        try:
            loan = gpu.lend(limits.gpu_memory_mb) if limits.gpu_memory_mb else None
        except BaseException:
            user.give_back()
            raise
        channel = Channel(scratch.folder / "channel")
        container = Container(
            self._engine,
            channel,
            loan,
            user,
            limits,
            root_allowed="uid" in self._without,
            is_process_1="processes" not in self._without and self._runtime is None,
            keeps_still=self._keeps_still and loan is None,  # drivers look at /proc at any time
        )
        try:
            _show_processors(scratch.folder / "sys")
            _name_user(scratch.folder / "passwd", user.uid)
            proc.write_processors(scratch.folder / "cpuinfo")
            card = loan.card if loan else None
            options = self._options(name, scratch.folder, limits, user, card)
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
        self, name: str, folder: Path, limits: Limits, user: Lease, card: gpu.Card | None
    ) -> dict[str, Any]:
        """The whole configuration of a container, as the engine's API wants it."""
        program = boot(
            confine="landlock" not in self._without,
            calls=b"" if "seccomp" in self._without else seccomp.program(cuda=card is not None),
        )
        with self._engine.connect() as client:
            devices = {"device_requests": [device_request(card)]} if card else {}
            host = client.create_host_config(**self._confinement(folder, limits), **devices)
            if not {"proc", "processes"} & self._without:
                files, folders = proc.hidden(gpu=card is not None)
                host["MaskedPaths"] = [*files, *folders, *proc.OWN_TABLES]
            configuration: dict[str, Any] = client.create_container_config(
                image=self._image.id,
                entrypoint=[self._image.interpreter, "-I", "-S", "-B", "-u", "-c", program],
                command=[],
                user="0:0" if "uid" in self._without else f"{user.uid}:{user.uid}",
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
            "security_opt": self._security(cuda=limits.gpu_memory_mb > 0),
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

    def _security(self, *, cuda: bool) -> list[str]:
        profile = self._profile_of_gpus if cuda else self._profile
        calls = "unconfined" if "seccomp" in self._without else profile
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
        if not {"proc", "processes"} & self._without:
            places[proc.PROCESSORS] = folder / "cpuinfo"
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
