"""The bubblewrap backend: namespaces, an unprivileged user, a root that holds only the runner.

Started by root, everything runs as a dedicated unprivileged *host* user: bwrap's inner user
would otherwise be root outside. A private mount namespace first brings the runner environment
and the run's files to a folder that this user can reach, wherever they lie; it vanishes with the
program. Started by an ordinary user, bwrap runs as that user and binds them directly.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sandbox.backends.bubblewrap_program import START_SECONDS, Pipes, Program
from sandbox.confinement import gpu, held, host_users, proc, tmpfs
from sandbox.confinement.accounting import Accounting
from sandbox.confinement.gpu import DRIVER_FOLDER, Card, driver_libraries, nodes, settings
from sandbox.confinement.host import (
    find_accounting,
    find_bwrap,
    system_call_filter,
    tool,
    why_not,
)
from sandbox.confinement.host_users import Lease
from sandbox.defences import EVERYTHING_ON, LEAKED_FOLDER, leaked_descriptors
from sandbox.limits import MIB, Limits, RunLimits, StartFailed
from sandbox.names import run_name
from sandbox.run.backend import BUNDLE, HARNESS, BackendEntry
from sandbox.run.scratch import Scratch
from sandbox.runner_env.environment import PACKAGES, SandboxUnavailable, find_environment

STAGE = Path("/run/gradewright-sandbox")

# The first process writes its id to the control groups, so that whatever it starts is counted. It
# and what it becomes, bwrap, ignore what a service manager sends to every process of a worker that
# is to stop: the worker decides how its runs end. Inside, the harness takes these signals back.
JOIN = """
trap '' HUP INT QUIT TERM
count=$1; shift
while [ "$count" -gt 0 ]; do echo $$ > "$1"; shift; count=$((count-1)); done
exec "$@"
"""
# Then, as root, the private mount namespace: $1 stage, $2 root, $3 scratch, $4 and $5 options of
# /tmp and /dev/shm, $6 user, $7 whether root and devices are this run's own; the rest is the
# command. An overlay's files are other ones than those of another overlay of the same folder: no
# watch, lock or access time crosses. Its upper layer is empty and tells the free space of the
# stage; its lower one has a relative path, since a program can read how its root was mounted.
BRING = """
stage=$1; root=$2; scratch=$3; tmp=$4; shm=$5; user=$6; own=$7; shift 7
mount -t tmpfs -o mode=0711,size=64k,nr_inodes=16 none "$stage"
mkdir "$stage/root" "$stage/none" "$stage/bundle" "$stage/harness" "$stage/tmp" "$stage/shm"
if [ "$own" = own ]; then
    cd "${root%/*}"
    mount -t overlay -o "ro,lowerdir=$stage/none:${root##*/}" none "$stage/root"
    mount -t overlay -o "ro,lowerdir=$stage/none:/dev" none /dev
    cd /
else
    mount --bind "$root" "$stage/root"
fi
mount --bind "$scratch/bundle" "$stage/bundle"
mount --bind "$scratch/harness" "$stage/harness"
mount -t tmpfs -o "$tmp" none "$stage/tmp"
mount -t tmpfs -o "$shm" none "$stage/shm"
exec setpriv --reuid "$user" --regid "$user" --clear-groups -- "$@"
"""
BOOT = (
    "import sys; sys.path[:0] = [{harness!r}, {packages!r}]; "
    "from sandbox.inside.boot import main; main({request}, {response}, confine={confine})"
)


class Bubblewrap:
    """Starts programs under bwrap."""

    name = "bubblewrap"

    def __init__(
        self, runner_env: Path | None = None, without: frozenset[str] = EVERYTHING_ON
    ) -> None:
        """Find what is needed on this host.

        Raises:
            SandboxUnavailable: something required is missing, in one sentence.
        """
        self._environment = find_environment(runner_env)
        self._without = without
        self._bwrap = find_bwrap()
        self._shell = tool("sh")
        self._is_root = os.geteuid() == 0
        euid = os.geteuid()
        self._users = host_users.host_users() if self._is_root else range(euid, euid + 1)
        if "users" in without:
            self._users = self._users[:1]
        if self._is_root:
            for name in ("unshare", "mount", "mkdir", "setpriv"):
                tool(name)
            STAGE.mkdir(mode=0o711, exist_ok=True)
        self._accounting: Accounting = find_accounting()
        self._filter = system_call_filter()
        self._filter_of_gpus = system_call_filter(cuda=True)
        self._own_mounts = self._is_root and "overlay" not in without
        # where processes of the host are seen, process 1 is another one
        self._keeps_still = not {"entries", "processes"} & without and proc.can_keep_still()
        self._find_a_way_to_start()
        self._held = held.Holding.of([self._environment.root], on="held" not in without)

    def describe(self) -> dict[str, str]:
        """What confines here, in words."""
        return {
            "backend": self.name,
            "bwrap": self._bwrap,
            "limits": self._accounting.name,
            "limits_sentence": self._accounting.sentence,
            "host_uid": host_users.in_words(self._users),
            "held_mb": str(self._held.megabytes),
            "open": self._open(),
            "python": self._environment.python_version,
            "torch": self._environment.packages.get("torch", ""),
            "numpy": self._environment.packages.get("numpy", ""),
            "runner": self._environment.fingerprint[:16],
        }

    def _open(self) -> str:
        """By what, other than time, one run can still tell another something here; "": nothing."""
        shared = [] if self._own_mounts else ["watches and locks on the runner's files"]
        shared += [] if self._keeps_still else [proc.NUMBERS_SEEN]
        return "; ".join([*shared, *self._held.open, *host_users.shared(self._users)])

    def clear_orphans(self) -> None:
        """End and remove what a killed process of ours left behind."""
        self._accounting.clear_orphans()

    def runs(self) -> list[str]:
        """None: what a program leaves is in its folder and its groups, which have its name."""
        return []

    def start(self, name: str, scratch: Scratch, limits: Limits) -> Program:
        """Start a program.

        Raises:
            StartFailed: bwrap or the host did not let us.
        """
        user = host_users.lend(self._users)
        loan = None
        try:
            loan = gpu.lend(limits.gpu_memory_mb) if limits.gpu_memory_mb else None
            return self._start(name, scratch, limits, loan, user)
        except BaseException:
            user.give_back()
            if loan is not None:
                loan.give_back()
            raise

    def _start(
        self, name: str, scratch: Scratch, limits: Limits, loan: gpu.Loan | None, user: Lease
    ) -> Program:
        group = self._accounting.open(name, limits)
        pipes = Pipes(self._filter if loan is None else self._filter_of_gpus)
        device = bubblewrap_options(loan.card) if loan is not None else []
        leaked = leaked_descriptors(self._without)
        try:
            boot = BOOT.format(
                harness=HARNESS,
                packages=PACKAGES,
                request=pipes.request_inside,
                response=pipes.response_inside,
                confine="landlock" not in self._without,
            )
            process = subprocess.Popen(
                self._command(group.joins, scratch, limits, pipes, user, boot, device),
                stdin=pipes.nothing,
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
        return Program(
            process,
            group,
            pipes,
            limits,
            loan,
            user,
            root_allowed="uid" in self._without,
            is_process_1="processes" not in self._without,
            keeps_still=self._keeps_still and loan is None,  # drivers look at /proc at any time
        )

    def _find_a_way_to_start(self) -> None:
        """Do without what this host does not offer, as far as students' code may run without it.

        Raises:
            SandboxUnavailable: it may not, with the cause in one sentence.
        """
        try:
            self._try_to_start()
        except SandboxUnavailable:
            if not self._own_mounts:
                raise
            self._own_mounts = False  # a kernel without overlayfs, or one that will not stack here
            self._try_to_start()

    def _try_to_start(self) -> None:
        """Start an interpreter that does nothing, so that a host that can't is known now.

        Raises:
            SandboxUnavailable: it did not start, with the cause in one sentence.
        """
        scratch = Scratch(run_name())
        user = Lease(uid=self._users[0])
        pipes = Pipes(self._filter)
        try:
            command = self._command((), scratch, RunLimits(), pipes, user, "pass")
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
        pipes: Pipes,
        user: Lease,
        program: str,
        device: Sequence[str] = (),
    ) -> list[str]:
        """The whole command line; `program` is what the interpreter inside runs.

        `device`: bwrap's options for a GPU.
        """
        proc.write_processors(scratch.folder / "harness" / Path(proc.PROCESSORS).name)
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
            fill = [tmpfs.options(size, noexec) for size in sizes.values()]
            bring = self._bring(scratch, fill, user)
            fresh = ["--bind", str(STAGE / "tmp"), "/tmp"]
            fresh += ["--bind", str(STAGE / "shm"), "/dev/shm"]
        binds = ["--ro-bind", str(root), "/"]
        binds += ["--ro-bind", str(files / "bundle"), BUNDLE]
        binds += ["--ro-bind", str(files / "harness"), HARNESS]
        binds += [*self._proc(files / "harness", gpu=bool(device)), "--dev", "/dev", *device]
        if "files" in self._without:
            fresh += ["--ro-bind", str(Path.cwd()), LEAKED_FOLDER]
        binds += [*fresh, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", BUNDLE]
        confine = [self._bwrap, *self._confinement(pipes), *binds, "--"]
        return [*join, *bring, *confine, *interpreter]

    def _proc(self, harness: Path, *, gpu: bool) -> list[str]:
        """Its own processes, and the kernel's tables that tell nothing of others."""
        if "processes" in self._without:
            return ["--ro-bind", "/proc", "/proc"]
        if "proc" in self._without:
            return ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"]
        files, folders = proc.hidden(gpu=gpu)
        options = ["--proc", "/proc"]
        options += ["--ro-bind", str(harness / Path(proc.PROCESSORS).name), proc.PROCESSORS]
        for path in (*files, *proc.OWN_TABLES):
            options += ["--ro-bind", "/dev/null", path]  # not a device there: it can't be opened
        for path in folders:
            options += ["--tmpfs", path, "--remount-ro", path]
        return options

    def _bring(self, scratch: Scratch, options: list[str], user: Lease) -> list[str]:
        """The step before bwrap that only root needs and can do."""
        uid = 0 if "uid" in self._without else user.uid
        return [
            *(tool("unshare"), "--mount", "--propagation", "private", "--"),
            *(self._shell, "-euc", BRING, "bring", str(STAGE)),
            *(str(self._environment.root), str(scratch.folder), *options, str(uid)),
            "own" if self._own_mounts else "shared",
        ]

    def _confinement(self, pipes: Pipes) -> list[str]:
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


def bubblewrap_options(card: Card) -> list[str]:
    """The card for a program under bwrap; after its `--dev`."""
    options: list[str] = []
    for node in nodes(card):
        options += ["--dev-bind", str(node), str(node)]
    options += ["--dir", DRIVER_FOLDER]
    for name, path in driver_libraries().items():
        options += ["--ro-bind", str(path), f"{DRIVER_FOLDER}/{name}"]
    told = [f"LD_LIBRARY_PATH={DRIVER_FOLDER}", *settings(card)]
    return [*options, *(part for each in told for part in ("--setenv", *each.split("=")))]


BACKEND = BackendEntry(name=Bubblewrap.name, turn=1, make=Bubblewrap)
