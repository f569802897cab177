"""The folder of one run on the trusted side: a copy of the harness and, later, of the bundle.

It lives for one run. The sandbox sees it read-only from its start; the bundle is put in at
hand-over. Nothing is read back from it.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

from sandbox.inside.sentences import Sentence, said
from sandbox.names import PREFIX, is_orphan

MOST_CODE_BYTES = 256 * 1024  # what is more than that is no code, whatever it is called
# by the names that Python and the harness go by
CHECKPOINT = re.compile(r"checkpoint\.(safetensors|pt)|checkpoints/[^/]*\.(safetensors|pt)")
INSIDE = Path(__file__).parents[1] / "inside"


class UnfitBundle(ValueError):
    """The bundle folder holds something that is neither a file nor a folder; `why` names it."""

    def __init__(self, why: Sentence) -> None:
        super().__init__(str(why))
        self.why = why


class Scratch:
    """A private folder with `harness/` and an empty `bundle/`, removed by `close`."""

    def __init__(self, name: str) -> None:
        """Make the folder."""
        self.folder = Path(tempfile.gettempdir()) / name
        self.bundle_bytes = 0  # all files
        self._code_bytes = self._unknown_bytes = 0
        self.folder.mkdir(mode=0o700)
        try:
            _make_folder(self.folder / "bundle")
            self._put_harness(self.folder / "harness")
        except BaseException:
            self.close()
            raise

    @property
    def data_bytes(self) -> int:
        """What is neither a checkpoint nor as much code as anybody writes."""
        return self._unknown_bytes + max(0, self._code_bytes - MOST_CODE_BYTES)

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
                raise UnfitBundle(said("run.neither_file_nor_folder", path=f"{path}{name}"))

    def _copy_file(self, folder: int, name: str, target: Path, path: str) -> None:
        # O_NONBLOCK: a pipe put in the file's place meanwhile would otherwise hang the open
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        with os.fdopen(source, "rb") as reader, target.open("wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
            os.fchmod(writer.fileno(), 0o644)
            self.bundle_bytes += writer.tell()
            if path.endswith(".py"):
                self._code_bytes += writer.tell()
            elif not CHECKPOINT.fullmatch(path):
                self._unknown_bytes += writer.tell()

    @staticmethod
    def _put_harness(target: Path) -> None:
        inside = target / "sandbox" / "inside"
        for folder in (target, inside.parent, inside):
            _make_folder(folder)
        _write(inside.parent / "__init__.py", b"")
        for source in INSIDE.glob("*.py"):
            _write(inside / source.name, source.read_bytes())


def _make_folder(path: Path) -> None:
    path.mkdir()
    path.chmod(0o755)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o644)


def clear_orphans() -> int:
    """Remove the folders of runs whose process was killed; returns how many there were.

    Others on this machine end their runs, and clear up as well, at the same time.
    """
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            status = folder.lstat()
        except FileNotFoundError:
            continue
        ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
        if ours and is_orphan(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed
