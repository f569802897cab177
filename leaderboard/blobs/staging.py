"""A file on its way in: hashed while it is written."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_ABANDONED_SECONDS = 24 * 3600


class Staging:
    """A file that is being written on this machine; then a store keeps it, or `discard`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        self._file: BinaryIO = path.open("xb")

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, chunk: bytes) -> int:
        self._hash.update(chunk)
        self.size += len(chunk)
        return self._file.write(chunk)

    def finish(self) -> None:
        """Close the file with its bytes on the disk. May be called twice."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def discard(self) -> None:
        """Close and delete; does nothing once the file was kept."""
        # on a full disk closing fails once more; the file must go all the same
        with suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)


def drop_abandoned(folder: Path) -> None:
    """Delete what uploads and downloads left in a folder that never ended."""
    limit = time.time() - _ABANDONED_SECONDS
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process tidies at the same moment
            if path.is_file() and path.stat().st_mtime < limit:
                path.unlink()
