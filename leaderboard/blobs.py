"""Content-addressed files: kept under their SHA-256, verified whenever they are read.

A file comes in through a `Staging` writer that hashes while it writes, in the store's own folder,
so that keeping it is one atomic rename. Nothing is ever in memory whole.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from grader import PlatformFault

_CHUNK = 1 << 20
_ABANDONED_SECONDS = 24 * 3600


class BlobMissing(PlatformFault):
    """A file that the database names is not in the store."""


class BlobDamaged(PlatformFault):
    """A file's bytes no longer have its hash."""


@dataclass(frozen=True, kw_only=True)
class Blob:
    """The name and size of a kept file."""

    sha256: str
    size: int


class Staging:
    """A file on its way in, hashed while it is written; then the store keeps it, or `discard`."""

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
        self._file.close()
        self.path.unlink(missing_ok=True)


class BlobStore:
    """Files by their SHA-256 in a folder, `ab/cdef…`, read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._staging = folder / "staging"

    @classmethod
    def at(cls, url: str) -> BlobStore:
        """The store of a `file:///folder` URL."""
        parts = urlsplit(url)
        if parts.scheme != "file":
            raise ValueError(f"no blob store is known for {parts.scheme}://")
        return cls(Path(unquote(parts.path)))

    def prepare(self) -> None:
        """Make the folders, and drop what uploads left that never ended."""
        self._staging.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        limit = time.time() - _ABANDONED_SECONDS
        for path in self._staging.iterdir():
            with suppress(FileNotFoundError):  # another process tidies at the same moment
                if path.stat().st_mtime < limit:
                    path.unlink()

    def stage(self, suffix: str = "") -> Staging:
        """A new file to write into."""
        return Staging(self._staging / f"{secrets.token_hex(16)}{suffix}")

    def keep(self, staging: Staging) -> Blob:
        """Move a finished file under its hash; durable when this returns. Repeatable."""
        staging.finish()
        return self.adopt(staging.path, staging.sha256)

    def adopt(self, path: Path, sha256: str) -> Blob:
        """Keep a file of the store's staging folder whose bytes are on the disk already."""
        size = path.stat().st_size
        home = self._home(sha256)
        if home.exists():
            path.unlink()
            return Blob(sha256=sha256, size=size)
        home.parent.mkdir(exist_ok=True)
        path.chmod(0o400)
        path.rename(home)
        _sync_folder(home.parent)
        return Blob(sha256=sha256, size=size)

    def put(self, source: BinaryIO) -> Blob:
        """Keep everything that a stream holds."""
        staging = self.stage()
        try:
            shutil.copyfileobj(source, staging, _CHUNK)
            return self.keep(staging)
        except BaseException:
            staging.discard()
            raise

    def put_bytes(self, content: bytes) -> Blob:
        """Keep some bytes."""
        staging = self.stage()
        staging.write(content)
        return self.keep(staging)

    def read(self, sha256: str) -> bytes:
        """A small file whole. Raises: BlobMissing, BlobDamaged."""
        return b"".join(self.chunks(sha256))

    def chunks(self, sha256: str) -> Iterator[bytes]:
        """A file piece by piece; BlobDamaged instead of the last. Raises: BlobMissing."""
        digest = hashlib.sha256()
        held = b""
        with self._open(sha256) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                if held:
                    yield held
                held = chunk
        if digest.hexdigest() != sha256:
            raise BlobDamaged(f"the file {sha256[:12]}… was changed on the disk")
        if held:
            yield held

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        """A verified path on this machine, for as long as the block lasts; never to be written."""
        for _ in self.chunks(sha256):
            pass
        yield self._home(sha256)

    def size(self, sha256: str) -> int:
        """Bytes. Raises: BlobMissing."""
        try:
            return self._home(sha256).stat().st_size
        except FileNotFoundError:
            raise BlobMissing(f"the file {sha256[:12]}… is not in the store") from None

    def free_bytes(self) -> int:
        """Room left where the store lies."""
        return shutil.disk_usage(self.folder).free

    def _home(self, sha256: str) -> Path:
        if len(sha256) != 64 or not sha256.isalnum():
            raise ValueError("not a SHA-256")
        return self.folder / sha256[:2] / sha256[2:]

    def _open(self, sha256: str) -> BinaryIO:
        try:
            return self._home(sha256).open("rb")
        except FileNotFoundError:
            raise BlobMissing(f"the file {sha256[:12]}… is not in the store") from None


def _sync_folder(folder: Path) -> None:
    """Put a rename on the disk: a receipt must not outlive the file it is for."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
