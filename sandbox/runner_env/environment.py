"""Where the runner environment is: the folder that becomes the root a student's program sees.

    .runner/environment.json    what is in it, and the fingerprint it was built from
    .runner/root/               the whole file system of a sandbox: interpreter, standard library,
                                the shared libraries the linker names, the runner's packages

`python -m sandbox.runner_env.build_runner .runner` makes it. What is not in that folder does not
exist for a student's program, so `find .runner/root` answers what it can read.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox.runner_env import runner_lock

FORMAT = 3
LOCK = Path(__file__).resolve().parents[2] / "deploy" / "locks" / "runner.txt"
PACKAGES = "/opt/packages"
MOUNT_POINTS = ("bundle", "dev", "opt/harness", "proc", "tmp")
SETTING = "SANDBOX_RUNNER_ENV"
RUNTIME_SETTING = "SANDBOX_DOCKER_RUNTIME"  # such as runsc, whose programs have their own kernel


class SandboxUnavailable(RuntimeError):
    """Students' code can't be run on this host; the message is one clear sentence."""


@dataclass(frozen=True, kw_only=True)
class RunnerEnvironment:
    """A built runner environment."""

    folder: Path
    interpreter: str  # path inside the root
    python_version: str
    fingerprint: str
    packages: dict[str, str]  # name -> version

    @property
    def root(self) -> Path:
        """The folder that is mounted, read-only, as the sandbox's root."""
        return self.folder / "root"

    @classmethod
    def load(cls, folder: Path) -> RunnerEnvironment:
        """Read a built environment.

        Raises:
            SandboxUnavailable: it is missing, half-built or of another format.
        """
        try:
            record = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SandboxUnavailable(
                f"The runner environment is missing at {folder}; "
                "build it with `python -m sandbox.runner_env.build_runner .runner`."
            ) from None
        except (OSError, ValueError) as error:
            raise SandboxUnavailable(
                f"The runner environment at {folder} can't be read ({error}); build it again."
            ) from error
        if record.get("format") != FORMAT or not (folder / "root").is_dir():
            raise SandboxUnavailable(
                f"The runner environment at {folder} is from another version; build it again "
                "with `python -m sandbox.runner_env.build_runner .runner`."
            )
        return cls(
            folder=folder,
            interpreter=record["interpreter"],
            python_version=record["python_version"],
            fingerprint=record["fingerprint"],
            packages=dict(record["packages"]),
        )


def find_environment(folder: Path | None = None) -> RunnerEnvironment:
    """The given environment, else the one `SANDBOX_RUNNER_ENV` names, else `.runner` nearby.

    Nearby is beside the virtual environment, beside the checkout, or in the working directory.

    Raises:
        SandboxUnavailable: none of them holds a built environment.
    """
    if folder is not None:
        return RunnerEnvironment.load(folder.absolute())
    named = os.environ.get(SETTING)
    if named:
        return RunnerEnvironment.load(Path(named).absolute())
    places = [place for place in _places() if (place / "environment.json").is_file()]
    return RunnerEnvironment.load(places[0] if places else _places()[0])


def environment_refusal(folder: Path | None = None) -> str:
    """Why no program can be started from the environment now, in one sentence; "" if one can."""
    try:
        find_environment(folder)
    except SandboxUnavailable as unavailable:
        return str(unavailable)
    return ""


def environment_drift(folder: Path | None = None) -> tuple[str, ...]:
    """What of the environment's packages is not as the checkout's lock says, each in words.

    Nothing where the software was installed without its checkout: no lock lies beside it.

    Raises:
        SandboxUnavailable: there is no environment.
        BuildFailed: the lock can't be read.
    """
    environment = find_environment(folder)
    if not LOCK.is_file():
        return ()
    version = environment.python_version
    described = {"version": version, "short": ".".join(version.split(".")[:2])}
    beside = runner_lock.pins(LOCK.with_name(runner_lock.TORCH_FILE), described)
    wanted = [
        *runner_lock.pins(LOCK, described),
        # what CUDA brings along is its own affair
        *(each for each in beside if each.name in runner_lock.TORCH),
    ]
    there = {
        # one version of torch is built for CPUs and for each CUDA release
        runner_lock.normal(name): found.partition("+")[0]
        for name, found in environment.packages.items()
    }
    return tuple(
        f"{each.name} is {there.get(each.name, 'missing')}, locked is {each.version}"
        for each in wanted
        if there.get(each.name) != each.version
    )


def _places() -> list[Path]:
    return [
        Path(sys.prefix).parent / ".runner",
        Path(__file__).resolve().parents[2] / ".runner",
        Path.cwd() / ".runner",
    ]
