"""Reads the entries of an untrusted archive, or of a folder, one after the other.

Neither headers nor sizes that an archive states are believed: content is streamed and counted, and
no single read that a header asks for may be large.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

CHUNK_BYTES: Final = 1 << 18
# A central directory, a pax header or a long name is read in one piece; honest ones are small.
_LARGEST_READ: Final = 4 * 2**20
# What zip programs write. The decoder of LZMA takes as much memory as the archive tells it to.
_COMPRESSIONS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Damaged(Exception):
    """The archive can't be read to its end; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry: `kind` is "file", "folder", or what else it is, such as "symbolic link"."""

    name: str
    kind: str
    repeated: bool = False
    handle: Any = None


class Archive(Protocol):
    """A bundle being read."""

    @property
    def packed_bytes(self) -> int | None:
        """The size of the archive; None for a folder."""
        ...

    def entries(self) -> Iterator[Entry]:
        """Give each entry; read one's content before asking for the next."""
        ...

    def content(self, entry: Entry) -> Iterator[bytes]:
        """Give a file's content in chunks."""
        ...


@contextmanager
def open_archive(source: Path) -> Iterator[Archive]:
    """Open a folder, .zip, .tar or .tar.gz by what it is, not by how it is called.

    Raises:
        Damaged: it is none of these, or broken; also while it is being read.
        FileNotFoundError: there is no such file.
    """
    try:
        with _opener(source) as archive:
            yield archive
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        gzip.BadGzipFile,
        EOFError,
        zlib.error,
        NotImplementedError,
        UnicodeError,
        OverflowError,
    ) as error:
        raise Damaged(f"the archive is damaged or of an unknown kind: {error}") from error


def _opener(source: Path) -> AbstractContextManager[Archive]:
    if source.is_dir():
        return _folder(source)
    with source.open("rb") as file:
        head = file.read(512)
    if head.startswith(b"PK"):
        return _zip(source)
    if head.startswith(b"\x1f\x8b"):
        return _tar(source, packed=True)
    if head[257:262] == b"ustar":
        return _tar(source, packed=False)
    raise Damaged("this is neither a folder nor a .zip, .tar.gz or .tar archive")


class _BoundedFile(io.RawIOBase):
    """A seekable file that refuses large reads, so that no stated size can exhaust memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = _LARGEST_READ + 1
        elif size > _LARGEST_READ:
            raise Damaged("a header of the archive is far too large")
        content = self._file.read(size)
        if len(content) > _LARGEST_READ:
            raise Damaged("a header of the archive is far too large")
        return content

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


class _Zip:
    def __init__(self, archive: zipfile.ZipFile, packed_bytes: int) -> None:
        self._archive = archive
        self.packed_bytes = packed_bytes

    def entries(self) -> Iterator[Entry]:
        seen: set[str] = set()
        for about in self._archive.infolist():
            mode = about.external_attr >> 16
            kind = "folder" if about.is_dir() else _kind(mode) if stat.S_IFMT(mode) else "file"
            if about.flag_bits & 0x1:
                raise Damaged("the archive is encrypted")
            if about.compress_type not in _COMPRESSIONS:
                raise Damaged("the archive is compressed in an unusual way")
            # zipfile cuts names at NUL and turns backslashes round; the stored name is judged.
            name = about.orig_filename.removeprefix("./").removesuffix("/")
            yield Entry(name=name, kind=kind, repeated=name in seen, handle=about)
            seen.add(name)

    def content(self, entry: Entry) -> Iterator[bytes]:
        with self._archive.open(entry.handle) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


@contextmanager
def _zip(source: Path) -> Iterator[Archive]:
    with source.open("rb") as file:
        bounded: Any = _BoundedFile(file)
        with zipfile.ZipFile(bounded) as archive:
            _refuse_overlaps(archive.infolist())
            yield _Zip(archive, source.stat().st_size)


def _refuse_overlaps(infos: list[zipfile.ZipInfo]) -> None:
    """Refuse entries that share bytes: the trick of archives that unpack to petabytes."""
    end = 0
    for about in sorted(infos, key=lambda one: one.header_offset):
        if about.header_offset < end:
            raise Damaged("entries of the archive overlap")
        end = about.header_offset + 30 + len(about.orig_filename.encode()) + about.compress_size


class _Tar:
    def __init__(self, archive: tarfile.TarFile, packed_bytes: int) -> None:
        self._archive = archive
        self.packed_bytes = packed_bytes

    def entries(self) -> Iterator[Entry]:
        seen: set[str] = set()
        while (about := self._archive.next()) is not None:
            self._archive.members.clear()  # type: ignore[attr-defined]
            name = about.name.removeprefix("./").removesuffix("/")
            if name in ("", ".") and about.isdir():
                continue
            yield Entry(name=name, kind=self._kind(about), repeated=name in seen, handle=about)
            seen.add(name)
        # tarfile takes a cut-off header for the end; an archive that is whole ends in zeros.
        end: Any = self._archive.fileobj
        end.seek(self._archive.offset)
        if end.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise Damaged("the archive is cut off")

    def content(self, entry: Entry) -> Iterator[bytes]:
        file = self._archive.extractfile(entry.handle)
        assert file is not None
        left: int = entry.handle.size
        while left:
            chunk = file.read(min(CHUNK_BYTES, left))
            if not chunk:
                raise Damaged("the archive is cut off")
            left -= len(chunk)
            yield chunk

    @staticmethod
    def _kind(about: tarfile.TarInfo) -> str:
        if about.issparse():
            return "sparse file"
        if about.isreg():
            return "file"
        if about.isdir():
            return "folder"
        names = {tarfile.SYMTYPE: "symbolic link", tarfile.LNKTYPE: "hard link"}
        return names.get(about.type, "device")


@contextmanager
def _tar(source: Path, *, packed: bool) -> Iterator[Archive]:
    with source.open("rb") as file:
        plain: Any = gzip.GzipFile(fileobj=file) if packed else file
        bounded: Any = _BoundedFile(plain)
        with tarfile.open(fileobj=bounded, mode="r:") as archive:
            yield _Tar(archive, source.stat().st_size)


class _Folder:
    packed_bytes = None

    def __init__(self, root: Path) -> None:
        self._root = root

    def entries(self) -> Iterator[Entry]:
        yield from self._below(self._root, "")

    def _below(self, folder: Path, prefix: str) -> Iterator[Entry]:
        with os.scandir(folder) as listing:
            children = sorted(listing, key=lambda child: child.name)
        for child in children:
            name = f"{prefix}{child.name}"
            kind = _kind(child.stat(follow_symlinks=False).st_mode)
            yield Entry(name=name, kind=kind, handle=Path(child.path))
            if kind == "folder":
                yield from self._below(Path(child.path), f"{name}/")

    def content(self, entry: Entry) -> Iterator[bytes]:
        descriptor = os.open(entry.handle, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


@contextmanager
def _folder(root: Path) -> Iterator[Archive]:
    yield _Folder(root)


def _kind(mode: int) -> str:
    names = {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "folder",
        stat.S_IFLNK: "symbolic link",
        stat.S_IFIFO: "pipe",
        stat.S_IFSOCK: "socket",
    }
    return names.get(stat.S_IFMT(mode), "device")
