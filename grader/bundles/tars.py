"""The entries of an untrusted tar, header by header.

`tarfile` reads single headers here and no more: its own walk descends a level for each extension
header, believes a negative size and turns back, and unpacks whatever it skips without counting it.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from grader.bundles.entries import CHUNK_BYTES, BoundedFile, Damaged, Entry
from grader.words.message import said

_BLOCK: Final = tarfile.BLOCKSIZE
# One entry has a long name, a long link and one header with its times and attributes.
_MOST_EXTENSIONS: Final = 8
_LARGEST_EXTENSION: Final = 2**20  # attributes of macOS take tens of kilobytes
_MOST_RECORDS: Final = 100
_MOST_DIGITS: Final = 15
_LONGEST_NAME: Final = 4096
_KINDS: Final = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "symbolic link",
    tarfile.LNKTYPE: "hard link",
    tarfile.GNUTYPE_SPARSE: "sparse file",
}
_HOLDS_NOTHING: Final = frozenset({"folder", "symbolic link", "hard link"})


@dataclass(frozen=True, kw_only=True)
class _Member:
    """One entry with what its extension headers say; its content starts at the byte `start`."""

    name: str
    kind: str
    start: int
    size: int

    @property
    def end(self) -> int:
        """Where the next header stands."""
        size = 0 if self.kind in _HOLDS_NOTHING else self.size
        return self.start + _padded(size)


class Tar:
    """A tar being read from its beginning to its end, never backwards."""

    def __init__(self, file: BoundedFile, packed_bytes: int) -> None:
        self._file = file
        self.packed_bytes = packed_bytes

    def entries(self) -> Iterator[Entry]:
        """Give each entry."""
        seen: set[str] = set()
        place = 0
        while (member := self._member(place)) is not None:
            place = member.end
            name = member.name.removeprefix("./").removesuffix("/")
            if name in ("", ".") and member.kind == "folder":
                continue
            yield Entry(name=name, kind=member.kind, repeated=name in seen, handle=member)
            if member.kind == "sparse file":
                return  # refused by then; where it ends stands in headers of its own
            seen.add(name)

    def content(self, entry: Entry) -> Iterator[bytes]:
        """Give a file's content in chunks."""
        member: _Member = entry.handle
        self._file.check(member.end)
        self._file.seek(member.start)
        left = member.size
        while left:
            chunk = self._file.read(min(CHUNK_BYTES, left))
            if not chunk:
                raise Damaged(said("archive.cut_off"))
            left -= len(chunk)
            yield chunk

    def _member(self, place: int) -> _Member | None:
        """The entry whose headers begin at a place; None at the zeros that end a whole archive."""
        extended: dict[str, str] = {}
        for count in range(_MOST_EXTENSIONS + 1):
            block = self._read(place, _BLOCK)
            if block == bytes(_BLOCK) and not count:
                return None
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            place += _BLOCK
            if not 0 <= header.size < 10**_MOST_DIGITS:
                raise Damaged(said("archive.malformed_header"))
            if header.type not in _EXTENSIONS:
                return _put_together(header, extended, place)
            if header.size > _LARGEST_EXTENSION:
                raise Damaged(said("archive.large_header"))
            content = self._read(place, header.size)
            extended |= _EXTENSIONS[header.type](content)
            place += _padded(header.size)
        raise Damaged(said("archive.large_header"))

    def _read(self, place: int, size: int) -> bytes:
        self._file.seek(place)
        content = self._file.read(size)
        if len(content) < size:
            raise Damaged(said("archive.cut_off"))
        return content


def _put_together(header: tarfile.TarInfo, extended: dict[str, str], start: int) -> _Member:
    name = extended.get("path", header.name)
    if len(name) > _LONGEST_NAME:
        raise Damaged(said("archive.large_header"))
    kind = _KINDS.get(header.type, "device")
    if any(key.startswith("GNU.sparse.") for key in extended):
        kind = "sparse file"
    stated = extended.get("size", str(header.size))
    if not (stated.isascii() and stated.isdigit() and len(stated) <= _MOST_DIGITS):
        raise Damaged(said("archive.malformed_header"))
    return _Member(name=name, kind=kind, start=start, size=int(stated))


def _records(content: bytes) -> dict[str, str]:
    """The records of a pax header: each is its own length, a space, `key=value` and a newline."""
    found: dict[str, str] = {}
    place = 0
    while place < len(content) and content[place]:
        length, space, _ = content[place : place + 12].partition(b" ")
        end = place + int(length) if space and length.isdigit() else 0
        record = content[place + len(length) + 1 : end - 1]
        key, equals, value = record.partition(b"=")
        if not place < end <= len(content) or content[end - 1 : end] != b"\n" or not equals:
            raise Damaged(said("archive.malformed_header"))
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        if len(found) > _MOST_RECORDS:
            raise Damaged(said("archive.large_header"))
        place = end
    return found


def _long_name(content: bytes) -> dict[str, str]:
    return {"path": content.rstrip(b"\0").decode("utf-8", "surrogateescape")}


def _nothing(_: bytes) -> dict[str, str]:
    """What a header for the whole archive, or a link's target, says of an entry."""
    return {}


_EXTENSIONS: Final = {
    tarfile.XHDTYPE: _records,
    tarfile.SOLARIS_XHDTYPE: _records,
    tarfile.XGLTYPE: _nothing,
    tarfile.GNUTYPE_LONGNAME: _long_name,
    tarfile.GNUTYPE_LONGLINK: _nothing,
}


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
