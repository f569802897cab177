"""Reads the entries of an untrusted archive, or of a folder, one after the other.

Neither headers nor sizes that an archive states are believed: content is streamed and counted, and
no single read that a header asks for may be large.
"""

from __future__ import annotations

import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final

from grader.bundles.entries import CHUNK_BYTES, Archive, BoundedFile, Damaged, Entry
from grader.bundles.gzips import open_gzip
from grader.bundles.tars import Tar
from grader.words.message import said

# What zip programs write. The decoder of LZMA takes as much memory as the archive tells it to.
_COMPRESSIONS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@contextmanager
def open_archive(source: Path, *, most_bytes: int | None = None) -> Iterator[Archive]:
    """Open a folder, .zip, .tar or .tar.gz by what it is, not by how it is called.

    most_bytes: how much of a .tar.gz may be unpacked, headers and what is skipped included.

    Raises:
        Damaged: it is none of these, or broken; also while it is being read.
        TooMuch: as Damaged, beyond `most_bytes`.
        FileNotFoundError: there is no such file.
    """
    try:
        with _opener(source, most_bytes) as archive:
            yield archive
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        EOFError,
        zlib.error,
        struct.error,
        RuntimeError,
        LookupError,
        ValueError,
        OverflowError,
    ) as error:
        raise Damaged(said("archive.damaged", error=str(error))) from error


def unpack_archive(source: Path, into: Path) -> None:
    """Write the files of an archive whose content is known by its hash; bundles need `bundle.py`.

    Modes, owners and times stay behind, as with tarfile's filters, which Python 3.11.2 lacks.

    Raises:
        Damaged: it can't be read, or an entry is no file, or leads out of `into`.
        FileExistsError: a file of that name is there already.
    """
    with open_archive(source) as archive:
        for entry in archive.entries():
            path = PurePosixPath(entry.name)
            if entry.kind not in ("file", "folder"):
                raise Damaged(said("bundle.not_a_file", name=repr(entry.name), kind=entry.kind))
            if path.is_absolute() or ".." in path.parts:
                raise Damaged(said("archive.leads_out", name=repr(entry.name)))
            target = into / path
            if entry.kind == "folder":
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.writelines(archive.content(entry))


def _opener(source: Path, most_bytes: int | None) -> AbstractContextManager[Archive]:
    if source.is_dir():
        return _folder(source)
    with source.open("rb") as file:
        head = file.read(512)
    if head.startswith(b"PK"):
        return _zip(source)
    if head.startswith(b"\x1f\x8b"):
        return _tar(source, packed=True, most_bytes=most_bytes)
    if head[257:262] == b"ustar":
        return _tar(source, packed=False)
    raise Damaged(said("archive.unknown"))


class _Zip:
    def __init__(self, archive: zipfile.ZipFile, packed_bytes: int) -> None:
        self._archive = archive
        self.packed_bytes = packed_bytes

    def entries(self) -> Iterator[Entry]:
        seen: set[str] = set()
        for about in self._archive.infolist():
            mode = about.external_attr >> 16
            is_folder = about.filename.endswith("/")  # is_dir() fails at a name of nothing
            kind = "folder" if is_folder else _kind(mode) if stat.S_IFMT(mode) else "file"
            if about.flag_bits & 0x1:
                raise Damaged(said("archive.encrypted"))
            if about.compress_type not in _COMPRESSIONS:
                raise Damaged(said("archive.compression"))
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
        bounded: Any = BoundedFile(file)
        with zipfile.ZipFile(bounded) as archive:
            _refuse_overlaps(archive.infolist())
            yield _Zip(archive, source.stat().st_size)


def _refuse_overlaps(infos: list[zipfile.ZipInfo]) -> None:
    """Refuse entries that share bytes: the trick of archives that unpack to petabytes."""
    end = 0
    for about in sorted(infos, key=lambda one: one.header_offset):
        if about.header_offset < end:
            raise Damaged(said("archive.overlapping"))
        end = about.header_offset + 30 + len(about.orig_filename.encode()) + about.compress_size


@contextmanager
def _tar(source: Path, *, packed: bool, most_bytes: int | None = None) -> Iterator[Archive]:
    with source.open("rb") as file:
        plain: Any = open_gzip(file) if packed else file
        yield Tar(BoundedFile(plain, most_bytes), source.stat().st_size)


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
