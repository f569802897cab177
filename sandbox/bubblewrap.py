"""The bubblewrap backend: namespaces, an unprivileged user, a root that holds only the runner.

Started by root, everything runs as a dedicated unprivileged *host* user: bwrap's inner user
would otherwise be root outside. A private mount namespace first brings the runner environment
and the run's files to a folder that this user can reach, wherever they lie; it vanishes with the
program. Started by an ordinary user, bwrap runs as that user and binds them directly.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from sandbox import gpu, tmpfs
from sandbox.backend import BUNDLE, HARNESS, MIB, Postmortem, StartFailed, rlimits
from sandbox.cgroup import Accounting, Group, find_accounting
from sandbox.defences import EVERYTHING_ON, LEAKED_FOLDER, leaked_descriptors
from sandbox.environment import PACKAGES, RunnerEnvironment, SandboxUnavailable
from sandbox.host import find_bwrap, sandbox_uid, system_call_filter, tool, why_not
from sandbox.limits import Limits, RunLimits
from sandbox.scratch import Scratch, run_name
from sandbox.watchdog import process_tree

STAGE = Path("/run/gradewright-sandbox")
START_SECONDS = 10.0

# The first process writes its id to the control groups, so that whatever it starts is counted.
JOIN = """
count=$1; shift
while [ "$count" -gt 0 ]; do echo $$ > "$1"; shift; count=$((count-1)); done
exec "$@"
"""
# Then, as root, the private mount namespace: $1 stage, $2 root, $3 scratch, $4 and $5 options of
# /tmp and /dev/shm, $6 user; the rest is the command.
BRING = """
stage=$1; root=$2; scratch=$3; tmp=$4; shm=$5; user=$6; shift 6
mount -t tmpfs -o mode=0711,size=64k,nr_inodes=16 none "$stage"
mkdir "$stage/root" "$stage/bundle" "$stage/harness" "$stage/tmp" "$stage/shm"
mount --bind "$root" "$stage/root"
mount --bind "$scratch/bundle" "$stage/bundle"
mount --bind "$scratch/harness" "$stage/harness"
mount -t tmpfs -o "$tmp" none "$stage/tmp"
mount -t tmpfs -o "$shm" none "$stage/shm"
exec setpriv --reuid "$user" --regid "$user" --clear-groups -- "$@"
"""
BOOT = (
    "import sys; sys.path[:0] = [{harness!r}, {packages!r}]; "
    "from sandbox.harness import main; main({request}, {response})"
)


class Bubblewrap:
    """Starts programs under bwrap."""

    name = "bubblewrap"

    def __init__(
        self, environment: RunnerEnvironment, without: frozenset[str] = EVERYTHING_ON
    ) -> None:
        """Find what is needed on this host.

        Raises:
            SandboxUnavailable: something required is missing, in one sentence.
        """
        self._environment = environment
        self._without = without
        self._bwrap = find_bwrap()
        self._shell = tool("sh")
        self._is_root = os.geteuid() == 0
        self._uid = sandbox_uid() if self._is_root else os.geteuid()
        if self._is_root:
            for name in ("unshare", "mount", "mkdir", "setpriv"):
                tool(name)
            STAGE.mkdir(mode=0o711, exist_ok=True)
        self._accounting: Accounting = find_accounting()
        self._filter = system_call_filter()
        self._try_to_start()

    def describe(self) -> dict[str, str]:
        """What confines here, in words."""
        return {
            "backend": self.name,
            "bwrap": self._bwrap,
            "limits": self._accounting.name,
            "limits_sentence": self._accounting.sentence,
            "host_uid": str(self._uid),
            "python": self._environment.python_version,
            "torch": self._environment.packages.get("torch", ""),
            "numpy": self._environment.packages.get("numpy", ""),
            "runner": self._environment.fingerprint[:16],
        }

    def clear_orphans(self) -> None:
        """End and remove what a killed process of ours left behind."""
        self._accounting.clear_orphans()

    def start(self, name: str, scratch: Scratch, limits: Limits) -> _Program:
        """Start a program.

        Raises:
            StartFailed: bwrap or the host did not let us.
        """
        loan = gpu.lend(limits.gpu_memory_mb) if limits.gpu_memory_mb else None
        try:
            return self._start(name, scratch, limits, loan)
        except BaseException:
            if loan is not None:
                loan.give_back()
            raise

    def _start(
        self, name: str, scratch: Scratch, limits: Limits, loan: gpu.Loan | None
    ) -> _Program:
        group = self._accounting.open(name, limits)
        pipes = _Pipes(self._filter)
        device = gpu.bubblewrap_options(loan.card) if loan is not None else []
        leaked = leaked_descriptors(self._without)
        try:
            boot = BOOT.format(
                harness=HARNESS,
                packages=PACKAGES,
                request=pipes.request_inside,
                response=pipes.response_inside,
            )
            process = subprocess.Popen(
                self._command(group.joins, scratch, limits, pipes, boot, device),
                stdin=subprocess.DEVNULL,
                stdout=pipes.output_inside,
                stderr=pipes.output_inside,
                pass_fds=(*pipes.inside, *leaked),
                env=dict(os.environ) if "environment" in self._without else {},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            pipes.close()
            group.remove()
            raise StartFailed(f"bwrap could not be started: {error}") from error
        finally:
            for descriptor in leaked:
                os.close(descriptor)
        pipes.close_inside()
        root_allowed = "uid" in self._without
        return _Program(process, group, pipes, limits, loan, root_allowed=root_allowed)

    def _try_to_start(self) -> None:
        """Start an interpreter that does nothing, so that a host that can't is known now.

        Raises:
            SandboxUnavailable: it did not start, with the cause in one sentence.
        """
        scratch = Scratch(run_name())
        pipes = _Pipes(self._filter)
        try:
            command = self._command((), scratch, RunLimits(), pipes, "pass")
            answer = subprocess.run(
                command,
                capture_output=True,
                check=False,
                pass_fds=pipes.inside,
                env={},
                cwd="/",
                text=True,
                errors="replace",
                timeout=START_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SandboxUnavailable(f"No sandbox can be started here: {error}.") from error
        finally:
            pipes.close()
            scratch.close()
        if answer.returncode != 0:
            raise SandboxUnavailable(why_not(answer.stderr.strip()))

    def _command(
        self,
        joins: tuple[Path, ...],
        scratch: Scratch,
        limits: Limits,
        pipes: _Pipes,
        program: str,
        device: Sequence[str] = (),
    ) -> list[str]:
        """The whole command line; `program` is what the interpreter inside runs.

        `device`: bwrap's options for a GPU.
        """
        join = [self._shell, "-euc", JOIN, "join", str(len(joins)), *map(str, joins)]
        interpreter = [self._environment.interpreter, "-I", "-S", "-B", "-u", "-c", program]
        # /dev/shm is as large as the memory limit, which counts what is in it and is reached first.
        sizes = {"/tmp": limits.tmp_mb, "/dev/shm": limits.memory_mb}
        if not self._is_root:
            root, files, bring = self._environment.root, scratch.folder, []
            fresh = [option for place in sizes.items() for option in _own_tmpfs(*place)]
        else:
            root, files = STAGE / "root", STAGE
            noexec = "noexec" not in self._without
            bring = self._bring(scratch, [tmpfs.options(size, noexec) for size in sizes.values()])
            fresh = ["--bind", str(STAGE / "tmp"), "/tmp"]
            fresh += ["--bind", str(STAGE / "shm"), "/dev/shm"]
        binds = ["--ro-bind", str(root), "/"]
        binds += ["--ro-bind", str(files / "bundle"), BUNDLE]
        binds += ["--ro-bind", str(files / "harness"), HARNESS]
        if "processes" in self._without:
            binds += ["--ro-bind", "/proc", "/proc", "--dev", "/dev"]
        else:
            binds += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]
        binds += device
        if "files" in self._without:
            fresh += ["--ro-bind", str(Path.cwd()), LEAKED_FOLDER]
        binds += [*fresh, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", BUNDLE]
        confine = [self._bwrap, *self._confinement(pipes), *binds, "--"]
        return [*join, *bring, *confine, *interpreter]

    def _bring(self, scratch: Scratch, options: list[str]) -> list[str]:
        """The step before bwrap that only root needs and can do."""
        uid = 0 if "uid" in self._without else self._uid
        return [
            *(tool("unshare"), "--mount", "--propagation", "private", "--"),
            *(self._shell, "-euc", BRING, "bring", str(STAGE)),
            *(str(self._environment.root), str(scratch.folder), *options, str(uid)),
        ]

    def _confinement(self, pipes: _Pipes) -> list[str]:
        options = ["--unshare-user", "--unshare-uts", "--unshare-cgroup-try"]
        namespaces = {
            "ipc": ["--unshare-ipc"],
            "network": ["--unshare-net"],
            "processes": ["--unshare-pid", "--as-pid-1"],
            "userns": ["--disable-userns"],
        }
        for defence, switch in namespaces.items():
            if defence not in self._without:
                options += switch
        options += ["--uid", "65534", "--gid", "65534", "--hostname", "sandbox"]
        options += ["--cap-drop", "ALL", "--die-with-parent", "--new-session"]
        if "environment" not in self._without:
            options += ["--clearenv"]
        if "seccomp" not in self._without:
            options += ["--seccomp", str(pipes.filter)]
        return [*options, "--info-fd", str(pipes.info_inside)]


def _own_tmpfs(place: str, size_mb: int) -> list[str]:
    return ["--perms", "1777", "--size", str(size_mb * MIB), "--tmpfs", place]


class _Pipes:
    """The pipes of one program. What is passed inside is closed here once it has started."""

    def __init__(self, filter_program: bytes) -> None:
        self.request_inside, self.request = os.pipe()
        self.response, self.response_inside = os.pipe()
        self.output, self.output_inside = os.pipe()
        self.info, self.info_inside = os.pipe()
        self.filter = os.memfd_create("seccomp")
        os.write(self.filter, filter_program)
        os.lseek(self.filter, 0, os.SEEK_SET)
        self.inside = (self.request_inside, self.response_inside, self.info_inside, self.filter)

    def close_inside(self) -> None:
        for descriptor in (*self.inside, self.output_inside):
            os.close(descriptor)

    def close(self) -> None:
        self.close_inside()
        self.close_outside()

    def close_outside(self) -> None:
        for descriptor in (self.request, self.response, self.output, self.info):
            os.close(descriptor)


class _Program:
    """One program under bwrap: `bwrap` itself watches from outside, the harness is process 1."""

    bundle = BUNDLE

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        group: Group,
        pipes: _Pipes,
        limits: Limits,
        loan: gpu.Loan | None,
        *,
        root_allowed: bool,
    ) -> None:
        self.device = "cpu" if loan is None else "cuda"
        self._loan = loan
        self._process = process
        self._group = group
        self._pipes = pipes
        self.rlimits = rlimits(limits)
        self._inner: int | None = None  # pidfd of process 1 inside
        self._file_systems: tuple[int, ...] = ()
        self._killed = False
        self._root_allowed = root_allowed
        self.request, self.response, self.output = pipes.request, pipes.response, pipes.output
        looks = (group.watch_seconds, gpu.WATCH_SECONDS if loan is not None else None)
        self.watch_seconds = min((each for each in looks if each is not None), default=None)

    def handed_over(self) -> None:
        """Hold on to process 1 and its tmpfs mounts, while no code of a student has run.

        Raises:
            StartFailed: it is gone already, or it is root on this host.
        """
        try:
            inner = _child_id(self._pipes.info)
            self._inner = os.pidfd_open(inner)
            if Path(f"/proc/{inner}").stat().st_uid == 0 and not self._root_allowed:
                raise StartFailed("the program inside would be root on this host")
            self._file_systems = tuple(
                os.open(f"/proc/{inner}/root/{name}", os.O_PATH | os.O_DIRECTORY)
                for name in ("tmp", "dev/shm")
            )
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
        return Postmortem(
            exit_status=None if self._killed else self._process.returncode,
            peak_memory_mb=usage.peak_memory_mb,
            out_of_memory=usage.out_of_memory,
            out_of_processes=usage.out_of_processes,
            tmp_full=tmp_full,
            out_of_gpu_memory=self._loan is not None and self._loan.exceeded,
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
