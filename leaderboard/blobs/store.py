"""What every store of files promises; the folder and the object store fill in the rest."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from grader import PlatformFault
from leaderboard.blobs.staging import Staging

CHUNK = 1 << 20
# a file is young for so long; only older ones may be deleted (`remove`)
YOUNG_SECONDS = 24 * 3600


class BlobMissing(PlatformFault):
    """A file that the database names is not in the store."""


class BlobDamaged(PlatformFault):
    """A file's bytes no longer have its hash."""


class BlobsAway(PlatformFault):
    """The store cannot be reached, or refuses us: ours, and to be tried again."""


@dataclass(frozen=True, kw_only=True)
class Blob:
    """The name and size of a kept file."""

    sha256: str
    size: int


class BlobStore(ABC):
    """Files by their SHA-256, `ab/cdef…`, never changed. Any method may raise BlobsAway."""

    def __init__(self, staging: Path) -> None:
        self._staging = staging

    @abstractmethod
    def prepare(self) -> None:
        """Make what the store needs, and drop what uploads left that never ended. Repeatable."""

    @abstractmethod
    def adopt(self, path: Path, sha256: str) -> Blob:
        """Keep a staged file whose bytes are on the disk; durable when this returns. Repeatable.

        A file that is there already becomes young again, so that it is not just being removed.
        """

    @abstractmethod
    def part(self, sha256: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes [start, stop) piece by piece: not verified.

        Raises:
            BlobMissing: there is no such file.
        """

    @abstractmethod
    def local(self, sha256: str) -> AbstractContextManager[Path]:
        """A verified path on this machine, for as long as the block lasts; never to be written.

        Raises:
            BlobMissing: there is no such file.
            BlobDamaged: its bytes are others.
        """

    @abstractmethod
    def size(self, sha256: str) -> int:
        """Bytes.

        Raises:
            BlobMissing: there is no such file.
        """

    @abstractmethod
    def remove(self, sha256: str, *, min_age_seconds: float = YOUNG_SECONDS) -> bool:
        """Delete a file, unless it is younger than that; whether it is gone."""

    @abstractmethod
    def everything(self) -> Iterator[Blob]:
        """Every file of the store, in no order."""

    @abstractmethod
    def _pieces(self, sha256: str) -> Iterator[bytes]:
        """A file's bytes as the store gives them.

        Raises:
            BlobMissing: there is no such file.
        """

    def stage(self, suffix: str = "") -> Staging:
        """A new file to write into, on this machine."""
        return Staging(self._staging / f"{secrets.token_hex(16)}{suffix}")

    def keep(self, staging: Staging) -> Blob:
        """Keep a file under its hash; durable when this returns. Repeatable."""
        staging.finish()
        return self.adopt(staging.path, staging.sha256)

    def put(self, source: BinaryIO) -> Blob:
        """Keep everything that a stream holds."""
        staging = self.stage()
        try:
            shutil.copyfileobj(source, staging, CHUNK)
            return self.keep(staging)
        except BaseException:
            staging.discard()
            raise

    def put_bytes(self, content: bytes) -> Blob:
        """Keep some bytes."""
        staging = self.stage()
        try:
            staging.write(content)
            return self.keep(staging)
        except BaseException:
            staging.discard()
            raise

    def read(self, sha256: str) -> bytes:
        """A small file whole.

        Raises:
            BlobMissing: there is no such file.
            BlobDamaged: its bytes are others.
        """
        return b"".join(self.chunks(sha256))

    def chunks(self, sha256: str) -> Iterator[bytes]:
        """A file piece by piece; BlobDamaged instead of the last.

        Raises:
            BlobMissing: there is no such file.
            BlobDamaged: its bytes are others; in place of the last piece.
        """
        digest = hashlib.sha256()
        held = b""
        for piece in self._pieces(sha256):
            digest.update(piece)
            if held:
                yield held
            held = piece
        if digest.hexdigest() != sha256:
            raise BlobDamaged(f"the file {sha256[:12]}… was changed in the store")
        if held:
            yield held

    def verify(self, sha256: str) -> None:
        """Read a file through.

        Raises:
            BlobMissing: there is no such file.
            BlobDamaged: its bytes are others.
        """
        for _ in self.chunks(sha256):
            pass

    def probe(self) -> None:
        """Write, read and delete a file.

        Raises:
            BlobsAway: the store can't be reached.
            BlobDamaged: it gave other bytes.
            OSError: the folder can't be written.
        """
        kept = self.put_bytes(secrets.token_bytes(64))
        self.verify(kept.sha256)
        self.remove(kept.sha256, min_age_seconds=0)

    def free_bytes(self) -> int:
        """Room left where uploads arrive."""
        return shutil.disk_usage(self._staging).free


def key_of(sha256: str) -> str:
    """A file's name in its store.

    Raises:
        ValueError: it is no SHA-256.
    """
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError("not a SHA-256")
    return f"{sha256[:2]}/{sha256[2:]}"


def sha256_of(key: str) -> str | None:
    """The hash that a name in a store stands for; None for what is no file of ours."""
    sha256 = key.replace("/", "")
    try:
        return sha256 if key_of(sha256) == key else None
    except ValueError:
        return None


def missing(sha256: str) -> BlobMissing:
    return BlobMissing(f"the file {sha256[:12]}… is not in the store")
