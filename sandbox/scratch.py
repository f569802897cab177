"""The folder of one run on the trusted side: a copy of the harness and, later, of the bundle.

It lives for one run. The sandbox sees it read-only from its start; the bundle is put in at
hand-over. Nothing is read back from it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import tempfile
from pathlib import Path

PREFIX = "gradewright-run-"
HARNESS_FILES = ("advice.py", "device.py", "harness.py", "protocol.py", "torchvision_compat.py")
# The harness's package, imported before anything large: what imports make is no garbage to look
# for (an eighth of the time of `import torch`), and NumPy needs no threads beside torch's.
BEFORE_TORCH = b"""import gc
import os

gc.disable()
os.environ["OPENBLAS_NUM_THREADS"] = "1"
"""
_NAME = re.compile(rf"{PREFIX}(\d+)-(\d+)-(\d+)-[0-9a-f]+")


class UnfitBundle(ValueError):
    """The bundle folder holds something that is neither a file nor a folder."""


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


class Scratch:
    """A private folder with `harness/` and an empty `bundle/`, removed by `close`."""

    def __init__(self, name: str) -> None:
        """Make the folder."""
        self.folder = Path(tempfile.gettempdir()) / name
        self.checkpoint_bytes = 0
        self.folder.mkdir(mode=0o700)
        try:
            _make_folder(self.folder / "bundle")
            self._put_harness(self.folder / "harness")
        except BaseException:
            self.close()
            raise

    def fill(self, bundle: Path) -> None:
        """Copy the files of `bundle`: the program, which runs already, sees them from now on.

        Raises:
            UnfitBundle: it holds a link, a device or the like.
        """
        self._copy_folder(bundle, self.folder / "bundle")

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder)

    def _copy_folder(self, source: Path, target: Path) -> None:
        """Copy without ever following a link, whoever can write in `source` meanwhile."""
        descriptor = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._copy_entries(descriptor, target, "")
        finally:
            os.close(descriptor)

    def _copy_entries(self, folder: int, target: Path, path: str) -> None:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISDIR(kind):
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                try:
                    _make_folder(target / name)
                    self._copy_entries(inner, target / name, f"{path}{name}/")
                finally:
                    os.close(inner)
            elif stat.S_ISREG(kind):
                self._copy_file(folder, name, target / name, f"{path}{name}")
            else:
                raise UnfitBundle(f"{path}{name} is neither a file nor a folder.")

    def _copy_file(self, folder: int, name: str, target: Path, path: str) -> None:
        # O_NONBLOCK: a pipe put in the file's place meanwhile would otherwise hang the open
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        with os.fdopen(source, "rb") as reader, target.open("wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
            os.fchmod(writer.fileno(), 0o644)
            if path.startswith(("checkpoint.", "checkpoints/")):
                self.checkpoint_bytes += writer.tell()

    @staticmethod
    def _put_harness(target: Path) -> None:
        package = target / "sandbox"
        _make_folder(target)
        _make_folder(package)
        for name in HARNESS_FILES:
            text = (Path(__file__).parent / name).read_bytes()
            _write(package / name, text)
        _write(package / "__init__.py", BEFORE_TORCH)


def _make_folder(path: Path) -> None:
    path.mkdir()
    path.chmod(0o755)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o644)


def clear_orphans() -> int:
    """Remove the folders of runs whose process was killed; returns how many there were."""
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        status = folder.lstat()
        ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
        if ours and is_orphan(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed
