"""Files in a folder of this machine. Coming in is one rename, so that no half is ever found."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leaderboard.blobs.staging import drop_abandoned
from leaderboard.blobs.store import (
    CHUNK,
    YOUNG_SECONDS,
    Blob,
    BlobStore,
    key_of,
    missing,
    sha256_of,
)


class FolderStore(BlobStore):
    """Files by their SHA-256 in a folder, read-only; staged in the same file system."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "staging")
        self.folder = folder
        self._trash = folder / "trash"

    def prepare(self) -> None:
        self._staging.mkdir(parents=True, exist_ok=True)
        self._trash.mkdir(exist_ok=True)
        self.folder.chmod(0o700)
        drop_abandoned(self._staging)
        for path in self._trash.iterdir():  # a removal that was cut short
            self._end_removal(path, path.name, YOUNG_SECONDS)

    def adopt(self, path: Path, sha256: str) -> Blob:
        size = path.stat().st_size
        home = self._home(sha256)
        try:
            os.utime(home)  # young again; or gone, if it is just being removed
            home.stat()  # it may have been set aside while its time was being set
            path.unlink()
        except FileNotFoundError:
            home.parent.mkdir(exist_ok=True)
            path.chmod(0o400)
            path.rename(home)
            _sync_folder(home.parent)
        return Blob(sha256=sha256, size=size)

    def part(self, sha256: str, start: int, stop: int) -> Iterator[bytes]:
        try:
            file = self._home(sha256).open("rb")
        except FileNotFoundError:
            raise missing(sha256) from None
        with file:
            file.seek(start)
            while start < stop and (piece := file.read(min(CHUNK, stop - start))):
                start += len(piece)
                yield piece

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        self.verify(sha256)
        yield self._home(sha256)

    def size(self, sha256: str) -> int:
        try:
            return self._home(sha256).stat().st_size
        except FileNotFoundError:
            raise missing(sha256) from None

    def remove(self, sha256: str, *, min_age_seconds: float = YOUNG_SECONDS) -> bool:
        home, away = self._home(sha256), self._trash / sha256
        try:
            if time.time() - home.stat().st_mtime < min_age_seconds:
                return False
            # first aside, then its age once more: whoever adopts the same content at this moment
            # has either made it young, and it goes back, or finds no file, and brings its own
            home.rename(away)
        except FileNotFoundError:
            return True
        return self._end_removal(away, sha256, min_age_seconds)

    def everything(self) -> Iterator[Blob]:
        for path in self.folder.glob("??/*"):
            sha256 = sha256_of(path.relative_to(self.folder).as_posix())
            if sha256 is not None:
                yield Blob(sha256=sha256, size=path.stat().st_size)

    def _pieces(self, sha256: str) -> Iterator[bytes]:
        return self.part(sha256, 0, self.size(sha256))

    def _end_removal(self, away: Path, sha256: str, min_age_seconds: float) -> bool:
        try:
            if time.time() - away.stat().st_mtime < min_age_seconds:
                away.rename(self._home(sha256))
                return False
            away.unlink()
        except FileNotFoundError:
            pass  # another process ended it
        return True

    def _home(self, sha256: str) -> Path:
        return self.folder / key_of(sha256)


def _sync_folder(folder: Path) -> None:
    """Make a rename outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
