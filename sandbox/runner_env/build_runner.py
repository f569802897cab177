"""Build the runner environment: `python -m sandbox.runner_env.build_runner .runner`.

The result is a folder that is the whole root of a sandbox (see `environment.py`). Files that are
already on this machine in the right version (the virtual environment's torch, the interpreter)
are hard-linked where the file system allows it, else copied; the rest comes from pip. Building is
skipped when nothing it depends on has changed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.runner_env.environment import (
    FORMAT,
    LOCK,
    MOUNT_POINTS,
    PACKAGES,
    RunnerEnvironment,
    SandboxUnavailable,
)
from sandbox.runner_env.runner_lock import CUDA_INDEX, TORCH_FILE, BuildFailed
from sandbox.runner_env.runner_packages import link_or_copy, put_packages

REQUIREMENTS = LOCK
# Folders of the standard library that no model needs. `site-packages` and `dist-packages` would
# carry whatever the machine has installed; Debian's keep data sets with their labels.
NOT_IN_STDLIB = {
    "site-packages",
    "dist-packages",
    "test",
    "ensurepip",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
}
DESCRIBE = """
import json, sys, sysconfig
print(json.dumps({
    "version": sys.version.split()[0],
    "short": "%d.%d" % sys.version_info[:2],
    "tag": sys.implementation.cache_tag,
    "executable": sys.executable,
    "platlibdir": getattr(sys, "platlibdir", "lib"),
    "stdlib": sysconfig.get_path("stdlib"),
    "platstdlib": sysconfig.get_path("platstdlib"),
}))
"""
COMPAT = "sandbox.inside.torchvision_compat"
SMOKE_TEST = f"""
import sys
sys.path[:0] = sys.argv[1:]
import numpy, PIL, safetensors.torch, torch
from {COMPAT} import define_missing_schemas
define_missing_schemas()
import timm, torchvision
print(torch.__version__)
"""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The packages: a lock or bounds; an index of builds of torch, else the one that is here."""

    requirements: Path = REQUIREMENTS
    torch_index: str | None = None

    def texts(self) -> list[str]:
        """All that decides about versions."""
        files = (self.requirements, self.requirements.with_name(TORCH_FILE))
        return [
            *(f.read_text(encoding="utf-8") for f in files if f.exists()),
            str(self.torch_index),
        ]


def main(arguments: list[str] | None = None) -> int:
    """Command line; 0 when the environment is there, 4 when it could not be built."""
    parser = argparse.ArgumentParser(prog="sandbox.runner_env.build_runner", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(".runner"))
    parser.add_argument(
        "--requirements",
        type=Path,
        default=REQUIREMENTS,
        help="a lock file, or bounds such as deploy/runner.txt: then the newest that fit",
    )
    torch = parser.add_mutually_exclusive_group()
    torch.add_argument("--torch-index", metavar="URL", help="where to take builds of torch from")
    torch.add_argument(
        "--cuda",
        dest="torch_index",
        action="store_const",
        const=CUDA_INDEX,
        help=f"the same as --torch-index {CUDA_INDEX}",
    )
    parser.add_argument(
        "--python",
        default=getattr(sys, "_base_executable", sys.executable),
        help="interpreter to put inside (default: the one below this virtual environment)",
    )
    parser.add_argument("--force", action="store_true", help="build even if nothing changed")
    options = parser.parse_args(arguments)
    try:
        build(
            options.folder.absolute(),
            Wanted(requirements=options.requirements, torch_index=options.torch_index),
            options.python,
            options.force,
        )
    except (BuildFailed, OSError, subprocess.CalledProcessError) as error:
        say(f"The runner environment could not be built: {error}")
        return 4
    return 0


def build(folder: Path, wanted: Wanted, python: str, force: bool = False) -> RunnerEnvironment:
    """Make `folder` a runner environment with what is wanted, or leave it if it already is one.

    Raises:
        BuildFailed: a part can't be had on this machine.
    """
    if sys.platform != "linux":
        raise BuildFailed("sandboxes run on Linux only; CSV submissions work without one.")
    described = _describe(python)
    fingerprint = _fingerprint(wanted, described)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        current = _current(folder)
        if not force and current is not None and current.fingerprint == fingerprint:
            say(f"The runner environment is up to date ({folder}).")
            return current
        say(f"Building the runner environment in {folder} (Python {described['version']})")
        work = folder / "new"
        shutil.rmtree(work, ignore_errors=True)
        try:
            record = _build_into(work, wanted, described, fingerprint)
            _put_in_place(folder, work, record)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    say("The runner environment is ready.")
    return RunnerEnvironment.load(folder)


def _build_into(
    root: Path, wanted: Wanted, described: dict[str, str], fingerprint: str
) -> dict[str, object]:
    for name in MOUNT_POINTS:
        (root / name).mkdir(parents=True, exist_ok=True)
    interpreter = _put_interpreter(root, described)
    packages = put_packages(
        root / PACKAGES.lstrip("/"),
        wanted.requirements,
        described,
        say,
        torch_index=wanted.torch_index,
    )
    count = _put_libraries(root)
    say(f"  {count} shared libraries")
    _put_system_files(root)
    _open_for_reading(root)
    _smoke_test(root, interpreter)
    return {
        "format": FORMAT,
        "interpreter": interpreter,
        "python_version": described["version"],
        "fingerprint": fingerprint,
        "packages": packages,
    }


def _current(folder: Path) -> RunnerEnvironment | None:
    """The environment that is there; None where it must be built (the reason does not matter)."""
    try:
        return RunnerEnvironment.load(folder)
    except SandboxUnavailable:
        return None


def _put_in_place(folder: Path, new: Path, record: dict[str, object]) -> None:
    """Swap the root; the record is written last, so that a half-built one is never used."""
    about = folder / "environment.json"
    about.unlink(missing_ok=True)
    shutil.rmtree(folder / "root", ignore_errors=True)
    new.rename(folder / "root")
    about.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _describe(python: str) -> dict[str, str]:
    found = shutil.which(python)
    if found is None:
        raise BuildFailed(f"there is no interpreter {python}.")
    answer = subprocess.run([found, "-I", "-c", DESCRIBE], check=True, capture_output=True)
    described: dict[str, str] = json.loads(answer.stdout)
    return described


def _fingerprint(wanted: Wanted, described: dict[str, str]) -> str:
    """Changes when the requirements, the interpreter or the C library change."""
    executable = Path(described["executable"]).resolve()
    parts = [FORMAT, *wanted.texts(), described, platform.machine()]
    for path in (executable, *_c_library(executable)):
        status = path.stat()
        parts.append((str(path), status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _c_library(executable: Path) -> list[Path]:
    return [path.resolve() for path in _needed([executable]) if path.name.startswith("libc.")]


def _put_interpreter(root: Path, described: dict[str, str]) -> str:
    """Interpreter and standard library; the prefix is found by landmark, relative to the binary."""
    name = f"python{described['short']}"
    prefix = root / "opt/python"
    link_or_copy(Path(described["executable"]).resolve(), prefix / "bin" / name)
    library = prefix / described["platlibdir"] / name
    for source in sorted({Path(described["stdlib"]), Path(described["platstdlib"])}):
        for path in _files_below(source, NOT_IN_STDLIB):
            if not path.parts[0].startswith("config-"):
                link_or_copy(source / path, library / path)
    say(f"  Python {described['version']} and its standard library")
    return f"/opt/python/bin/{name}"


def _files_below(folder: Path, without: Iterable[str]) -> Iterator[Path]:
    """Relative paths of the regular files below `folder`; top-level names in `without` skipped."""
    skipped = set(without)
    for current, folders, files in os.walk(folder):
        here = Path(current).relative_to(folder)
        if here == Path():
            folders[:] = [name for name in folders if name not in skipped]
        for name in files:
            if (Path(current) / name).is_file():
                yield here / name


def _put_libraries(root: Path) -> int:
    """The shared libraries that the linker resolves outside the root, each as a single file.

    They are put beside the C library, which the loader searches by default: there is no
    `ld.so.cache` inside. Libraries that nothing on this machine provides (a GPU build's, on a
    machine without GPU) stay missing inside as they are outside.
    """
    interpreters = sorted((root / "opt/python/bin").iterdir())
    modules = [path for path in root.rglob("*") if ".so" in path.suffixes and path.is_file()]
    needed = {path.name: path for path in _needed([*interpreters, *modules])}
    outside = {name: path for name, path in needed.items() if not path.is_relative_to(root)}
    beside = next(path for name, path in outside.items() if name.startswith("libc.so")).parent
    for name, path in outside.items():
        place = path if name.startswith("ld-") else beside / name
        link_or_copy(path, root / str(place).lstrip("/"))
    return len(outside)


def _needed(binaries: list[Path]) -> list[Path]:
    """What `ldd` says the binaries load, transitively."""
    answer = subprocess.run(
        ["ldd", *map(str, binaries)],
        check=False,  # 1 when one of them is a static binary
        capture_output=True,
        text=True,
        env={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
    )
    found: dict[Path, None] = {}
    for line in answer.stdout.splitlines():
        words = line.split()
        path = words[2] if len(words) > 2 and words[1] == "=>" else words[0] if words else ""
        if line.startswith("\t") and path.startswith("/"):
            found[Path(path)] = None
    if not found:
        raise BuildFailed(f"ldd named no library of {binaries[0]}: {answer.stderr.strip()}")
    return list(found)


def _put_system_files(root: Path) -> None:
    """The few files libraries ask for by name; none tells anything about the host but its CPUs."""
    files = {
        "etc/passwd": "nobody:x:65534:65534:nobody:/tmp:/\n",
        "etc/group": "nogroup:x:65534:\n",
        # read by the CPU detection inside torch, which complains on stderr without it
        "sys/devices/system/cpu/possible": f"0-{(os.cpu_count() or 1) - 1}\n",
        "sys/devices/system/cpu/present": f"0-{(os.cpu_count() or 1) - 1}\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def _open_for_reading(root: Path) -> None:
    """Folders that any user may enter, whatever the umask was."""
    for current, _, _ in os.walk(root):
        Path(current).chmod(0o755)


def _smoke_test(root: Path, interpreter: str) -> None:
    """Import everything once with the new interpreter, still outside any sandbox.

    Raises:
        BuildFailed: an import failed.
    """
    checkout = str(Path(__file__).resolve().parents[2])
    paths = [str(root / PACKAGES.lstrip("/")), checkout]
    program = root / interpreter.lstrip("/")
    answer = subprocess.run(
        [str(program), "-I", "-S", "-B", "-c", SMOKE_TEST, *paths],
        check=False,
        capture_output=True,
        text=True,
        env={"LD_LIBRARY_PATH": str(next(root.rglob("libc.so.6")).parent)},
    )
    if answer.returncode != 0:
        raise BuildFailed(f"the packages can't be imported: {answer.stderr.strip()[-2000:]}")
    say(f"  torch {answer.stdout.strip()} imports")


def say(text: str) -> None:
    """One line of progress, at once."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the command's own progress


if __name__ == "__main__":
    sys.exit(main())
